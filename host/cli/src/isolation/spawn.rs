//! The start and the end of one process of a tenant. A thread of its own starts it and waits for it: the kernel ends the
//! process with that thread, and so with the host.

use parking_lot::Mutex;
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid},
};
use std::{
    io,
    process::{ChildStderr, Command, ExitStatus},
    sync::Arc,
    thread,
};
use tokio::sync::oneshot;

/// A process that was started.
pub struct Started {
    pub stderr: Option<ChildStderr>,
    /// Tells how it ended, once nothing of it is left.
    pub ended: oneshot::Receiver<io::Result<ExitStatus>>,
    pub handle: Handle,
}

/// A way to end a process, for as long as it is there: its number may be another one's afterwards.
pub struct Handle(Arc<Mutex<Option<Pid>>>);

impl Handle {
    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal(|pid| kill_process(pid, Signal::TERM));
    }

    /// Ends it, and all that it has started.
    pub fn kill(&self) {
        self.signal(|pid| kill_process_group(pid, Signal::KILL));
    }

    fn signal(&self, send: impl Fn(Pid) -> rustix::io::Result<()>) {
        if let Some(pid) = *self.0.lock() {
            // One that has ended hears nothing.
            let _ = send(pid);
        }
    }
}

/// One that nobody holds any more is not wanted.
impl Drop for Handle {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a process; what the command holds for it is closed here.
pub async fn start(command: Command) -> io::Result<Started> {
    let (reported, started) = oneshot::channel();
    thread::Builder::new()
        .name("tenant".into())
        .spawn(move || run(command, reported))?;
    started.await.map_err(io::Error::other)?
}

fn run(mut command: Command, reported: oneshot::Sender<io::Result<Started>>) {
    let spawned = command.spawn();
    drop(command);
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return drop(reported.send(Err(error))),
    };
    let (end, ended) = oneshot::channel();
    let pid = Pid::from_child(&child);
    let handle = Arc::new(Mutex::new(Some(pid)));
    let started = Started {
        stderr: child.stderr.take(),
        ended,
        handle: Handle(handle.clone()),
    };
    // Where nobody waits for it any more, its handle ends it.
    drop(reported.send(Ok(started)));
    let until_it_ends = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), until_it_ends) {}
    // Its number is its group's until it has been waited for: nothing that it started is left.
    let _ = kill_process_group(pid, Signal::KILL);
    *handle.lock() = None;
    drop(end.send(child.wait()));
}
