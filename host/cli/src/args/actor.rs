//! The arguments of `wythe actor`.

use super::Project;
use clap::Subcommand;

/// Call actors, and see which there are and what is kept of them
#[derive(clap::Args)]
pub struct Actor {
    #[command(flatten)]
    pub project: Project,
    #[command(subcommand)]
    pub verb: ActorVerb,
}

#[derive(Clone, Subcommand)]
pub enum ActorVerb {
    /// Run one turn and print its answer: `wythe actor invoke account ada deposit --data 100`
    Invoke {
        #[arg(value_name = "TYPE")]
        kind: String,
        id: String,
        method: String,
        /// The data that the method is given; `-` for standard input
        #[arg(short, long, default_value = "", hide_default_value = true)]
        data: String,
    },
    /// Print actors in the order of type and id: those of which something is kept
    List {
        #[arg(value_name = "TYPE")]
        kind: Option<String>,
        /// Those that are here now, in place of those of which something is kept
        #[arg(long, conflicts_with_all = ["limit", "cursor"])]
        active: bool,
        /// The most that are printed, 1 to 1000
        #[arg(long, default_value = "100")]
        limit: u32,
        /// Go on after this one
        #[arg(long, value_name = "TYPE/ID")]
        cursor: Option<String>,
    },
    /// Print what is kept of an actor: its values and its reminders, at most 1,000 of each
    State {
        #[arg(value_name = "TYPE")]
        kind: String,
        id: String,
    },
}
