//! The tenant's side: this program, started again, shuts itself in and then serves one tenant as the host does many.

use super::{MAX_ORDERS, Orders, VERB, sandbox};
use crate::{
    args,
    boot::Ground,
    control,
    live::{root::Root, watch},
    log,
    report::{self, Problem},
    serve, signals, traces, workers,
};
use std::{
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    process::{ExitCode, exit},
    sync::Arc,
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wythe_blocks::{Host, descriptors};
use wythe_manifest::{HOST_FILE, HostFile, Name, Terms};

/// The time for the orders to come.
const ORDERS: Duration = Duration::from_secs(30);
/// The time between two beats.
const BEAT: Duration = Duration::from_secs(1);

/// Serves a tenant, where that is what this process was started for.
#[expect(clippy::disallowed_methods, reason = "the command reads its arguments")]
pub fn work() -> Option<ExitCode> {
    if std::env::args().nth(1)? != VERB {
        return None;
    }
    Some(match Child::enter() {
        Ok(child) => child.serve(),
        Err(words) => {
            report::note(&words);
            ExitCode::FAILURE
        }
    })
}

/// A tenant's process behind its walls.
struct Child {
    orders: Orders,
    tenant: Name,
    file: HostFile,
    leash: UnixStream,
    control: UnixListener,
    apps: UnixListener,
}

impl Child {
    /// Takes the descriptors and the orders, and shuts this process in. No other thread runs yet.
    fn enter() -> Result<Self, String> {
        let misled = |error: io::Error| format!("this verb is for the host alone: {error}");
        let (control, apps) = listeners().map_err(misled)?;
        // First: a host that ends before it has given its orders takes this process with it.
        let kill = Some(rustix::process::Signal::KILL);
        rustix::process::set_parent_process_death_signal(kill)
            .map_err(|error| misled(error.into()))?;
        let (leash, orders) = orders(&control).map_err(misled)?;
        let tenant: Name = orders.tenant.parse().map_err(|error| format!("{error}"))?;
        let (file, problems) = wythe_manifest::parse_host_file(&orders.file, &file_of(&orders));
        if problems.has_errors() {
            return Err(format!("the operator's file is wrong: {problems}"));
        }
        let terms: Terms = file.terms(&tenant);
        alone().map_err(misled)?;
        sandbox::enter(&orders, &terms)?;
        Ok(Child {
            orders,
            tenant,
            file,
            leash,
            control,
            apps,
        })
    }

    fn serve(self) -> ExitCode {
        // The host logs each request before it passes it on.
        if let Err(problem) = log::start(&self.orders.common(), false) {
            report::note(&problem);
            return ExitCode::FAILURE;
        }
        let served = match workers() {
            Ok(runtime) => runtime.block_on(self.run()),
            Err(error) => Err(error),
        };
        let code = match served {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                report::note(&format!("{error:#}"));
                ExitCode::FAILURE
            }
        };
        log::flush();
        code
    }

    async fn run(self) -> anyhow::Result<()> {
        descriptors::raise();
        let shutdown = signals::drain(serve::LIMIT)?;
        let ground = Ground::new(&self.orders.data).map_err(joined)?;
        let host = ground.host.clone();
        // Standard output is a listener.
        let traces = traces::start(self.file.tracing.as_ref(), traces::Out::Log);
        let traces = traces.map_err(|failure| joined(failure.0))?;
        let listen = |listener: UnixListener| {
            listener.set_nonblocking(true)?;
            tokio::net::UnixListener::from_std(listener)
        };
        let (control, apps) = (listen(self.control)?, listen(self.apps)?);
        control::answer(
            &host,
            &self.orders.data,
            (control, self.orders.host),
            &shutdown,
        );
        let common = self.orders.common();
        let root = Root::of_one(&common, ground, &self.orders.root, self.file, self.tenant);
        let root = Arc::new(root);
        self.leash.set_nonblocking(true)?;
        let leash = tokio::net::UnixStream::from_std(self.leash)?;
        if shutdown
            .run_until_cancelled(watch::first(&root))
            .await
            .is_some()
        {
            watch::start(root, &self.orders.root, &host);
            serve::sweep(&host);
            beat(leash, &host);
        }
        let audience = args::audience(self.orders.dev);
        let complete = serve::serve_forwarded(&host, audience, apps, shutdown).await;
        traces.close().await;
        if !complete {
            tracing::warn!("some work did not end in time and was cut short");
        }
        Ok(())
    }
}

/// Problems as one error.
fn joined(problems: Vec<Problem>) -> anyhow::Error {
    let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
    anyhow::anyhow!(all.join("; "))
}

/// Another thread would stay outside of the walls.
fn alone() -> io::Result<()> {
    match std::fs::read_dir("/proc/self/task")?.count() {
        1 => Ok(()),
        threads => Err(io::Error::other(format!("{threads} threads; expected one"))),
    }
}

fn file_of(orders: &Orders) -> std::path::PathBuf {
    let root = orders.root.strip_prefix(".").unwrap_or(&orders.root);
    root.join(HOST_FILE)
}

/// The listeners of commands and of requests. They have other numbers from now on, so that they close where they are dropped.
fn listeners() -> io::Result<(UnixListener, UnixListener)> {
    let own = |descriptor: io::Result<OwnedFd>| descriptor.map(UnixListener::from);
    let control = own(io::stdin().as_fd().try_clone_to_owned())?;
    let apps = own(io::stdout().as_fd().try_clone_to_owned())?;
    apps.local_addr()?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    Ok((control, apps))
}

fn orders(control: &UnixListener) -> io::Result<(UnixStream, Orders)> {
    let (mut leash, _) = control.accept()?;
    leash.set_read_timeout(Some(ORDERS))?;
    let mut length = [0; 8];
    leash.read_exact(&mut length)?;
    let length = u64::from_be_bytes(length);
    if length > MAX_ORDERS {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = Vec::new();
    (&leash).take(length).read_to_end(&mut text)?;
    Ok((leash, serde_json::from_slice(&text)?))
}

/// Tells the host each second that this process lives, and for how long its answers may wait. A host that is gone is not
/// outlived.
#[expect(
    clippy::disallowed_methods,
    reason = "there is nobody any more for whom anything could be settled"
)]
fn beat(leash: tokio::net::UnixStream, host: &Arc<Host>) {
    let (mut read, mut write) = leash.into_split();
    let (routes, stopping) = (host.routes().clone(), host.tasks().stopping());
    host.tasks().spawn(async move {
        let beats = async {
            let mut every = tokio::time::interval(BEAT);
            loop {
                every.tick().await;
                let stall = wythe_blocks::time::milliseconds(routes.stall_time());
                if write.write_u64(stall).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            // It ends as it was told to.
            () = stopping.cancelled() => return,
            () = beats => {}
            _ = read.read_u8() => {}
        }
        exit(1);
    });
}
