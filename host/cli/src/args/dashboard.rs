//! The arguments of `wythe dashboard`.

use super::Project;
use crate::port;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

/// Any free port of this machine alone.
pub const FREE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Show a host that runs in a browser, over its control socket, until Ctrl-C
#[derive(clap::Args)]
pub struct Dashboard {
    #[command(flatten)]
    pub project: Project,
    /// The address to answer browsers on: `HOST:PORT` or a port; port 0 takes a free one. Beyond this machine a token of yours is needed
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = port::address)]
    pub listen: SocketAddr,
    /// A name by which browsers ask for it beside its address, such as that of a proxy with TLS; may be repeated
    #[arg(long = "host", value_name = "NAME")]
    pub hosts: Vec<String>,
    /// The file with the token that opens it, in place of the variable WYTHE_DASHBOARD_TOKEN; without both it is made up at each start
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Say where it is in JSON, and end with the standard input: a host starts it so
    #[arg(long)]
    pub of_a_host: bool,
}
