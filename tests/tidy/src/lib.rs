//! Reads the repository as text, so that the rules of the house can be sentences of a test.

pub mod cargo;
pub mod command;
pub mod drivers;
pub mod items;
pub mod repository;
pub mod rust;

pub use repository::{File, Repository, Technology};

/// Fails with every offender, not the first.
#[track_caller]
pub fn none(rule: &str, offenders: Vec<String>) {
    assert!(
        offenders.is_empty(),
        "{rule}\n  {}\n",
        offenders.join("\n  ")
    );
}
