//! The arguments of `wythe lock`.

use super::Project;
use clap::Subcommand;

/// See who holds a lock of an app, and end the grant
#[derive(clap::Args)]
pub struct Lock {
    #[command(flatten)]
    pub project: Project,
    /// The app whose locks they are; default the only one of the project
    #[arg(long, global = true)]
    pub app: Option<String>,
    #[command(subcommand)]
    pub verb: LockVerb,
}

#[derive(Clone, Subcommand)]
pub enum LockVerb {
    /// Print who holds a lock, its token, and when the grant ends
    Holder { component: String, name: String },
    /// End the grant, whoever has it; a fence on what it protects keeps the old holder out
    Release { component: String, name: String },
}
