//! NATS with JetStream.

use crate::{Missing, Program, Site, find, program::is_file};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The first version with `sync_interval`, and the first whose streams lose nothing as it ends.
const SYNCS: (u32, u32) = (2, 10);
/// The first version with batches, of which all messages are stored or none.
const BATCHES: (u32, u32) = (2, 12);

/// `nats-server` in the directory of `WYTHE_NATS`, or else that of the machine, which syncs each write to disk before it answers, where it is new enough to. Messages have 20 MiB.
#[derive(Clone, Debug, Default)]
pub struct Nats {
    /// More of its configuration, a line an item, as in `["authorization { token: secret }"]`.
    pub lines: Vec<String>,
    /// More of its `jetstream` block, as in `limits { batch { max_msgs: 10 } }`.
    pub streams: String,
    /// Accounts, each with a user of its name whose password is `test`, beside nobody else.
    pub accounts: usize,
}

impl Nats {
    #[must_use]
    pub fn with(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Returns whether the server of this machine can sync each write, and has streams that lose nothing.
    pub fn syncs() -> bool {
        check(SYNCS).is_ok()
    }

    /// Says why the server of this machine has no streams that lose nothing, if it has none.
    pub fn check_streams() -> Result<(), Missing> {
        check(SYNCS)
    }

    /// Says why the server of this machine has no batches, and so no transactions, if it has none.
    pub fn check_batches() -> Result<(), Missing> {
        check(BATCHES)
    }

    fn accounts(&self) -> String {
        if self.accounts == 0 {
            return String::new();
        }
        let account = |number| {
            format!(
                "a{number}: {{ jetstream: enabled, users: [{{ user: a{number}, password: test }}] }}\n"
            )
        };
        let accounts: String = (0..self.accounts).map(account).collect();
        format!("accounts {{\n{accounts}}}\n")
    }
}

/// The program: the machine's own may be older than what some tests need.
fn program() -> Result<PathBuf, Missing> {
    let Some(directory) = std::env::var_os("WYTHE_NATS") else {
        return find("nats-server");
    };
    let program = PathBuf::from(directory).join("nats-server");
    match is_file(&program) {
        true => Ok(program),
        false => Err(Missing(format!("WYTHE_NATS has no {}", program.display()))),
    }
}

/// Says why the program of this machine is not of a version or a later one, if it is none.
fn check((major, minor): (u32, u32)) -> Result<(), Missing> {
    let found = version(&program()?);
    match found >= Some((major, minor)) {
        true => Ok(()),
        false => Err(Missing(format!(
            "nats-server is older than {major}.{minor}, and WYTHE_NATS names no newer one"
        ))),
    }
}

/// Major and minor part of the version of a program.
fn version(program: &Path) -> Option<(u32, u32)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut parts = text.trim().rsplit('v').next()?.split('.');
    let mut number = || parts.next()?.parse().ok();
    Some((number()?, number()?))
}

impl Program for Nats {
    fn command(&self, site: &Site) -> Result<Command, Missing> {
        let file = site.directory.join("nats.conf");
        let store = site.directory.join("store");
        let sync = if Self::syncs() {
            ", sync_interval: always"
        } else {
            ""
        };
        let mut text = format!(
            "host: 127.0.0.1\nport: {}\nmax_payload: 20MB\nmax_pending: 128MB\n\
             jetstream {{ store_dir: \"{}\"{sync}\n{} }}\n{}",
            site.port,
            store.display(),
            self.streams,
            self.accounts()
        );
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        std::fs::write(&file, text).map_err(|error| Missing(format!("nats.conf: {error}")))?;
        let mut command = Command::new(program()?);
        command.arg("-c").arg(file);
        Ok(command)
    }

    /// It greets, and answers the first command.
    fn is_ready(&self, site: &Site) -> bool {
        greets(site).unwrap_or(false)
    }
}

fn greets(site: &Site) -> std::io::Result<bool> {
    let limit = Duration::from_secs(5);
    let stream = TcpStream::connect_timeout(&site.address(), limit)?;
    stream.set_read_timeout(Some(limit))?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.by_ref().take(64 << 10).read_line(&mut line)?;
    if line.contains("\"tls_required\":true") {
        return Ok(true);
    }
    reader.get_mut().write_all(b"CONNECT {}\r\nPING\r\n")?;
    let mut answer = String::new();
    reader.take(1_024).read_line(&mut answer)?;
    // A login that is missing is an answer, too.
    Ok(line.starts_with("INFO ") && (answer.starts_with("+OK") || answer.starts_with("-ERR")))
}
