//! The process of a server, which cannot outlive the tests.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    io,
    process::{Child, Command},
    sync::{
        LazyLock,
        mpsc::{Sender, channel},
    },
    thread,
};

type Answer = Sender<io::Result<Child>>;

/// The one thread that starts processes: `PR_SET_PDEATHSIG` of a child is about the thread that started it, and this one
/// ends with the process alone, however the tests end.
static STARTER: LazyLock<Sender<(Command, Answer)>> = LazyLock::new(|| {
    let (sender, orders) = channel::<(Command, Answer)>();
    thread::spawn(move || {
        for (mut command, answer) in orders {
            // Whoever asked may have panicked; then the child is dropped, and ends below.
            if let Err(unsent) = answer.send(command.spawn())
                && let Ok(mut child) = unsent.0
            {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    });
    sender
});

/// A child process; killed when it is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a command by way of `setpriv`, whose process becomes that of the command.
    pub(crate) fn start(command: &Command) -> io::Result<Self> {
        let mut wrapped = Command::new("setpriv");
        wrapped.args(["--pdeathsig", "KILL", "--"]);
        wrapped.arg(command.get_program()).args(command.get_args());
        if let Some(directory) = command.get_current_dir() {
            wrapped.current_dir(directory);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(name, value),
                None => wrapped.env_remove(name),
            };
        }
        Self::spawn(wrapped)
    }

    fn spawn(mut command: Command) -> io::Result<Self> {
        use std::process::Stdio;
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let (answer, child) = channel();
        let gone = || io::Error::other("the thread that starts servers is gone");
        STARTER.send((command, answer)).map_err(|_| gone())?;
        Ok(Process(child.recv().map_err(|_| gone())??))
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|status| status.is_some())
    }

    pub(crate) fn send(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // One that is gone already needs no signal.
            let _ = kill_process(pid, signal);
        }
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(mut self, signal: Signal) {
        self.send(signal);
        self.send(Signal::CONT);
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
