//! PostgreSQL.

use crate::{Missing, Program, Site, find};
use rustix::process::Signal;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Debian has a directory for each version there.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The time for the last processes of a server that was killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// `postgres`, with its user `postgres` whom it trusts; of any other one it wants a password.
#[derive(Clone, Copy, Debug)]
pub struct Postgres;

impl Program for Postgres {
    fn prepare(&self, site: &Site) -> Result<(), Missing> {
        give_away(&site.directory)?;
        let mut command = as_nobody(&program("initdb")?);
        command.arg("-D").arg(data(site));
        command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8"]);
        command.args(["--locale", "C.UTF-8", "--no-sync"]);
        let output = command.current_dir(&site.directory).output();
        let output = output.map_err(|error| Missing(format!("initdb: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Missing(format!("initdb: {said}")));
        }
        let rules = "local all all trust\nhost all postgres 127.0.0.1/32 trust\n\
                     host all all 127.0.0.1/32 scram-sha-256\n";
        let written = fs::write(data(site).join("pg_hba.conf"), rules);
        written.map_err(|error| Missing(format!("pg_hba.conf: {error}")))
    }

    fn command(&self, site: &Site) -> Result<Command, Missing> {
        await_end(&data(site));
        let mut command = as_nobody(&program("postgres")?);
        command.arg("-D").arg(data(site));
        command.args(["-p", &site.port.to_string(), "-h", "127.0.0.1", "-k", ""]);
        for setting in [
            "max_connections=400",
            "shared_buffers=64MB",
            "log_min_messages=panic",
        ] {
            command.args(["-c", setting]);
        }
        command.current_dir(&site.directory);
        Ok(command)
    }

    /// Clients do not hold up this one.
    fn ending(&self) -> Signal {
        Signal::INT
    }

    /// A login has an answer; while the server starts it is an error.
    fn is_ready(&self, site: &Site) -> bool {
        login(site).is_ok_and(|answer| answer == b'R')
    }
}

fn data(site: &Site) -> PathBuf {
    site.directory.join("data")
}

/// A program of the newest version that there is.
fn program(name: &str) -> Result<PathBuf, Missing> {
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin").join(name));
    let newest = found.filter(|path| path.is_file()).max();
    newest.map_or_else(|| find(name), Ok)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// It refuses to run as root. The signal for the end of the tests comes after the change of the user, which would undo it.
fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]);
        command.args(["--", "setpriv"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

fn give_away(directory: &Path) -> Result<(), Missing> {
    if !is_root() {
        return Ok(());
    }
    let given = Command::new("chown")
        .arg("nobody:nogroup")
        .arg(directory)
        .status();
    match given {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Missing(
            "the directory cannot be given to `nobody`".to_owned(),
        )),
    }
}

/// Waits until the last process over the data is gone: they find out by themselves that the first one was killed.
fn await_end(data: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while is_used(data) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_used(data: &Path) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut directories =
        processes.filter_map(|process| fs::read_link(process.path().join("cwd")).ok());
    directories.any(|directory| directory == data)
}

/// Sends the first message of a login, and returns the first byte of the answer.
fn login(site: &Site) -> std::io::Result<u8> {
    let limit = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&site.address(), limit)?;
    stream.set_read_timeout(Some(limit))?;
    let body = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    let length = u32::try_from(body.len() + 4).unwrap_or_default();
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(body)?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok(answer[0])
}
