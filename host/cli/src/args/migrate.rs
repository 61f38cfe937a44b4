//! The arguments of `wythe migrate`.

use super::Project;

/// Copy the entries of a state component into another and compare both: `wythe migrate statestore newstore`
#[derive(clap::Args)]
pub struct Migrate {
    /// The state component that has the entries
    pub from: String,
    /// The one that gets them, which is empty
    pub to: String,
    #[command(flatten)]
    pub project: Project,
}
