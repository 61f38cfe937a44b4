//! The surroundings of a host that fail: a disk that is full, a log that nobody reads, a directory of somebody else.

use crate::{case, crash::command};
use anyhow::{Context, Result, ensure};
use host_tests::{Project, client, request};
use http::Method;
use libtest_mimic::Trial;
use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Guards against what never comes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that a file of the host may have while its disk is "full". A signal at the limit is ignored, so that a write
/// beyond it fails, as on a full disk.
const FULL: u64 = 6 << 20;
const VALUE: usize = 256 << 10;

const APPS: &str = "\
  - appID: hello
    guest: hello.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("edges::a_store_opens_again_when_the_disk_has_room", full),
        case("edges::a_log_without_a_reader_ends_nothing", unread),
        case("edges::a_reader_that_does_not_read_holds_nothing_up", slow),
        case(
            "edges::directories_that_others_write_to_are_refused",
            open_to_all,
        ),
        case("edges::names_of_files_move_no_cursor", names),
    ]
}

/// A host in a process of its own.
struct Host {
    child: Child,
    ready: serde_json::Value,
}

impl Host {
    fn start(mut command: Command, project: &Project) -> Result<Self> {
        let mut child = command
            .args(["run", "--no-build", "--listen", "127.0.0.1:0"])
            .args(["--metrics", "127.0.0.1:0", "-o", "json"])
            .arg(project.path())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
        let ready = serde_json::from_str(&line).context("it did not start")?;
        Ok(Host { child, ready })
    }

    async fn get(&self, address: &str, path: &str) -> Result<(u16, String)> {
        let address = self.ready[address].as_str().context("an address")?;
        let url = format!("http://{address}{path}");
        let client = client();
        let asked = request(&client, Method::GET, &url, &[], "");
        let answer = tokio::time::timeout(PATIENCE, asked).await??;
        Ok((answer.status, answer.text()))
    }

    /// Asks for the health until its status is as expected.
    async fn becomes(&self, status: u16) -> Result<String> {
        let health = async {
            loop {
                let health = self.get("metrics", "/readyz").await?;
                if health.0 == status {
                    return Ok(health.1);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, health).await?
    }

    fn signal(&self, signal: rustix::process::Signal) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    /// Its end, within bounds.
    async fn ended(&mut self) -> Result<Option<i32>> {
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait()? {
                    return Ok(status.code());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended)
            .await
            .context("it does not end")?
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command by a shell that ignores the signal of a file that would grow beyond its limit.
fn bounded() -> Command {
    let own = command();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    shell.arg(own.get_program());
    let variables = own.get_envs();
    shell.envs(variables.filter_map(|(name, value)| Some((name, value?))));
    shell
}

fn limit(host: &Host, bytes: Option<u64>) -> Result<()> {
    let pid = rustix::process::Pid::from_child(&host.child);
    let limit = rustix::process::Rlimit {
        current: bytes,
        maximum: None,
    };
    let resource = rustix::process::Resource::Fsize;
    rustix::process::prlimit(Some(pid), resource, limit)?;
    Ok(())
}

fn value(number: usize) -> String {
    format!("{number}-").repeat(VALUE / 4)
}

/// Writes a value through the host that runs; false where it was not acknowledged.
fn set(project: &Project, number: usize) -> Result<bool> {
    let mut child = command()
        .args([
            "state",
            "set",
            "statestore",
            &format!("key-{number}"),
            "-",
            "--project",
        ])
        .arg(project.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut input = child.stdin.take().context("no stdin")?;
    std::io::Write::write_all(&mut input, value(number).as_bytes())?;
    drop(input);
    Ok(child.wait()?.success())
}

fn get(project: &Project, number: usize) -> Result<String> {
    let output = command()
        .args([
            "state",
            "get",
            "statestore",
            &format!("key-{number}"),
            "--project",
        ])
        .arg(project.path())
        .output()?;
    Ok(String::from_utf8(output.stdout)?)
}

async fn full() -> Result<()> {
    let project = Project::new(APPS);
    let host = Host::start(bounded(), &project)?;
    ensure!(host.becomes(200).await? == "ok\n");
    limit(&host, Some(FULL))?;
    let mut stored = 0;
    while set(&project, stored)? {
        stored += 1;
        ensure!(stored < 200, "the disk is never full");
    }
    let health = host.becomes(503).await?;
    ensure!(health.contains("`statestore`"), "{health}");
    ensure!(!health.contains("`pubsub`"), "{health}");
    limit(&host, None)?;
    host.becomes(200).await?;
    ensure!(set(&project, stored)?, "it writes again");
    for number in 0..=stored {
        ensure!(get(&project, number)? == value(number), "key-{number}");
    }
    Ok(())
}

/// A host whose log has no reader any more still logs, answers, and ends when it is told to.
async fn unread() -> Result<()> {
    let project = Project::new(
        "  - appID: hostile\n    guest: hostile.wasm\n    ingress: /\n    grants: { state: [statestore], publish: [pubsub/open], invoke: [hostile], http: [\"api.example.com\"] }\n",
    );
    let mut command = command();
    command.stderr(Stdio::piped());
    let mut host = Host::start(command, &project)?;
    drop(host.child.stderr.take());
    for _ in 0..3 {
        let (status, text) = host.get("address", "/log-flood?mib=1").await?;
        ensure!(status == 200, "{text}");
        let (status, _) = host.get("address", "/trap").await?;
        ensure!(status == 502);
    }
    ensure!(host.get("metrics", "/healthz").await?.0 == 200);
    host.signal(rustix::process::Signal::TERM)?;
    ensure!(host.ended().await? == Some(0));
    Ok(())
}

/// More than a pipe takes is logged, and nobody reads a byte of it.
async fn slow() -> Result<()> {
    let project = Project::new(
        "  - appID: hostile\n    guest: hostile.wasm\n    ingress: /\n    limits: { logBytesPerSecond: 64MiB }\n    grants: { state: [statestore], publish: [pubsub/open], invoke: [hostile], http: [\"api.example.com\"] }\n",
    );
    let mut command = command();
    command.stderr(Stdio::piped());
    let mut host = Host::start(command, &project)?;
    let mut unread = host.child.stderr.take().context("no stderr")?;
    for _ in 0..2 {
        let (status, text) = host.get("address", "/log-flood?mib=8").await?;
        ensure!(status == 200, "{text}");
    }
    host.signal(rustix::process::Signal::TERM)?;
    ensure!(host.ended().await? == Some(0));
    unread.read_exact(&mut [0; 1])?;
    Ok(())
}

async fn open_to_all() -> Result<()> {
    for (directory, what) in [("data", "data"), ("compiled", "cache")] {
        let project = Project::new(APPS);
        let place = project.path().join(directory);
        fs::create_dir(&place)?;
        fs::set_permissions(&place, Permissions::from_mode(0o777))?;
        for verb in ["run", "state"] {
            let mut command = command();
            match verb {
                "run" => command.args(["run", "--no-build"]).arg(project.path()),
                _ => command
                    .args(["state", "list", "statestore", "--project"])
                    .arg(project.path()),
            };
            let output = command
                .arg("--data-dir")
                .arg(project.path().join("data"))
                .env("WYTHE_CACHE_DIR", project.path().join("compiled"))
                .output()?;
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            ensure!(!output.status.success(), "{verb} {what}");
            ensure!(words.contains(&format!("the {what} directory")), "{words}");
            ensure!(words.contains("chmod go-w"), "{words}");
        }
    }
    Ok(())
}

async fn names() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("a\x1b[2Jb.wasm");
    fs::write(&file, "no wasm")?;
    let output = command().arg("inspect").arg(&file).output()?;
    ensure!(!output.stderr.contains(&0x1b));
    fs::write(&file, wat::parse_str("(component)")?)?;
    let output = command().arg("inspect").arg(&file).output()?;
    ensure!(output.status.success() && !output.stdout.contains(&0x1b));
    Ok(())
}
