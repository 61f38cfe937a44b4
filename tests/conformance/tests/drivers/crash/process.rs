//! The child: how it is told what to do, what it says, and its end.

use anyhow::{Context, Result, bail};
use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

const VARIABLE: &str = "WYTHE_CRASH_WRITER";
const FIRST: Duration = Duration::from_secs(20);

/// An order to a child: what it is to write, and where.
pub(super) struct Order {
    pub kind: String,
    /// The first number to write; numbers grow over all cycles.
    pub start: u64,
    pub directory: PathBuf,
}

impl Order {
    pub(super) fn read() -> Result<Option<Order>> {
        let Ok(text) = env::var(VARIABLE) else {
            return Ok(None);
        };
        let mut parts = text.splitn(3, ' ');
        let (Some(kind), Some(start), Some(directory)) = (parts.next(), parts.next(), parts.next())
        else {
            bail!("`{VARIABLE}` is `{text}`; expected kind, number and directory");
        };
        Ok(Some(Order {
            kind: kind.into(),
            start: start.parse()?,
            directory: directory.into(),
        }))
    }
}

/// Says a line to the parent; once this returns it is said, whatever happens.
pub(super) fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())?;
    Ok(out.flush()?)
}

/// Runs a child until some time after its first line, kills it, and returns all complete lines.
pub(super) fn run_and_kill(
    kind: &str,
    start: u64,
    directory: &Path,
    life: Duration,
) -> Result<Vec<String>> {
    let mut child = Command::new(env::current_exe()?)
        .env(VARIABLE, format!("{kind} {start} {}", directory.display()))
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = read(&mut child)?;
    let first = lines.recv_timeout(FIRST);
    if first.is_ok() {
        thread::sleep(life);
    }
    // SIGKILL: the child can do nothing about it.
    child.kill()?;
    child.wait()?;
    let first = first.context("the child said nothing")?;
    Ok(std::iter::once(first).chain(lines).collect())
}

/// Reads on while the child runs, so that it never waits for the pipe.
fn read(child: &mut Child) -> Result<Receiver<String>> {
    let mut out = BufReader::new(child.stdout.take().context("the child has a stdout")?);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        while out.read_line(&mut line).is_ok_and(|count| count > 0) {
            // The last line may be cut off: it was never said.
            let Some(said) = line.strip_suffix('\n') else {
                return;
            };
            if sender.send(said.to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    Ok(receiver)
}
