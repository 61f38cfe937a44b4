//! The arguments of `wythe workflow`.

use super::Project;
use clap::{Subcommand, ValueEnum};
use std::time::Duration;
use wythe_blocks::jobs::{Timestamp, read_time};

/// Start workflows, look at them, tell them things, and end them
#[derive(clap::Args)]
pub struct Workflow {
    #[command(flatten)]
    pub project: Project,
    #[command(subcommand)]
    pub verb: WorkflowVerb,
}

#[derive(Clone, Subcommand)]
pub enum WorkflowVerb {
    Start(StartWorkflow),
    /// Print all that there is to know of an instance
    Get {
        id: String,
        /// Wait for the end of the instance, no longer than this; up to `50s`
        #[arg(long, value_name = "DURATION", value_parser = patience)]
        wait: Option<Duration>,
    },
    List(ListWorkflows),
    /// Print the journal of an instance, a line for each entry
    History {
        id: String,
        /// The index of the first entry
        #[arg(long, value_name = "INDEX", default_value = "0")]
        from: u32,
        /// The most entries that are printed
        #[arg(long, default_value = "1000")]
        limit: u32,
    },
    /// Send an event to an instance
    Raise {
        id: String,
        event: String,
        /// The data of the event; `-` for standard input
        #[arg(short, long, default_value = "", hide_default_value = true)]
        data: String,
    },
    /// Run the code of an instance no more until `resume`
    Suspend {
        id: String,
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// Go on with a suspended instance, or try a stalled one again
    Resume {
        id: String,
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// End an instance, or all of a workflow
    Terminate {
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// All instances of this workflow that have not ended: `order`, or `app/order`
        #[arg(long, value_name = "WORKFLOW", conflicts_with_all = ["id", "result"])]
        all: Option<String>,
        /// The result that it ends with; `-` for standard input
        #[arg(long, default_value = "", hide_default_value = true)]
        result: String,
    },
    /// Remove an instance that has ended, with its journal, or all of a workflow
    Purge {
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// All instances of this workflow that have ended: `order`, or `app/order`
        #[arg(long, value_name = "WORKFLOW", conflicts_with = "id")]
        all: Option<String>,
    },
    Rerun(Rerun),
}

/// A command has a minute in all.
fn patience(text: &str) -> Result<Duration, String> {
    let wait: wythe_manifest::Duration = text.parse().map_err(|error| format!("{error}"))?;
    match wait.0 <= Duration::from_secs(50) {
        true => Ok(wait.0),
        false => Err("expected at most 50s".into()),
    }
}

/// Begin an instance and print its id: `wythe workflow start order --input '{"item": 7}'`
#[derive(Clone, clap::Args)]
pub struct StartWorkflow {
    /// The workflow, as `order`, or `app/order` where several apps have one of that name
    pub name: String,
    /// The id; default a random one
    #[arg(long)]
    pub id: Option<String>,
    /// The input of the instance; `-` for standard input
    #[arg(short, long, default_value = "", hide_default_value = true)]
    pub input: String,
    /// The time before which it does not begin, such as `2030-01-31T07:30:00Z`
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    pub at: Option<Timestamp>,
}

/// Print instances in the order of their ids
#[derive(Clone, clap::Args)]
pub struct ListWorkflows {
    /// The workflow whose instances are listed
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long, value_enum)]
    pub status: Option<Status>,
    /// The most that are printed, 1 to 1000
    #[arg(long, default_value = "100")]
    pub limit: u32,
    /// Go on after this id
    #[arg(long, value_name = "ID")]
    pub cursor: Option<String>,
}

/// Begin a new instance with the first entries of another one's journal, and print its id
#[derive(Clone, clap::Args)]
pub struct Rerun {
    pub id: String,
    /// The number of entries that are taken over, 1 at least
    #[arg(long, value_name = "COUNT")]
    pub entries: u32,
    /// The id; default a random one
    #[arg(long, value_name = "ID")]
    pub new_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Status {
    Pending,
    Running,
    Suspended,
    Completed,
    Failed,
    Terminated,
    Stalled,
}
