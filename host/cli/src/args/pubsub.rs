//! The arguments of `wythe pubsub`.

use super::Project;
use clap::Subcommand;

/// See what topics and consumer groups hold, and send dead letters back
#[derive(clap::Args)]
pub struct PubSub {
    #[command(flatten)]
    pub project: Project,
    /// The app whose scopes apply
    #[arg(long, global = true, default_value = "operator")]
    pub app: String,
    #[command(subcommand)]
    pub verb: PubSubVerb,
}

#[derive(Clone, Subcommand)]
pub enum PubSubVerb {
    /// Print each topic that somebody reads or that holds dead letters: how many groups, messages and bytes
    Topics {
        component: String,
    },
    /// Print each consumer group: its members, its messages, how many of them are out, their bytes and age
    Groups {
        component: String,
        /// The topic; default all of them
        topic: Option<String>,
    },
    Dead(Dead),
    Redrive(Redrive),
    /// Remove the messages of a group that no member has now
    Purge {
        component: String,
        topic: String,
        #[command(flatten)]
        group: Group,
        /// The group as well, which must have no members
        #[arg(long)]
        remove: bool,
    },
}

/// Print dead letters: where each comes from, why, and since when it is there
#[derive(Clone, clap::Args)]
pub struct Dead {
    pub component: String,
    pub topic: String,
    #[command(flatten)]
    pub group: Group,
    /// The most that are printed, 1 to 1000
    #[arg(long, default_value = "100")]
    pub limit: u32,
    /// Go on after this number
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "0",
        hide_default_value = true
    )]
    pub after: u64,
}

/// Send dead letters back, the oldest first; every group of their topic gets them
#[derive(Clone, clap::Args)]
pub struct Redrive {
    pub component: String,
    pub topic: String,
    #[command(flatten)]
    pub group: Group,
    /// The topic to send them to; default the one that each comes from
    #[arg(long, value_name = "TOPIC")]
    pub to: Option<String>,
    /// The most that are sent back, 1 to 1000
    #[arg(long, default_value = "100")]
    pub limit: u32,
}

#[derive(Clone, clap::Args)]
pub struct Group {
    /// The group; default the letters that nobody has read yet, or the only group of the topic
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
}
