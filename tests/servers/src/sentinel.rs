//! A sentinel of Redis, which knows a server by a name.

use crate::{Missing, Program, Site, find, redis};
use std::{net::SocketAddr, process::Command};

/// `redis-server --sentinel`, over one server that it calls `main`.
#[derive(Clone, Debug)]
pub struct Sentinel {
    pub server: SocketAddr,
}

impl Program for Sentinel {
    fn command(&self, site: &Site) -> Result<Command, Missing> {
        let file = site.directory.join("sentinel.conf");
        let text = format!(
            "port {}\nbind 127.0.0.1\ndir {}\nsentinel monitor main {} {} 1\n",
            site.port,
            site.directory.display(),
            self.server.ip(),
            self.server.port()
        );
        std::fs::write(&file, text).map_err(|error| Missing(format!("sentinel.conf: {error}")))?;
        let mut command = Command::new(find("redis-server")?);
        command.arg(file).arg("--sentinel");
        Ok(command)
    }

    fn is_ready(&self, site: &Site) -> bool {
        redis::answers(site)
    }
}
