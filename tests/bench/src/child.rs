//! Servers are processes of their own, so that their CPU time and memory can be told apart from the load's. This
//! program starts itself with a hidden argument for those that it is itself.

use crate::{actors, idle, jobs, measure, project::Project, tenants, workflows};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tokio::net::TcpListener;

/// The job of a child.
pub enum Job {
    Hyper,
    /// The host, with the project in a directory.
    Wythe(PathBuf),
    /// A host with the tenants in a directory.
    Tenants(PathBuf),
    /// Loads every app of a project and says how much memory that took.
    Idle(PathBuf),
    /// Has a turn of many actors and says how much memory they take.
    Actors(PathBuf, u64),
    /// Opens a store of many jobs and says how soon the one that is due runs.
    Jobs(PathBuf),
    /// Opens a store of many instances and says how much memory that took.
    Workflows(PathBuf),
}

impl Job {
    pub fn parse(arguments: &[String]) -> Option<Self> {
        match arguments {
            [job] if job == "--child-hyper" => Some(Job::Hyper),
            [job, directory] if job == "--child-wythe" => Some(Job::Wythe(directory.into())),
            [job, directory] if job == "--child-tenants" => Some(Job::Tenants(directory.into())),
            [job, directory] if job == "--child-idle" => Some(Job::Idle(directory.into())),
            [job, directory, count] if job == "--child-actors" => {
                Some(Job::Actors(directory.into(), count.parse().ok()?))
            }
            [job, directory] if job == "--child-jobs" => Some(Job::Jobs(directory.into())),
            [job, directory] if job == "--child-workflows" => {
                Some(Job::Workflows(directory.into()))
            }
            _ => None,
        }
    }

    pub fn run(self) -> Result<()> {
        end_with_parent();
        let runtime = measure::runtime()?;
        match self {
            Job::Hyper => runtime.block_on(hyper()),
            Job::Wythe(directory) => runtime.block_on(Project::at(&directory).serve()),
            Job::Tenants(directory) => runtime.block_on(tenants::host(&directory)),
            Job::Idle(directory) => runtime.block_on(idle::load(&directory)),
            Job::Actors(directory, count) => runtime.block_on(actors::idle(&directory, count)),
            Job::Jobs(directory) => runtime.block_on(jobs::first(&directory)),
            Job::Workflows(directory) => runtime.block_on(workflows::wait(&directory)),
        }
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        match self {
            Job::Hyper => command.arg("--child-hyper"),
            Job::Wythe(directory) => command.arg("--child-wythe").arg(directory),
            Job::Tenants(directory) => command.arg("--child-tenants").arg(directory),
            Job::Idle(directory) => command.arg("--child-idle").arg(directory),
            Job::Actors(directory, count) => command
                .arg("--child-actors")
                .arg(directory)
                .arg(count.to_string()),
            Job::Jobs(directory) => command.arg("--child-jobs").arg(directory),
            Job::Workflows(directory) => command.arg("--child-workflows").arg(directory),
        };
        Ok(command)
    }

    /// Starts a child and reads the first line that it says.
    pub fn start(&self) -> Result<(Process, String)> {
        let mut command = self.command()?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process(command.spawn().context("the benchmark starts itself")?);
        let output = process.0.stdout.take().context("a child has an output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        ensure!(
            !line.is_empty(),
            "a child ended before it was ready; see above"
        );
        Ok((process, line.trim().to_owned()))
    }

    pub fn serve(&self) -> Result<Server> {
        let (process, line) = self.start()?;
        let address = line
            .parse()
            .with_context(|| format!("no address: `{line}`"))?;
        Ok(Server { process, address })
    }
}

/// A child that ends when it is dropped.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A child that answers HTTP.
pub struct Server {
    pub process: Process,
    pub address: SocketAddr,
}

/// Starts this program again without RUST_BACKTRACE, with which every error that a library makes and drops walks the
/// stack, which is ten microseconds of a fresh instance; its children are without it too.
pub fn forget_backtraces(arguments: &[String]) -> Result<()> {
    const NAMES: [&str; 2] = ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE"];
    if NAMES.iter().all(|name| std::env::var_os(name).is_none()) {
        return Ok(());
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    for name in NAMES {
        command.env_remove(name);
    }
    Err(command.exec().into())
}

/// A benchmark that was killed leaves no servers behind: their input ends with it.
fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

/// The same answer as that of the guest `plain`, with nothing around it.
async fn hyper() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let service = service_fn(|_request| async {
        let mut response = http::Response::new(Full::new(Bytes::from_static(b"hello\n")));
        let text = http::HeaderValue::from_static("text/plain");
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, text);
        Ok::<_, Infallible>(response)
    });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Resident memory of this process in KiB, by a name of /proc/self/status.
pub fn resident(name: &str) -> u64 {
    let text = crate::machine::field("/proc/self/status", name);
    text.split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// A directory for projects, on the disk that the repository is on: /tmp may be memory.
pub fn scratch() -> Result<tempfile::TempDir> {
    let target = crate::guests::root().join("target");
    std::fs::create_dir_all(&target)?;
    tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(Path::new(&target))
        .context("a directory for the benchmark")
}
