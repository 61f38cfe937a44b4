//! The arguments of `wythe run`.

use crate::{choice::Choice, port};
use std::{net::SocketAddr, path::PathBuf};
use wythe_api::Audience;

/// Build the apps of a project and run them until Ctrl-C
#[derive(clap::Args)]
pub struct Run {
    /// The manifest or its directory
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// The address to answer HTTP on: `HOST:PORT` or a port; port 0 takes a free one
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = port::address)]
    pub listen: SocketAddr,
    /// The directory in which embedded drivers keep their files; default `.wythe` beside the manifest
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A directory of resources in place of those of the manifest; may be repeated
    #[arg(long, value_name = "DIR")]
    pub resources: Vec<PathBuf>,
    /// Run what is there, build nothing
    #[arg(long)]
    pub no_build: bool,
    /// Rebuild and swap what changes: sources, the manifest, resources
    #[arg(short, long)]
    pub watch: bool,
    /// Serve /metrics (Prometheus), /healthz and /readyz here
    #[arg(long, value_name = "ADDRESS", value_parser = port::address)]
    pub metrics: Option<SocketAddr>,
    /// Serve the dashboard by a process of its own, on any free port of this machine, or on that of `--dashboard=ADDRESS`
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:0", value_parser = port::address)]
    pub dashboard: Option<SocketAddr>,
    /// Tell callers what is wrong, with files, lines and grants, where else they read a kind and a trace; and serve the dashboard
    #[arg(long)]
    pub dev: bool,
    /// Log each request from outside once its answer is over: a line with status, bytes, time, client, app and trace
    #[arg(long)]
    pub access_log: bool,
}

impl Run {
    pub fn choice(&self) -> Choice {
        Choice {
            path: self.path.clone(),
            resources: self.resources.clone(),
        }
    }

    /// The address of the dashboard, where there is to be one.
    pub fn dashboard(&self) -> Option<SocketAddr> {
        self.dashboard.or(self.dev.then_some(super::FREE))
    }

    /// The readers of the host's own answers.
    pub fn audience(&self) -> Audience {
        super::host::audience(self.dev)
    }
}
