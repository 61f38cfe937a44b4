//! Redis.

use crate::{Missing, Program, Site, find};
use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};

/// `redis-server`, which syncs each write to disk before it answers.
#[derive(Clone, Debug, Default)]
pub struct Redis {
    /// More of its configuration, a directive an item, as in `["requirepass secret"]`.
    pub directives: Vec<String>,
}

impl Redis {
    #[must_use]
    pub fn with(mut self, directive: &str) -> Self {
        self.directives.push(directive.to_owned());
        self
    }
}

impl Program for Redis {
    fn command(&self, site: &Site) -> Result<Command, Missing> {
        let file = site.directory.join("redis.conf");
        let mut text = format!(
            "port {}\nbind 127.0.0.1\ndir {}\nsave \"\"\nappendonly yes\nappendfsync always\n",
            site.port,
            site.directory.display()
        );
        for directive in &self.directives {
            text.push_str(directive);
            text.push('\n');
        }
        std::fs::write(&file, text).map_err(|error| Missing(format!("redis.conf: {error}")))?;
        let mut command = Command::new(find("redis-server")?);
        command.arg(file);
        Ok(command)
    }

    /// `PING` has an answer, be it that a password is missing; `-LOADING` is none.
    fn is_ready(&self, site: &Site) -> bool {
        answers(site)
    }
}

/// Returns whether something of Redis answers there.
pub(crate) fn answers(site: &Site) -> bool {
    let answer = ask(site).unwrap_or_default();
    answer.starts_with(b"+PONG") || answer.starts_with(b"-NOAUTH")
}

fn ask(site: &Site) -> std::io::Result<Vec<u8>> {
    let limit = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&site.address(), limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = vec![0; 64];
    let count = stream.read(&mut answer)?;
    answer.truncate(count);
    Ok(answer)
}
