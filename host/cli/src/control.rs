//! The control socket of a data directory: bound for the host that runs, and asked by the commands.

use crate::{
    private,
    report::{Outcome, Problem},
};
use anyhow::Context;
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
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use wythe_api::admin::{self, Answer, Command, MAX, Refusal, client, host::House, is_trusted};
use wythe_blocks::Host;

/// A time a little longer than any command may take.
const PATIENCE: Duration = Duration::from_secs(65);
/// The kernel takes paths of at most so many bytes for a socket.
const PATH: usize = 100;

/// The socket on which the host of this data directory listens.
pub fn path(data: &Path) -> PathBuf {
    data.join("control.sock")
}

/// A name of a socket that is short enough for the kernel; the file keeps it valid.
pub fn short(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
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
    ask_of(data, None, command).await
}

/// Does what `ask` does, of one tenant of the host.
pub async fn ask_of(
    data: &Path,
    tenant: Option<&str>,
    command: &Command,
) -> Outcome<Option<Answer>> {
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
    if !is_trusted(&stream, own()?) {
        return Err(strangers(data).into());
    }
    let request = client::request(tenant, command).map_err(Problem::from)?;
    let reply = tokio::time::timeout(PATIENCE, client::exchange(stream, request, MAX));
    let reply = reply
        .await
        .context("the host that runs did not answer in time")?
        .context("the host that runs did not answer")?;
    match reply {
        Ok(answer) => Ok(Some(answer)),
        Err(Refusal { error, message }) => Err(Problem {
            kind: error.into(),
            ..Problem::new(message)
        }
        .into()),
    }
}

/// The problem of a socket that somebody else made.
fn strangers(data: &Path) -> Problem {
    Problem {
        kind: "denied".into(),
        ..Problem::new(format!(
            "{}: another user listens there, to whom nothing is sent; give the project a data directory of its own by \
             `--data-dir`",
            path(data).display()
        ))
    }
}

/// Answers commands until the host stops, then removes the socket. The caller has made sure that no other host
/// has this data directory.
pub fn serve(host: &Arc<Host>, data: &Path, stop: &CancellationToken) -> anyhow::Result<()> {
    let socket = path(data);
    let (listener, owner) = bind(data).with_context(|| format!("{}", socket.display()))?;
    let commands = commands(host, data, (listener, owner), stop);
    host.tasks().spawn(async move {
        commands.await;
        let _ = fs::remove_file(socket);
    });
    Ok(())
}

/// Answers commands of `owner` on a listener that is somebody else's, until the host stops.
pub fn answer(
    host: &Arc<Host>,
    data: &Path,
    listener: (UnixListener, u32),
    stop: &CancellationToken,
) {
    host.tasks().spawn(commands(host, data, listener, stop));
}

fn commands(
    host: &Arc<Host>,
    data: &Path,
    (listener, owner): (UnixListener, u32),
    stop: &CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let house = House {
        host: host.clone(),
        data: data.join("data"),
        stop: stop.clone(),
    };
    admin::serve(house, listener, owner)
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

#[cfg(test)]
mod tests;
