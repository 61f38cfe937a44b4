//! A corpus of attacks: guests, components, requests and files, each refused or ended while a neighbour is served.

mod components;
mod cores;
mod files;
mod guests;
mod inputs;
mod table;
mod world;

use crate::case;
use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use std::collections::BTreeSet;

/// Rows that the corpus has at least.
const ROWS: usize = 150;

pub fn trials() -> Vec<Trial> {
    vec![
        case(
            "corpus::the_rows_are_many_and_have_names_of_their_own",
            rows,
        ),
        case("corpus::guests", guests::run),
        case("corpus::cores", cores::run),
        case("corpus::components", components::run),
        case("corpus::files", files::run),
        case("corpus::operator_files_at_the_start", files::starts),
        case("corpus::inputs", inputs::run),
    ]
}

async fn rows() -> Result<()> {
    let groups = [
        ("guests", guests::names()),
        ("cores", cores::names()),
        ("components", components::names()),
        ("inputs", inputs::names()),
        ("files", files::names()),
    ];
    let names = groups.into_iter().flat_map(|(group, names)| {
        names
            .into_iter()
            .map(move |name| format!("{group}::{name}"))
    });
    let names: Vec<_> = names.collect();
    let distinct: BTreeSet<_> = names.iter().collect();
    ensure!(distinct.len() == names.len(), "a name is there twice");
    ensure!(names.len() >= ROWS, "{} rows", names.len());
    Ok(())
}
