//! The rules of the house that a machine can check, each a test that names every offender.

mod arrows;
mod contract;
mod documents;
mod floors;
mod names;
mod prose;
mod references;
mod shape;
mod words;

use std::sync::LazyLock;
use tidy::Repository;

static REPOSITORY: LazyLock<Repository> = LazyLock::new(Repository::read);
