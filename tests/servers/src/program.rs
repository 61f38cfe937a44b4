//! The part of a server that differs from one to the next.

use rustix::process::Signal;
use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
};

/// The reason why this machine cannot have a server: tests that need it are ignored, and name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// The directory and the port that a server is given; both stay the same when it restarts.
#[derive(Clone, Debug)]
pub struct Site {
    pub directory: PathBuf,
    pub port: u16,
}

impl Site {
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

/// A kind of server. A new one is a file like `redis.rs`.
pub trait Program: Send + Sync + 'static {
    /// Prepares the directory, once, before the first start: configuration, `initdb`, certificates.
    fn prepare(&self, site: &Site) -> Result<(), Missing> {
        let _ = site;
        Ok(())
    }

    /// The server in the foreground, on that port of 127.0.0.1, with all that it stores in that directory.
    fn command(&self, site: &Site) -> Result<Command, Missing>;

    /// The signal by which its operator ends it, its clients too.
    fn ending(&self) -> Signal {
        Signal::TERM
    }

    /// Returns whether it answers a request of its protocol; a port that is open is not enough.
    fn is_ready(&self, site: &Site) -> bool;
}

/// The program of a name, in `PATH` or where Debian has servers.
pub fn find(name: &str) -> Result<PathBuf, Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let listed = std::env::split_paths(&path).collect::<Vec<_>>();
    let debian = ["/usr/bin", "/usr/sbin", "/usr/local/bin"].map(PathBuf::from);
    let all = listed.iter().chain(&debian);
    let mut found = all.map(|directory| directory.join(name));
    found
        .find(|path| is_file(path))
        .ok_or_else(|| Missing(format!("this machine has no {name}")))
}

pub(crate) fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}
