//! The arguments of `wythe`.

mod actor;
mod bindings;
mod configuration;
mod crypto;
mod dashboard;
mod host;
mod jobs;
mod lock;
mod migrate;
mod pubsub;
mod run;
mod secrets;
mod workflow;

pub use actor::{Actor, ActorVerb};
pub use bindings::{Bindings, BindingsVerb};
pub use configuration::{Configuration, ConfigurationVerb};
pub use crypto::{Cipher, Crypto, CryptoVerb};
pub use dashboard::{Dashboard, FREE};
pub use host::{Logs, Ps, Serve, StatusOf, Stop, Tenants, TenantsVerb, audience};
pub use jobs::{Jobs, JobsVerb, Misfire, Schedule, When};
pub use lock::{Lock, LockVerb};
pub use migrate::Migrate;
pub use pubsub::{PubSub, PubSubVerb};
pub use run::Run;
pub use secrets::{Secrets, SecretsVerb};
pub use workflow::{ListWorkflows, Rerun, StartWorkflow, Status, Workflow, WorkflowVerb};

use crate::{choice::Choice, embedded};
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::{path::PathBuf, sync::LazyLock};

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let own = env!("CARGO_PKG_VERSION");
    format!("{own} (wasmtime {})", embedded::wasmtime_version())
});

const EXAMPLES: &str = "\
Examples:
  wythe new shop && wythe run shop    a new project, built and started
  wythe run --watch                   rebuild and swap an app when its sources change
  wythe validate                      what is wrong with this project, all at once
  wythe inspect stranger.wasm         what a component asks for, before running it

Problems go to standard error as lines `error: ...`; with `-o json` as one object
{\"errors\": [{\"kind\", \"message\"}], \"warnings\": [..]}. Exit status: 0 done, 1 failed, 2 wrong usage.";

/// Run WebAssembly components with state, pub/sub and invocation built in
#[derive(Parser)]
#[command(name = "wythe", version = VERSION.as_str(), after_help = EXAMPLES, max_term_width = 100)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Copy, clap::Args)]
pub struct Common {
    /// The format of the answer
    #[arg(
        short,
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub output: Format,
    /// The format of logs, which go to standard error
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Log more: each call, with its time; twice for what libraries say, too. The variable WYTHE_LOG, where it is set, says which lines
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Log only warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand)]
pub enum Command {
    Actor(Actor),
    Bindings(Bindings),
    Build(Build),
    Completions(Completions),
    Crypto(Crypto),
    Configuration(Configuration),
    Dashboard(Dashboard),
    Inspect(Inspect),
    Invoke(Invoke),
    Lock(Lock),
    Logs(Logs),
    Jobs(Jobs),
    Migrate(Migrate),
    New(New),
    Ps(Ps),
    Publish(Publish),
    #[command(name = "pubsub")]
    PubSub(PubSub),
    Run(Run),
    Secrets(Secrets),
    Serve(Serve),
    State(State),
    Status(StatusOf),
    Stop(Stop),
    Tenants(Tenants),
    Validate(Validate),
    Wit(Wit),
    Workflow(Workflow),
}

impl Command {
    /// True where the command serves and was asked to log each request.
    pub fn is_each_request_logged(&self) -> bool {
        match self {
            Command::Run(run) => run.access_log,
            Command::Serve(serve) => serve.access_log,
            _ => false,
        }
    }
}

/// Build every app that has a `build` command
#[derive(clap::Args)]
pub struct Build {
    /// The manifest or its directory
    #[arg(default_value = ".")]
    pub path: PathBuf,
}

/// Print a completion script: `wythe completions bash > /etc/bash_completion.d/wythe`
#[derive(clap::Args)]
pub struct Completions {
    pub shell: Shell,
}

/// Show what a component imports and exports, without running it
#[derive(clap::Args)]
pub struct Inspect {
    #[arg(value_name = "FILE.wasm")]
    pub file: PathBuf,
    /// Judge the imports by the grants of an app in this manifest
    #[arg(short, long, value_name = "PATH")]
    pub manifest: Option<PathBuf>,
    /// The app of the manifest; default the one whose guest the file is
    #[arg(long, requires = "manifest")]
    pub app: Option<String>,
}

/// The project that a command is for: the host that runs it is asked, or it is opened for the moment
#[derive(clap::Args)]
pub struct Project {
    /// The manifest or its directory
    #[arg(short, long, global = true, value_name = "PATH", default_value = ".")]
    pub project: PathBuf,
    /// The directory of the project's data, if not `.wythe` beside the manifest
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A directory of resources in place of those of the manifest; may be repeated
    #[arg(long, value_name = "DIR", global = true)]
    pub resources: Vec<PathBuf>,
    /// The tenant of a host that serves the directories below --project
    #[arg(long, global = true, value_name = "TENANT")]
    pub tenant: Option<String>,
}

impl Project {
    pub fn choice(&self) -> Choice {
        Choice {
            path: self.project.clone(),
            resources: self.resources.clone(),
        }
    }
}

/// Call an app and print its answer: `wythe invoke cart /items/7`
#[derive(clap::Args)]
pub struct Invoke {
    pub app: String,
    /// Begins with `/`; may have a query
    pub path: String,
    #[command(flatten)]
    pub project: Project,
    /// The method; default GET, or POST with data
    #[arg(short = 'X', long)]
    pub method: Option<String>,
    /// The body
    #[arg(short, long)]
    pub data: Option<String>,
    /// A file that is the body; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    pub data_file: Option<PathBuf>,
    /// `name: value`; may be repeated
    #[arg(short = 'H', long, value_name = "NAME:VALUE")]
    pub header: Vec<String>,
}

/// Write a new project: `wythe new shop -t subscriber`
#[derive(clap::Args)]
pub struct New {
    /// The directory to make; its last part is the name of the project
    #[arg(value_name = "NAME")]
    pub directory: PathBuf,
    /// The template; default: asked for, or `hello` where nobody can be asked
    #[arg(short, long)]
    pub template: Option<Template>,
    /// Ask nothing, take the defaults
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// An app that answers HTTP and counts in a state store
    Hello,
    /// An app that takes orders by HTTP and handles them as events
    Subscriber,
    /// A state driver of your own, and an app that uses it
    Plugin,
}

/// Publish an event and print its id: `wythe publish pubsub orders '{"id": 7}'`
#[derive(clap::Args)]
pub struct Publish {
    pub component: String,
    pub topic: String,
    /// JSON, unless --content-type says otherwise; `-` for standard input
    pub data: String,
    #[command(flatten)]
    pub project: Project,
    /// The CloudEvents type
    #[arg(short, long = "type", value_name = "TYPE", default_value = "wythe.cli")]
    pub kind: String,
    /// The event's id; default a new one
    #[arg(long)]
    pub id: Option<String>,
    #[arg(long, default_value = "application/json")]
    pub content_type: String,
    /// The app that is its source, and whose scopes apply
    #[arg(long, default_value = "operator")]
    pub app: String,
}

/// Read and write the state of an app
#[derive(clap::Args)]
pub struct State {
    #[command(flatten)]
    pub project: Project,
    /// The app whose keys they are; default the only one of the project
    #[arg(long, global = true)]
    pub app: Option<String>,
    #[command(subcommand)]
    pub verb: StateVerb,
}

#[derive(Clone, Subcommand)]
pub enum StateVerb {
    /// Print a value as it is; with `-o json` its etag, too
    Get {
        component: String,
        key: String,
    },
    Set(Set),
    /// Remove an entry; what is absent is fine
    Delete {
        component: String,
        key: String,
        /// The etag that the entry must still have
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
    },
    /// Print keys in order, one a line; with `-o json` the entries
    List {
        component: String,
        #[arg(default_value = "")]
        prefix: String,
        /// The most that are printed, 1 to 1000
        #[arg(long, default_value = "100")]
        limit: u32,
        /// Go on after this key
        #[arg(long, value_name = "KEY")]
        cursor: Option<String>,
    },
}

/// Write a value and print its etag
#[derive(Clone, clap::Args)]
pub struct Set {
    pub component: String,
    pub key: String,
    /// The value; `-` for standard input
    pub value: String,
    /// Time to live, such as `90s` or `2h`
    #[arg(long)]
    pub ttl: Option<wythe_manifest::Duration>,
    /// The etag that the entry must still have
    #[arg(long, value_name = "ETAG")]
    pub if_match: Option<String>,
    /// Write only if there is no entry
    #[arg(long, conflicts_with = "if_match")]
    pub if_absent: bool,
    #[arg(long)]
    pub content_type: Option<String>,
}

/// Check the manifest, its resources and its components, and start nothing
#[derive(clap::Args)]
pub struct Validate {
    /// The manifest or its directory
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// A directory of resources in place of those of the manifest; may be repeated
    #[arg(long, value_name = "DIR")]
    pub resources: Vec<PathBuf>,
}

impl Validate {
    pub fn choice(&self) -> Choice {
        Choice {
            path: self.path.clone(),
            resources: self.resources.clone(),
        }
    }
}

/// Print the interfaces that apps and plugins are written against
#[derive(clap::Args)]
pub struct Wit {
    /// Write them as files into this directory
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::Args;
    use clap::CommandFactory as _;

    fn check(command: &clap::Command, globals: &[&str]) {
        for argument in command.get_arguments() {
            let (name, verb) = (argument.get_id().as_str(), command.get_name());
            assert!(!globals.contains(&name), "`{name}` of `{verb}` is global");
        }
        command
            .get_subcommands()
            .for_each(|verb| check(verb, globals));
    }

    /// Two arguments of one name would be one argument of two types.
    #[test]
    fn no_verb_has_an_argument_of_a_global_ones_name() {
        let command = Args::command();
        let globals = command.get_arguments().filter(|a| a.is_global_set());
        let globals: Vec<_> = globals.map(|argument| argument.get_id().as_str()).collect();
        assert!(!globals.is_empty());
        command
            .get_subcommands()
            .for_each(|verb| check(verb, &globals));
    }
}
