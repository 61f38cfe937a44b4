//! The server to compare with: `wasmtime serve` of the version that the host embeds.

use crate::{
    child::{Process, Server},
    guests,
};
use anyhow::{Context, Result, bail};
use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const VERSION: &str = "48.";
pub const INSTALL: &str = "cargo install wasmtime-cli@48.0.8 --locked --root target/bench-tools";
const START: Duration = Duration::from_secs(20);

pub struct Wasmtime(PathBuf);

impl Wasmtime {
    /// Finds it in `target/bench-tools/bin` or in PATH; absent if it is not there, or is another version.
    pub fn find() -> Option<Self> {
        let own = guests::root().join("target/bench-tools/bin/wasmtime");
        let candidates = [own, PathBuf::from("wasmtime")];
        candidates
            .into_iter()
            .find(|path| is_version(path))
            .map(Wasmtime)
    }

    /// Serves a component, with more arguments than its defaults.
    pub fn serve(&self, component: &Path, arguments: &[&str]) -> Result<Server> {
        // It cannot say which port it was given, so it gets one that was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new(&self.0)
            // The standard library's imports beyond those of a proxy; without them no guest of Rust's std links.
            .args(["serve", "-Scli", "--addr", &address.to_string()])
            .args(arguments)
            .arg(component)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("wasmtime does not start")?;
        let mut process = Process(child);
        wait(&mut process, address)?;
        Ok(Server { process, address })
    }
}

fn is_version(path: &Path) -> bool {
    let answer = Command::new(path).arg("--version").output();
    answer.is_ok_and(|answer| {
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        text.strip_prefix("wasmtime ")
            .is_some_and(|version| version.starts_with(VERSION))
    })
}

fn wait(process: &mut Process, address: SocketAddr) -> Result<()> {
    let begin = Instant::now();
    while begin.elapsed() < START {
        if let Some(status) = process.0.try_wait()? {
            bail!("`wasmtime serve` ended with {status}; run it by hand to see why");
        }
        if TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    bail!("`wasmtime serve` did not accept within {START:?}")
}
