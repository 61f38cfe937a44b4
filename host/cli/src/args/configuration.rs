//! The arguments of `wythe configuration`.

use super::Project;
use clap::Subcommand;

/// Read, change and watch configuration items
#[derive(clap::Args)]
pub struct Configuration {
    #[command(flatten)]
    pub project: Project,
    /// The app whose scopes apply
    #[arg(long, global = true, default_value = "operator")]
    pub app: String,
    #[command(subcommand)]
    pub verb: ConfigurationVerb,
}

#[derive(Clone, Subcommand)]
pub enum ConfigurationVerb {
    /// Print items as lines `KEY=VALUE`, or the value alone of the one item that is named
    Get {
        component: String,
        /// The keys; default all
        #[arg(value_name = "KEY")]
        keys: Vec<String>,
    },
    /// Write an item
    Set {
        component: String,
        key: String,
        /// The value; `-` for standard input
        value: String,
    },
    /// Remove items; what is absent is fine
    Delete {
        component: String,
        #[arg(value_name = "KEY", required = true)]
        keys: Vec<String>,
    },
    /// Print items, and then what changes until Ctrl-C: lines `KEY=VALUE`, and `-KEY` for one that was removed
    Watch {
        component: String,
        /// The keys; default all
        #[arg(value_name = "KEY")]
        keys: Vec<String>,
    },
}
