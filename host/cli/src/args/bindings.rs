//! The arguments of `wythe bindings`.

use super::Project;
use clap::Subcommand;

/// Ask an outside system
#[derive(clap::Args)]
pub struct Bindings {
    #[command(flatten)]
    pub project: Project,
    /// The app whose scopes apply
    #[arg(long, global = true, default_value = "operator")]
    pub app: String,
    #[command(subcommand)]
    pub verb: BindingsVerb,
}

#[derive(Clone, Subcommand)]
pub enum BindingsVerb {
    /// Do one operation of a component and print its answer
    Invoke {
        component: String,
        operation: String,
        /// The data of the operation; `-` for standard input
        #[arg(default_value = "")]
        data: String,
        /// `name=value`; may be repeated
        #[arg(short, long, value_name = "NAME=VALUE")]
        metadata: Vec<String>,
    },
    /// Print what a component may be asked, one operation a line
    Operations { component: String },
}
