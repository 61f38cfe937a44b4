//! Commands over a Unix domain socket beside the data: one line of JSON in, one line of JSON out, only for its owner.

use super::{
    Answer, Command, execute,
    line::{self, End, Memory},
};
use crate::{
    private,
    report::{Outcome, Problem},
};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, Permissions},
    io::{self, ErrorKind},
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Host,
    connections::{Allowed, Connections, Place},
};
use wythe_manifest::Name;

/// Connections at once: each is one command of one person.
const CONNECTIONS: usize = 16;
/// Time for a client to read its answer.
const WRITE: Duration = Duration::from_secs(10);
/// Time for the same when the host stops.
const GRACE: Duration = Duration::from_millis(500);
/// A time a little longer than any command may take.
const PATIENCE: Duration = Duration::from_secs(65);
/// The kernel takes paths of at most so many bytes for a socket.
const PATH: usize = 100;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    Ok(Answer),
    Error { kind: String, message: String },
}

/// The socket on which the host of this data directory listens.
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
        .take(line::MAX as u64)
        .read_until(b'\n', &mut reply)
        .await?;
    Ok(serde_json::from_slice(&reply)?)
}

/// Answers commands until the host stops, then removes the socket. The caller has made sure that no other host
/// has this data directory.
pub fn serve(host: &Arc<Host>, tenant: &Name, data: &Path) -> anyhow::Result<()> {
    let socket = path(data);
    let (listener, owner) = bind(data).with_context(|| format!("{}", socket.display()))?;
    let connections = Connections::new("control socket", Allowed::unshared(CONNECTIONS));
    let memory = Memory::new(line::ALL);
    let (host, tenant) = (host.clone(), tenant.clone());
    host.tasks.clone().spawn(async move {
        let stopping = host.tasks.stopping();
        loop {
            let (stream, _, place) = tokio::select! {
                () = stopping.cancelled() => break,
                accepted = connections.accept(&listener) => accepted,
            };
            if !may(&stream, owner) {
                tracing::warn!("somebody else's connection to the control socket was refused");
                continue;
            }
            let client = Client {
                host: host.clone(),
                tenant: tenant.clone(),
                memory: memory.clone(),
                place,
            };
            host.tasks.spawn(client.serve(stream));
        }
        let _ = fs::remove_file(socket);
    });
    Ok(())
}

fn bind(data: &Path) -> io::Result<(UnixListener, u32)> {
    private::make(data)?;
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

/// Says whether the other end is trusted. For the host, the file's mode keeps others out, but not in the moment before
/// it was set. For the command, whoever may write the directory may listen there, and would hear what it says.
fn may(stream: &UnixStream, owner: u32) -> bool {
    stream
        .peer_cred()
        .is_ok_and(|peer| is_trusted(peer.uid(), owner))
}

/// The same user, or root, who may do everything anyway.
fn is_trusted(peer: u32, owner: u32) -> bool {
    peer == owner || peer == 0
}

/// One connection, with its place among those at once.
struct Client {
    host: Arc<Host>,
    tenant: Name,
    memory: Memory,
    place: Place,
}

impl Client {
    async fn serve(self, stream: UnixStream) {
        let stopping = self.host.tasks.stopping();
        tokio::select! {
            () = stopped(&stopping) => {}
            () = self.place.evicted() => {}
            () = self.place.idled() => {}
            // A client that went away needs no answer.
            _ = self.answer(stream) => {}
        }
    }

    async fn answer(&self, mut stream: UnixStream) -> io::Result<()> {
        let stopping = self.host.tasks.stopping();
        let (read, mut write) = stream.split();
        let mut read = BufReader::new(read);
        loop {
            let got = tokio::select! {
                () = stopping.cancelled() => return Ok(()),
                got = line::read(&mut read, &self.memory) => got?,
            };
            let _work = self.place.work();
            let command = match got {
                Ok(line) => line,
                Err(End::Closed) => return Ok(()),
                Err(end) => return send(&mut write, &refusal(&end)).await,
            };
            let reply = self.reply(&command.text).await;
            drop(command);
            let reply = serde_json::to_vec(&reply)?;
            match self.memory.hold(reply.len()) {
                Some(_held) => send(&mut write, &reply).await?,
                None => send(&mut write, &refusal(&End::Full)).await?,
            }
        }
    }

    async fn reply(&self, line: &[u8]) -> Reply {
        let command = match serde_json::from_slice(line) {
            Ok(command) => command,
            Err(error) => {
                return Reply::invalid(format!(
                    "the command is not understood: {error}; is the host of another version?"
                ));
            }
        };
        match execute(&self.host, &self.tenant, command).await {
            Ok(answer) => Reply::Ok(answer),
            Err(error) => Reply::Error {
                kind: error.kind().as_str().to_owned(),
                message: error.message().to_owned(),
            },
        }
    }
}

/// Returns a moment after the host began to stop: an answer that is ready may still go.
async fn stopped(stopping: &CancellationToken) {
    stopping.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

async fn send(write: &mut (impl AsyncWrite + Unpin), reply: &[u8]) -> io::Result<()> {
    let written = tokio::time::timeout(WRITE, async {
        write.write_all(reply).await?;
        write.write_all(b"\n").await
    });
    written.await?
}

/// The answer to a command that was not read.
fn refusal(end: &End) -> Vec<u8> {
    let reply = match end {
        End::TooLong => Reply::invalid(format!("the command has more than {} bytes", line::MAX)),
        _ => Reply::Error {
            kind: "exhausted".into(),
            message: format!(
                "the commands and answers under way have {} bytes in all; try again in a moment",
                line::ALL
            ),
        },
    };
    serde_json::to_vec(&reply).unwrap_or_default()
}

impl Reply {
    fn invalid(message: String) -> Self {
        let kind = "invalid".into();
        Reply::Error { kind, message }
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

    #[tokio::test(start_paused = true)]
    async fn connections_are_few_and_none_is_idle_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let host = Arc::new(Host::default());
        serve(&host, &"default".parse().unwrap(), directory.path()).unwrap();
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS * 2 {
            silent.push(connect(directory.path()).await.unwrap());
        }
        let asked = ask(directory.path(), &Command::Ping).await.unwrap();
        assert!(matches!(asked, Some(Answer::Pong { .. })), "{asked:?}");
        for mut stream in silent {
            let mut end = Vec::new();
            // Closed to make room, or because its time was over.
            let ended = tokio::time::timeout(PATIENCE * 10, stream.read_to_end(&mut end));
            assert!(ended.await.is_ok() && end.is_empty(), "{end:?}");
        }
        assert!(host.close(Duration::from_secs(5)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_does_not_stay() {
        let directory = tempfile::tempdir().unwrap();
        let host = Arc::new(Host::default());
        serve(&host, &"default".parse().unwrap(), directory.path()).unwrap();
        let mut stream = connect(directory.path()).await.unwrap();
        // Each unknown command is quoted in an answer, until nothing more fits into the socket.
        let ended = async {
            loop {
                if stream.write_all(b"\"unknown\"\n").await.is_err() {
                    return;
                }
            }
        };
        assert!(tokio::time::timeout(PATIENCE * 10, ended).await.is_ok());
        assert!(host.close(Duration::from_secs(5)).await);
    }
}
