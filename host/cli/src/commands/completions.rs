//! `wythe completions`: a script for a shell.

use crate::{
    args::{Args, Completions},
    report::{self, Outcome},
};
use clap::CommandFactory;
use std::process::ExitCode;

pub fn completions(args: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "wythe", &mut script);
    report::print(script);
    Ok(ExitCode::SUCCESS)
}
