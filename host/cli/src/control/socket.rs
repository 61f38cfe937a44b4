//! Commands over a Unix domain socket beside the data: one line of JSON in, one line of JSON out, only for its owner.

use super::{Answer, Command, execute};
use crate::report::{Outcome, Problem};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, ErrorKind},
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};
use wythe_blocks::Host;
use wythe_manifest::Name;

/// Bytes of a line: the largest value of a driver, in base64.
const LINE: u64 = 96 << 20;
/// A little longer than any command may take.
const PATIENCE: Duration = Duration::from_secs(65);
/// The kernel takes paths of at most so many bytes for a socket.
const PATH: usize = 100;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    Ok(Answer),
    Error { kind: String, message: String },
}

/// Where the host of this data directory listens.
pub fn path(data: &Path) -> PathBuf {
    data.join("control.sock")
}

/// A name of the socket that is short enough for the kernel; the file keeps it valid.
fn short(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok((path.to_owned(), None));
    };
    if path.as_os_str().len() <= PATH {
        return Ok((path.to_owned(), None));
    }
    let directory = File::open(directory)?;
    let descriptor = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
    Ok((descriptor.join(name), Some(directory)))
}

async fn connect(data: &Path) -> io::Result<UnixStream> {
    let (name, _directory) = short(&path(data))?;
    UnixStream::connect(name).await
}

/// Asks the host that runs with this data directory; none, if no host does.
pub async fn ask(data: &Path, command: &Command) -> Outcome<Option<Answer>> {
    let stream = match connect(data).await {
        Ok(stream) => stream,
        // A socket without a listener is what a host that was killed leaves behind.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => {
            let place = path(data);
            return Err(anyhow::Error::new(error)
                .context(format!("the host's socket {}", place.display()))
                .into());
        }
    };
    if !may(&stream, own()?) {
        return Err(Problem {
            kind: "denied".into(),
            ..Problem::new(format!(
                "{}: another user listens there, to whom nothing is sent; give the project a data directory of its own by \
                 `--data-dir`",
                path(data).display()
            ))
        }
        .into());
    }
    let reply = tokio::time::timeout(PATIENCE, exchange(stream, command));
    let reply = reply
        .await
        .context("the host that runs did not answer in time")?
        .context("the host that runs did not answer")?;
    match reply {
        Reply::Ok(answer) => Ok(Some(answer)),
        Reply::Error { kind, message } => Err(Problem {
            kind: kind.into(),
            ..Problem::new(message)
        }
        .into()),
    }
}

async fn exchange(mut stream: UnixStream, command: &Command) -> anyhow::Result<Reply> {
    let mut line = serde_json::to_vec(command)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut reply = Vec::new();
    BufReader::new(stream)
        .take(LINE)
        .read_until(b'\n', &mut reply)
        .await?;
    Ok(serde_json::from_slice(&reply)?)
}

/// Answers commands until the host stops, then removes the socket. The caller has made sure that no other host
/// has this data directory.
pub fn serve(host: &Arc<Host>, tenant: &Name, data: &Path) -> anyhow::Result<()> {
    let place = path(data);
    let (listener, owner) = bind(data).with_context(|| format!("{}", place.display()))?;
    let (host, tenant) = (host.clone(), tenant.clone());
    host.tasks.clone().spawn(async move {
        let stopping = host.tasks.stopping();
        loop {
            let stream = tokio::select! {
                () = stopping.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match stream {
                Ok((stream, _)) if may(&stream, owner) => {
                    let (home, tenant) = (host.clone(), tenant.clone());
                    host.tasks.spawn(async move {
                        // A client that went away needs no answer.
                        let _ = answer(&home, &tenant, stream).await;
                    });
                }
                Ok(_) => {
                    tracing::warn!("somebody else's connection to the control socket was refused")
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        let _ = fs::remove_file(place);
    });
    Ok(())
}

fn bind(data: &Path) -> io::Result<(UnixListener, u32)> {
    DirBuilder::new().recursive(true).mode(0o700).create(data)?;
    let place = path(data);
    match fs::remove_file(&place) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (name, _directory) = short(&place)?;
    let listener = UnixListener::bind(name)?;
    fs::set_permissions(&place, Permissions::from_mode(0o600))?;
    Ok((listener, fs::metadata(&place)?.uid()))
}

/// The user of this process.
fn own() -> anyhow::Result<u32> {
    let process = fs::metadata("/proc/self").context("the user of this process")?;
    Ok(process.uid())
}

/// For the host, the file's mode keeps others out, but not in the moment before it was set. For the command, whoever may
/// write the directory may listen there, and would hear what it says.
fn may(stream: &UnixStream, owner: u32) -> bool {
    stream
        .peer_cred()
        .is_ok_and(|peer| is_trusted(peer.uid(), owner))
}

/// The same user, or root, who may do everything anyway.
fn is_trusted(peer: u32, owner: u32) -> bool {
    peer == owner || peer == 0
}

async fn answer(host: &Host, tenant: &Name, mut stream: UnixStream) -> io::Result<()> {
    let stopping = host.tasks.stopping();
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut read).take(LINE);
        let got = tokio::select! {
            () = stopping.cancelled() => return Ok(()),
            got = limited.read_until(b'\n', &mut line) => got?,
        };
        if got == 0 {
            return Ok(());
        }
        let mut reply = serde_json::to_vec(&reply(host, tenant, &line).await)?;
        reply.push(b'\n');
        write.write_all(&reply).await?;
    }
}

async fn reply(host: &Host, tenant: &Name, line: &[u8]) -> Reply {
    let command = match serde_json::from_slice(line) {
        Ok(command) => command,
        Err(error) => {
            return Reply::Error {
                kind: "invalid".into(),
                message: format!(
                    "the command is not understood: {error}; is the host of another version?"
                ),
            };
        }
    };
    match execute(host, tenant, command).await {
        Ok(answer) => Reply::Ok(answer),
        Err(error) => Reply::Error {
            kind: error.kind().as_str().to_owned(),
            message: error.message().to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Action, State};

    #[tokio::test]
    async fn answers_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        // Longer than the kernel takes for a socket.
        let data = directory.path().join("a".repeat(120));
        assert!(
            ask(&data, &Command::Ping).await.unwrap().is_none(),
            "nobody is there"
        );
        let host = Arc::new(Host::default());
        serve(&host, &"default".parse().unwrap(), &data).unwrap();
        let mode = fs::metadata(path(&data)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        let answer = ask(&data, &Command::Ping).await.unwrap();
        assert!(matches!(answer, Some(Answer::Pong { .. })), "{answer:?}");
        let (component, app) = ("s".into(), "a".into());
        let action = Action::Get { key: "k".into() };
        let failure = ask(
            &data,
            &Command::State(State {
                component,
                app,
                action,
            }),
        )
        .await
        .unwrap_err();
        assert_eq!(failure.0[0].message, "no state component `s` for app `a`");
        assert_eq!(failure.0[0].kind, "not-found");
        assert!(host.close(Duration::from_secs(5)).await);
        assert!(!path(&data).exists());
    }

    #[test]
    fn only_the_same_user_and_root_are_trusted() {
        assert!(is_trusted(1_000, 1_000) && is_trusted(0, 1_000));
        assert!(!is_trusted(65_534, 0), "root tells another user nothing");
        assert!(!is_trusted(1_001, 1_000));
    }

    #[tokio::test]
    async fn a_socket_of_a_host_that_was_killed_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        drop(std::os::unix::net::UnixListener::bind(path(directory.path())).unwrap());
        let asked = ask(directory.path(), &Command::Ping).await.unwrap();
        assert!(asked.is_none(), "nobody listens");
        let host = Arc::new(Host::default());
        serve(&host, &"default".parse().unwrap(), directory.path()).unwrap();
        assert!(
            ask(directory.path(), &Command::Ping)
                .await
                .unwrap()
                .is_some()
        );
        host.close(Duration::from_secs(5)).await;
    }
}
