//! The arguments of the verbs about a host as a whole.

use super::Project;
use crate::port;
use clap::Subcommand;
use std::{net::SocketAddr, path::PathBuf};
use wythe_api::Audience;

/// Serve many tenants, each from its directory, until Ctrl-C
#[derive(clap::Args)]
pub struct Serve {
    /// The directory of the tenants' directories, with the operator's `wythe-host.yaml`
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub root: PathBuf,
    /// The address to answer HTTP on, in place of the file's; default `127.0.0.1:8080`, and none where the file has `tls`
    #[arg(short, long, value_name = "ADDRESS", value_parser = port::address)]
    pub listen: Option<SocketAddr>,
    /// The directory in which embedded drivers keep their files; default `.wythe` below the root
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Serve /metrics (Prometheus), /healthz and /readyz here, in place of the file's
    #[arg(long, value_name = "ADDRESS", value_parser = port::address)]
    pub metrics: Option<SocketAddr>,
    /// Serve the dashboard of all tenants by a process of its own, on any free port of this machine, or on that of `--dashboard=ADDRESS`
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:0", value_parser = port::address)]
    pub dashboard: Option<SocketAddr>,
    /// Tell callers what is wrong, with files, lines and grants; without it they read a kind and a trace
    #[arg(long)]
    pub dev: bool,
    /// Log each request from outside once its answer is over: a line with status, bytes, time, client, app and trace
    #[arg(long)]
    pub access_log: bool,
}

impl Serve {
    /// The readers of the host's own answers.
    pub fn audience(&self) -> Audience {
        audience(self.dev)
    }
}

/// The readers of the host's own answers.
pub fn audience(dev: bool) -> Audience {
    match dev {
        true => Audience::Developers,
        false => Audience::Strangers,
    }
}

/// Show the apps, components and subscriptions of a host that runs, and the changes that are not in force
#[derive(clap::Args)]
pub struct StatusOf {
    #[command(flatten)]
    pub project: Project,
}

/// Show the apps that have calls or instances now
#[derive(clap::Args)]
pub struct Ps {
    #[command(flatten)]
    pub project: Project,
}

/// Show the last lines that apps logged
#[derive(clap::Args)]
pub struct Logs {
    /// The app; default all of them
    pub app: Option<String>,
    #[command(flatten)]
    pub project: Project,
    /// Go on with lines as they come, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Leave out what is older, such as `90s` or `2h`
    #[arg(long, value_name = "DURATION")]
    pub since: Option<wythe_manifest::Duration>,
}

/// Stop a host that runs: what was begun is done first
#[derive(clap::Args)]
pub struct Stop {
    #[command(flatten)]
    pub project: Project,
}

/// List the tenants of a host that runs, those that are gone too if data is kept of them
#[derive(clap::Args)]
pub struct Tenants {
    #[command(flatten)]
    pub project: Project,
    #[command(subcommand)]
    pub verb: Option<TenantsVerb>,
}

#[derive(Clone, Subcommand)]
pub enum TenantsVerb {
    /// Delete what the host keeps of a tenant that is gone, its workflows among it
    Purge { name: String },
}
