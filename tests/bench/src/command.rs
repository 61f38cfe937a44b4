//! The command `wythe` itself, as people start it: this program is the command where a variable says so.

use crate::{child::Process, machine};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{ChildStdout, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

/// The variable with which this program is the command `wythe`.
const AS_COMMAND: &str = "WYTHE_BENCH_AS_COMMAND";

/// Runs the command `wythe`, where that is what this process was started for.
pub fn command() -> Option<ExitCode> {
    std::env::var_os(AS_COMMAND)?;
    wythe::compiler::is_the_command(&[(AS_COMMAND, "1")]);
    Some(wythe::main())
}

/// An address that was free a moment ago.
pub fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// `wythe serve` of a directory, until it is dropped.
pub struct Serving {
    pub process: Process,
    pub address: SocketAddr,
    /// The time from its start to its `Ready`.
    pub ready: Duration,
    /// The rest of its output, which may go on.
    _output: BufReader<ChildStdout>,
}

impl Serving {
    pub fn start(root: &Path) -> Result<Self> {
        let address = free()?;
        let begin = Instant::now();
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["serve", "--listen", &address.to_string()])
            .arg("--root")
            .arg(root)
            .env(AS_COMMAND, "1");
        let log = root.join("log");
        let stderr = fs::File::create(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let mut process = Process(command.spawn().context("the benchmark starts itself")?);
        let output = process.0.stdout.take().context("a child has an output")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line)? > 0 {
            if line.trim_start().starts_with("Ready") {
                return Ok(Serving {
                    process,
                    address,
                    ready: begin.elapsed(),
                    _output: output,
                });
            }
            line.clear();
        }
        bail!(
            "`wythe serve` ended before it was ready: {}",
            fs::read_to_string(log)?
        )
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Its resident memory in MB.
    pub fn resident(&self) -> f64 {
        let text = machine::field(&format!("/proc/{}/status", self.pid()), "VmRSS");
        let kib = text.split(' ').next().and_then(|kib| kib.parse().ok());
        kib.unwrap_or(f64::NAN) * 1024.0 / 1e6
    }
}
