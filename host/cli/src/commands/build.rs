//! `wythe build`: every app's component, with sizes and times.

use crate::{
    args::{Build, Common, Format},
    boot, build as builder,
    report::{self, Outcome, Problem},
};
use std::{process::ExitCode, time::Duration};
use wythe_blocks::text;

pub async fn build(common: &Common, args: &Build) -> Outcome {
    let (plan, warnings) = boot::plan(&args.path)?;
    report::show(common, &warnings);
    let built = builder::all(common, &plan).await?;
    if common.output == Format::Json {
        report::print_json(&serde_json::json!({ "built": built }));
        return Ok(ExitCode::SUCCESS);
    }
    if built.is_empty() {
        let nothing = Problem::warning("no app of this manifest has a `build` command");
        report::show(common, &[nothing]);
    }
    let width = built.iter().map(|app| app.app.len()).max().unwrap_or(0);
    for app in &built {
        let (size, time) = (
            text::size(app.bytes),
            report::time(Duration::from_millis(app.milliseconds)),
        );
        report::print(format!(
            "{:width$}  {size:>8}  {time:>8}  {}\n",
            app.app, app.file
        ));
    }
    Ok(ExitCode::SUCCESS)
}
