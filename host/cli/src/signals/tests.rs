//! Signals to processes of their own: this program, started again with one test that waits for them.
#![expect(
    clippy::disallowed_methods,
    reason = "a process that hangs is what is tested"
)]

use super::*;
use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

/// The deadline of a process that nobody ends.
const DEADLINE: Duration = Duration::from_secs(60);
const OVERDUE: i32 = 9;
const MODE: &str = "WYTHE_TEST_SIGNALS";

struct Waiting {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Waiting {
    fn start(mode: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "signals::tests::waits",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(MODE, mode)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut waiting = Waiting {
            child,
            lines: BufReader::new(stdout).lines(),
        };
        waiting.says("ready");
        waiting
    }

    fn says(&mut self, expected: &str) {
        let mut lines = self.lines.by_ref().map_while(Result::ok);
        assert!(lines.any(|line| line.ends_with(expected)), "{expected}");
    }

    fn send(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    fn status(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

#[test]
#[ignore = "the process that the other tests of this file start"]
fn waits() {
    let Ok(mode) = std::env::var(MODE) else {
        return;
    };
    thread::spawn(|| {
        thread::sleep(DEADLINE);
        exit(OVERDUE);
    });
    let limit = match mode.as_str() {
        "late" => Duration::from_millis(20),
        _ => DEADLINE,
    };
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let stop = runtime.block_on(async { drain(limit).unwrap() });
    if mode == "turns" {
        println!("ready");
        runtime.block_on(turns(&stop));
        exit(0);
    }
    for _ in 0..4 {
        runtime.spawn(async { thread::sleep(2 * DEADLINE) });
    }
    println!("ready");
    let alone = Builder::new_current_thread().build().unwrap();
    alone.block_on(stop.cancelled());
    println!("stopping");
    thread::sleep(2 * DEADLINE);
}

/// Asks and rests as commands that wait do.
async fn turns(stop: &CancellationToken) {
    let ask = async || sleep(Duration::from_millis(1)).await;
    while stop.run_until_cancelled(ask()).await.is_some() {
        if stop.run_until_cancelled(ask()).await.is_none() {
            return;
        }
    }
}

#[test]
fn a_second_signal_ends_a_process_whose_workers_are_busy() {
    for (signal, status) in [("-TERM", 143), ("-INT", 130)] {
        let mut waiting = Waiting::start("busy");
        waiting.send(signal);
        waiting.says("stopping");
        waiting.send(signal);
        assert_eq!(waiting.status(), Some(status));
    }
}

#[test]
fn a_process_that_does_not_end_in_time_is_ended() {
    let waiting = Waiting::start("late");
    waiting.send("-TERM");
    assert_eq!(waiting.status(), Some(143));
}

#[test]
fn a_signal_is_heard_at_any_moment() {
    for round in 0..20u32 {
        let together: Vec<_> = (0..10).map(|_| Waiting::start("turns")).collect();
        for (place, waiting) in together.iter().enumerate() {
            // Moments that differ, over both halves of a turn.
            let micros = (u64::from(round) * 131 + place as u64 * 311) % 2000;
            thread::sleep(Duration::from_micros(micros));
            waiting.send("-INT");
        }
        for waiting in together {
            assert_eq!(waiting.status(), Some(0), "round {round}");
        }
    }
}
