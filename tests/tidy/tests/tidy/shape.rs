//! The shape of files: their heads and sizes, and what stands at the top of the repository.

use crate::REPOSITORY;
use tidy::{File, none};

const FILE: usize = 400;

/// Everything at the top; a tool's files hide in a folder with a dot.
const TOP: [&str; 15] = [
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".config",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "guest-sdk",
    "host",
    "sample-guests",
    "tests",
    "wit",
];

#[test]
fn the_top_holds_only_what_the_house_lists() {
    let names = REPOSITORY.names(".").into_iter();
    let unknown = names.filter(|name| !TOP.contains(&name.as_str())).collect();
    none(
        "only these stand at the top: see `TOP` in this test",
        unknown,
    );
}

#[test]
fn every_file_begins_with_a_sentence_about_itself() {
    let offenders = REPOSITORY.rust().filter(|file| !has_head(file));
    none(
        "a file begins with `//!` and a sentence that ends in a full stop or a colon",
        offenders.map(|file| file.path.clone()).collect(),
    );
}

/// Inner attributes may stand before it.
fn has_head(file: &File) -> bool {
    let mut lines = file.text.lines().skip_while(|line| line.starts_with("#!["));
    let head = lines
        .by_ref()
        .skip_while(|line| line.is_empty())
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim);
    let head: Vec<_> = head.take_while(|line| !line.is_empty()).collect();
    head.concat().ends_with(['.', ':'])
}

#[test]
fn no_file_is_long() {
    let lines = |file: &File| {
        file.text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count()
    };
    let long = REPOSITORY.rust().filter(|file| lines(file) > FILE);
    none(
        &format!("a file has at most {FILE} lines that are not blank"),
        long.map(|file| format!("{}: {}", file.path, lines(file)))
            .collect(),
    );
}
