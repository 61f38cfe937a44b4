//! A server that runs, and all that can happen to it.

use crate::{Missing, Program, Site, process::Process};
use parking_lot::Mutex;
use rustix::process::Signal;
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The time that a server may take until it answers: far more than on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Ports for servers: Linux gives those from 32768 on to outgoing connections (`net.ipv4.ip_local_port_range`).
const LISTENED: Range<u16> = 10_240..32_000;
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// Starts on other ports, where somebody else took the one that was free a moment ago.
const PORTS: usize = 5;

/// A server; killed, and its directory removed, when it is dropped.
pub struct Server {
    program: Box<dyn Program>,
    site: Site,
    process: Mutex<Option<Process>>,
    directory: Mutex<Option<TempDir>>,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub fn start(program: impl Program) -> Result<Self, Missing> {
        let directory = tempfile::Builder::new().prefix("wythe-server-").tempdir();
        let directory = directory.map_err(|error| Missing(format!("no directory: {error}")))?;
        let mut site = Site {
            directory: directory.path().to_owned(),
            port: free_port()?,
        };
        program.prepare(&site)?;
        let mut found = launch(&program, &site);
        for _ in 1..PORTS {
            if found.is_ok() {
                break;
            }
            site.port = free_port()?;
            found = launch(&program, &site);
        }
        Ok(Server {
            process: Mutex::new(Some(found?)),
            program: Box::new(program),
            site,
            directory: Mutex::new(Some(directory)),
        })
    }

    /// The reason why this machine cannot have such a server, as far as that is known before it starts.
    pub fn missing(program: &impl Program) -> Option<Missing> {
        let found = tempfile::tempdir().map_err(|error| Missing(format!("no directory: {error}")));
        let site = found.map(|directory| {
            let site = Site {
                directory: directory.path().to_owned(),
                port: 0,
            };
            (directory, site)
        });
        let command = site.and_then(|(_directory, site)| program.command(&site));
        command.err()
    }

    pub fn site(&self) -> &Site {
        &self.site
    }

    pub fn address(&self) -> SocketAddr {
        self.site.address()
    }

    /// Ends it as its operator would (SIGTERM), if it runs, and starts it again with what it stored.
    pub fn restart(&self) {
        self.stop();
        let started = launch(&*self.program, &self.site);
        let process = started.unwrap_or_else(|missing| panic!("the server restarts: {missing}"));
        *self.process.lock() = Some(process);
    }

    /// Ends it as its operator would, and waits for its end.
    pub fn stop(&self) {
        self.end_by(self.program.ending());
    }

    /// Ends it by SIGKILL, and waits for its end; `restart` brings it back.
    pub fn kill(&self) {
        self.end_by(Signal::KILL);
    }

    /// Ends it for good, and removes its directory: for one in a `static`, which is never dropped.
    pub fn end(&self) {
        self.kill();
        drop(self.directory.lock().take());
    }

    /// Stops its process as it is (SIGSTOP): connections stay, and nothing answers.
    pub fn pause(&self) {
        self.send(Signal::STOP);
    }

    /// Goes on after `pause`.
    pub fn resume(&self) {
        self.send(Signal::CONT);
    }

    fn send(&self, signal: Signal) {
        if let Some(process) = &*self.process.lock() {
            process.send(signal);
        }
    }

    fn end_by(&self, signal: Signal) {
        if let Some(process) = self.process.lock().take() {
            process.end(signal);
        }
    }
}

/// A port of this machine that is free. It lies below those that the kernel gives to outgoing connections, one of
/// which could otherwise take it before the server does, or while the server restarts.
pub(crate) fn free_port() -> Result<u16, Missing> {
    let mut last = None;
    for _ in 0..LISTENED.len() {
        // Another process of tests begins elsewhere.
        let number = NEXT.fetch_add(1, Ordering::Relaxed) + 97 * std::process::id() as usize;
        let port = LISTENED.start + (number % LISTENED.len()) as u16;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    Err(Missing(format!("no free port: {last:?}")))
}

fn launch(program: &dyn Program, site: &Site) -> Result<Process, Missing> {
    let command = program.command(site)?;
    let shown = command.get_program().to_string_lossy().into_owned();
    let started = Process::start(&command);
    let mut process = started.map_err(|error| Missing(format!("{shown} by setpriv: {error}")))?;
    let deadline = Instant::now() + PATIENCE;
    while !program.is_ready(site) {
        if process.has_ended() {
            return Err(Missing(format!("{shown} ended at once")));
        }
        if Instant::now() > deadline {
            return Err(Missing(format!("{shown} does not answer")));
        }
        thread::sleep(Duration::from_millis(10));
    }
    match process.has_ended() {
        true => Err(Missing(format!("{shown} ended, and another one answers"))),
        false => Ok(process),
    }
}
