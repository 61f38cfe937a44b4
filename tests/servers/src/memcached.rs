//! Memcached.

use crate::{Missing, Program, Site, find};
use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};

/// `memcached`, which forgets all when it restarts.
#[derive(Clone, Debug, Default)]
pub struct Memcached {
    /// More of its command line, as in `["-m", "8"]`.
    pub arguments: Vec<String>,
}

impl Memcached {
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        self.arguments.extend(arguments);
        self
    }
}

impl Program for Memcached {
    fn command(&self, site: &Site) -> Result<Command, Missing> {
        let mut command = Command::new(find("memcached")?);
        // The user counts where root starts it, which it refuses to be.
        command
            .args(["-u", "nobody", "-l", "127.0.0.1", "-U", "0", "-t", "2"])
            .args(["-p", &site.port.to_string()])
            .args(&self.arguments);
        Ok(command)
    }

    /// A question has an answer, be it that a login is missing.
    fn is_ready(&self, site: &Site) -> bool {
        let known: [&[u8]; 2] = [b"VERSION ", b"CLIENT_ERROR unauthenticated"];
        greeted(site).is_ok_and(|answer| known.iter().any(|begin| answer.starts_with(begin)))
    }
}

fn greeted(site: &Site) -> std::io::Result<Vec<u8>> {
    let limit = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&site.address(), limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(b"version\r\n")?;
    let mut answer = vec![0; 64];
    let count = stream.read(&mut answer)?;
    answer.truncate(count);
    Ok(answer)
}
