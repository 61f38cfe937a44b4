//! The host's side of a tenant's process: it is started, listened to, started again when it ended by itself, and told to end.

use super::{
    MAX_ORDERS, Orders, VERB,
    given::{Sockets, variables},
    relay::{self, Last},
    spawn::{self, Started},
    users,
};
use crate::{
    args::{Common, LogFormat},
    boot::Ground,
    compiler,
    report::Problem,
    serve,
};
use std::{
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::watch,
};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{Backoff, Notice, Process, ProcessState};
use wythe_manifest::{HostFile, Metered, Name, Same, Terms};

/// The pause before the first new start, and the longest one.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(60));
/// A process that served for so long has not failed to start.
const LASTING: Duration = Duration::from_secs(60);
/// The time to the first beat: a process looks for 10 s at most before it serves, and this machine may be busy.
const START: Duration = Duration::from_secs(60);
/// The time for one beat: a process that sends more of them waits.
const BEAT: Duration = Duration::from_millis(500);
/// The longest silence after that; a beat comes each second.
const SILENCE: Duration = Duration::from_secs(20);
/// The time to end when the host stops: its requests have ended before, and it waits for 5 s in all.
const STOP: Duration = Duration::from_secs(4);
/// The time from the end of the leash to that of the process, which closes its tenant in between.
const ENDING: Duration = Duration::from_secs(6);

/// The process of a tenant, for as long as that is to run in one.
pub struct Supervisor {
    process: Arc<Process>,
    terms: Arc<Terms>,
    stop: CancellationToken,
    phase: watch::Receiver<Phase>,
}

/// The state of the process, for whoever waits for it.
#[derive(Clone, Debug)]
enum Phase {
    Starting,
    Serving,
    Down(String),
    /// The end: nothing of it is left.
    Over,
}

impl Supervisor {
    /// Starts the process of a tenant, which has the ways in of its terms from now on.
    pub fn start(
        (common, ground): (&Common, &Ground),
        (root, dev): (&Path, bool),
        file: &HostFile,
        terms: Arc<Terms>,
    ) -> Result<Self, Problem> {
        let sockets = Sockets::new(&ground.data, &terms.tenant)?;
        let orders = orders((common, ground), (root, dev), file, &terms)?;
        let process = Process::new(
            terms.tenant.clone(),
            sockets.apps.clone(),
            sockets.control.clone(),
            places(&terms),
        );
        ground
            .host
            .set_process(&terms.tenant, Some(process.clone()));
        let (reported, phase) = watch::channel(Phase::Starting);
        let stop = ground.host.tasks().stopping().child_token();
        let lifecycle = Lifecycle {
            ground: ground.clone(),
            format: common.log_format,
            users: file.users,
            variables: variables(
                &terms,
                &super::own_data(&ground.data, terms.tenant.as_str()),
            ),
            stop: stop.clone(),
            orders,
            sockets,
            process: process.clone(),
            reported,
        };
        ground.host.tasks().spawn(lifecycle.follow());
        Ok(Supervisor {
            process,
            terms,
            stop,
            phase,
        })
    }

    /// Returns whether it runs under these terms, and was not told to end.
    pub fn is_under(&self, terms: &Terms) -> bool {
        self.terms.is_same(terms) && !self.stop.is_cancelled()
    }

    /// Waits until the process serves, or has ended by itself.
    pub async fn ready(&mut self) -> Result<(), Problem> {
        let tenant = &self.terms.tenant;
        let settled = self
            .phase
            .wait_for(|phase| !matches!(phase, Phase::Starting));
        let why = match settled.await.as_deref() {
            Ok(Phase::Serving) => return Ok(()),
            Ok(Phase::Down(why)) => why.clone(),
            _ => "was told to end".to_owned(),
        };
        let kind = "unavailable".into();
        let message = down(tenant, &why);
        Err(Problem {
            kind,
            ..Problem::new(message)
        })
    }

    /// Tells the process to end, and waits until nothing of it is left.
    pub async fn stop(&mut self) {
        self.process.set(ProcessState::Starting);
        self.stop.cancel();
        let over = self.phase.wait_for(|phase| matches!(phase, Phase::Over));
        // An error means the same: nobody has it any more.
        let _ = over.await;
    }
}

/// A tenant that is given up takes its process with it.
impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The orders as they are sent.
fn orders(
    (common, ground): (&Common, &Ground),
    (root, dev): (&Path, bool),
    file: &HostFile,
    terms: &Terms,
) -> Result<Vec<u8>, Problem> {
    let orders = Orders {
        tenant: terms.tenant.to_string(),
        root: root.to_owned(),
        file: file.text.to_string(),
        data: ground.data.clone(),
        host: rustix::process::geteuid().as_raw(),
        json: common.log_format == LogFormat::Json,
        verbose: common.verbose,
        quiet: common.quiet,
        dev,
    };
    let orders = serde_json::to_vec(&orders);
    let orders = orders.map_err(|error| Problem::new(error.to_string()))?;
    match orders.len() as u64 > MAX_ORDERS {
        true => Err(
            Problem::new("the operator's file is too long for the process of a tenant")
                .at(&terms.source),
        ),
        false => Ok(orders),
    }
}

/// Requests that are passed on at once: those that the process admits, and those that wait there.
fn places(terms: &Terms) -> usize {
    let [calls, waiting] = [Metered::Calls, Metered::WaitingCalls];
    let places = terms
        .quotas
        .amount(calls)
        .saturating_add(terms.quotas.amount(waiting));
    let places = usize::try_from(places).unwrap_or(usize::MAX);
    places.min(tokio::sync::Semaphore::MAX_PERMITS)
}

fn down(tenant: &Name, why: &str) -> String {
    format!("the process of tenant `{tenant}` {why}; it is started again")
}

/// The loop that has the process.
struct Lifecycle {
    ground: Ground,
    format: LogFormat,
    users: wythe_manifest::Users,
    variables: Vec<(OsString, OsString)>,
    stop: CancellationToken,
    orders: Vec<u8>,
    sockets: Sockets,
    process: Arc<Process>,
    reported: watch::Sender<Phase>,
}

/// The end of a process.
enum End {
    /// It was told to.
    Stopped,
    /// An end by itself, or because it did not answer, with the reason.
    Died(String),
}

impl Lifecycle {
    async fn follow(self) {
        let mut pause = PAUSE;
        while !self.stop.is_cancelled() {
            let begun = Instant::now();
            let why = match self.run().await {
                Ok(End::Stopped) => break,
                Ok(End::Died(why)) => why,
                Err(problem) => format!("cannot be started: {}", problem.message),
            };
            if begun.elapsed() > LASTING {
                pause.reset();
            }
            let wait = pause.fail();
            self.down(why, wait);
            let slept = tokio::time::sleep(wait);
            self.stop.run_until_cancelled(slept).await;
        }
        self.process.set(ProcessState::Starting);
        drop(self.sockets);
        self.reported.send_replace(Phase::Over);
    }

    fn down(&self, why: String, wait: Duration) {
        let tenant = self.process.tenant();
        let message = down(tenant, &why);
        tracing::warn!("{message} in {}", crate::report::time(wait));
        let notice = Notice {
            kind: "unavailable".into(),
            position: None,
            message,
        };
        self.ground
            .host
            .notices()
            .set(tenant.as_str(), vec![notice]);
        let again = wythe_blocks::time::deadline(wait);
        let state = ProcessState::Down {
            why: why.clone(),
            again,
        };
        self.process.set(state);
        self.reported.send_replace(Phase::Down(why));
    }

    fn up(&self) {
        let tenant = self.process.tenant().as_str();
        self.process.set(ProcessState::Serving);
        self.ground.host.notices().set(tenant, Vec::new());
        self.reported.send_replace(Phase::Serving);
    }

    /// One life of the process.
    async fn run(&self) -> Result<End, Problem> {
        let (data, tenant, users) = (self.ground.data.clone(), self.process.tenant(), self.users);
        let whose = tenant.clone();
        let prepared = tokio::task::spawn_blocking(move || users::prepare(&data, &whose, &users));
        let user = prepared
            .await
            .map_err(|error| Problem::new(error.to_string()))??;
        let failed = |error: io::Error| Problem::new(error.to_string());
        let command = self.command(user).map_err(failed)?;
        let mut started = spawn::start(command).await.map_err(failed)?;
        let last = match started.stderr.take() {
            Some(stderr) => relay::start(stderr, tenant.clone(), self.format).map_err(failed)?,
            None => Last::default(),
        };
        Ok(self.live(started, &last).await)
    }

    fn command(&self, user: Option<u32>) -> io::Result<Command> {
        let Some((program, more)) = compiler::again()? else {
            return Err(io::Error::other("this program is not the command `wythe`"));
        };
        let [control, apps] = self.sockets.bind()?;
        let mut command = Command::new(program);
        command
            .arg(VERB)
            .env_clear()
            .envs(self.variables.iter().cloned())
            .envs(more.iter().cloned())
            .stdin(Stdio::from(OwnedFd::from(control)))
            .stdout(Stdio::from(OwnedFd::from(apps)))
            .stderr(Stdio::piped())
            // A Ctrl-C in the terminal is the host's alone.
            .process_group(0);
        if let Some(user) = user {
            // Without root's other groups, which the library takes away.
            command.uid(user).gid(user);
        }
        Ok(command)
    }

    /// Gives the orders and listens, until the process ends or is to end.
    async fn live(&self, started: Started, last: &Last) -> End {
        let Started {
            mut ended, handle, ..
        } = started;
        let talk = self.talk();
        let why = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            status = &mut ended => return End::Died(self.died(status.ok(), last)),
            why = talk => Some(why),
        };
        let Some(why) = why else {
            self.process.set(ProcessState::Starting);
            handle.terminate();
            if tokio::time::timeout(self.patience(), &mut ended)
                .await
                .is_err()
            {
                handle.kill();
                let _ = ended.await;
            }
            return End::Stopped;
        };
        // One that ends by itself closes its end before that is known.
        if let Ok(status) = tokio::time::timeout(ENDING, &mut ended).await {
            return End::Died(self.died(status.ok(), last));
        }
        handle.kill();
        let _ = ended.await;
        End::Died(why)
    }

    /// The time for a process that was told to end: its requests are drained, unless the host has drained them already.
    fn patience(&self) -> Duration {
        match self.ground.host.tasks().stopping().is_cancelled() {
            true => STOP,
            false => serve::LIMIT,
        }
    }

    fn died(&self, status: Option<io::Result<ExitStatus>>, last: &Last) -> String {
        let status = match status {
            Some(Ok(status)) => status.to_string(),
            Some(Err(error)) => error.to_string(),
            None => "nobody knows how".to_owned(),
        };
        // What it said while it served is in the log.
        let said = match self.process.state() {
            ProcessState::Serving => String::new(),
            _ => last.lock().clone(),
        };
        match said.as_str() {
            "" => format!("ended ({status})"),
            said => format!("ended ({status}): {said}"),
        }
    }

    /// Talks with the process; the answer says why it is to be given up.
    async fn talk(&self) -> String {
        let gone = |error: io::Error| format!("does not speak to its host: {error}");
        let mut leash = match UnixStream::connect(&self.sockets.control).await {
            Ok(leash) => leash,
            Err(error) => return gone(error),
        };
        let written = tokio::time::timeout(START, async {
            leash.write_u64(self.orders.len() as u64).await?;
            leash.write_all(&self.orders).await
        });
        if let Err(error) = written.await.unwrap_or_else(|late| Err(late.into())) {
            return gone(error);
        }
        let (mut patience, mut serves) = (START, false);
        loop {
            let stall = match tokio::time::timeout(patience, leash.read_u64()).await {
                Ok(Ok(stall)) => stall,
                Ok(Err(error)) => return gone(error),
                Err(_) => return format!("said nothing for {patience:?} and was ended"),
            };
            if self.process.set_stall_time(stall) {
                self.ground.host.routes().measure();
            }
            if !serves {
                (patience, serves) = (SILENCE, true);
                self.up();
            }
            tokio::time::sleep(BEAT).await;
        }
    }
}
