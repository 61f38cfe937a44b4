//! The arguments of `wythe secrets`.

use super::Project;
use clap::Subcommand;

/// See which secrets there are; no command shows what is in them
#[derive(clap::Args)]
pub struct Secrets {
    #[command(flatten)]
    pub project: Project,
    /// The app whose scopes apply
    #[arg(long, global = true, default_value = "operator")]
    pub app: String,
    #[command(subcommand)]
    pub verb: SecretsVerb,
}

#[derive(Clone, Subcommand)]
pub enum SecretsVerb {
    /// Print the names of a store's secrets in order, one a line
    List { store: String },
}
