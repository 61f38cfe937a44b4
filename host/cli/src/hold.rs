//! The hold of a data directory: one process at a time has its stores open, and others wait for it or ask it.

use crate::{
    private,
    report::{Failure, Outcome, Problem},
};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

/// Time for a command that has the stores open to end, or for a host to start.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(50);
const NAME: &str = "lock";

/// The directory is this process's until this is dropped, or the process ends.
pub struct Hold {
    _file: File,
}

/// The end of a wait for the hold.
pub enum Waited<T> {
    Held(Hold),
    /// The host that had it answered meanwhile.
    Answered(T),
}

/// Waits for the hold, 30 s at most, and asks the host whenever it is another's.
pub async fn wait<T>(data: &Path, ask: impl AsyncFn() -> Outcome<Option<T>>) -> Outcome<Waited<T>> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await? {
            return Ok(Waited::Answered(answer));
        }
        if let Some(hold) = Hold::take(data)? {
            return Ok(Waited::Held(hold));
        }
        if begun.elapsed() > PATIENCE {
            return Err(busy(data));
        }
        tokio::time::sleep(LOOK).await;
    }
}

impl Hold {
    /// Takes the hold; none where another process has it.
    fn take(data: &Path) -> Outcome<Option<Self>> {
        private::check(data, "data")?;
        let mut file = open(data).map_err(|error| failed(data, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed(data, &error)),
        }
        // Who has it, for the message of those that wait.
        let _ = file.set_len(0);
        let _ = write!(file, "{}", std::process::id());
        Ok(Some(Hold { _file: file }))
    }
}

/// Says that the directory stayed another process's.
fn busy(data: &Path) -> Failure {
    let mut pid = String::new();
    let shown = File::open(data.join(NAME)).and_then(|file| file.take(20).read_to_string(&mut pid));
    let is_known =
        shown.is_ok() && !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    let who = match is_known {
        true => format!("another `wythe` (pid {pid})"),
        false => "another `wythe`".to_owned(),
    };
    let message = format!(
        "the data directory `{}` is in use by {who}, which does not answer; wait for it or stop it, or name another by `--data-dir`",
        data.display()
    );
    Problem {
        kind: "unavailable".into(),
        ..Problem::new(message)
    }
    .into()
}

fn open(data: &Path) -> std::io::Result<File> {
    private::make(data)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600);
    options.open(data.join(NAME))
}

fn failed(data: &Path, error: &std::io::Error) -> Failure {
    let place = data.join(NAME);
    Problem::new(format!("the lock `{}`: {error}", place.display())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_has_it_until_it_is_dropped() {
        let temporary = tempfile::tempdir().unwrap();
        let data = temporary.path().join("a/data");
        let held = Hold::take(&data).ok().flatten().expect("nobody has it");
        assert!(Hold::take(&data).is_ok_and(|other| other.is_none()));
        let shown = format!("{:?}", busy(&data));
        assert!(
            shown.contains(&format!("(pid {})", std::process::id())),
            "{shown}"
        );
        let answered = wait(&data, async || Ok(Some(7))).await;
        assert!(matches!(answered, Ok(Waited::Answered(7))));
        drop(held);
        let waited = wait(&data, async || Ok(None::<()>)).await;
        assert!(matches!(waited, Ok(Waited::Held(_))));
    }
}
