//! Standard error, or another stream, behind a bounded queue: a reader that is slow or gone holds nobody up, and ends nothing.

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::Arc,
    time::Duration,
};
use wythe_blocks::{Dropped, count_dropped};

/// Bytes of lines that wait for the reader.
const MAX_WAITING: usize = 4 << 20;

/// Lines on their way, written by a thread of their own.
#[derive(Clone, Default)]
pub struct Queue {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    dropped: u64,
    writing: bool,
}

impl Queue {
    /// Starts the thread that writes to `out`, whose errors end nothing.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Queue::default();
        let writer = queue.clone();
        let thread = std::thread::Builder::new().name("log".into());
        thread.spawn(move || writer.run(out))?;
        Ok(queue)
    }

    /// Takes a line, or drops and counts it where too much waits already.
    pub fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if state.bytes > 0 && state.bytes + line.len() > MAX_WAITING {
            state.dropped += 1;
            count_dropped(Dropped::Unread);
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line.to_vec());
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until every line is written, for at most `limit`.
    pub fn flush(&self, limit: Duration) {
        let waits = |state: &mut State| state.writing || !state.lines.is_empty();
        let mut state = self.state();
        self.shared.changed.wait_while_for(&mut state, waits, limit);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock()
    }

    fn run(&self, mut out: impl Write) {
        loop {
            let line = self.next();
            // A reader that has gone does not end the host.
            let _ = out.write_all(&line).and_then(|()| out.flush());
            let mut state = self.state();
            state.writing = false;
            if state.lines.is_empty() && state.dropped > 0 {
                let dropped = std::mem::take(&mut state.dropped);
                let notice = format!("{dropped} lines dropped: nobody read them\n");
                state.bytes += notice.len();
                state.lines.push_back(notice.into_bytes());
            }
            drop(state);
            self.shared.changed.notify_all();
        }
    }

    fn next(&self) -> Vec<u8> {
        let empty = |state: &mut State| state.lines.is_empty();
        let mut state = self.state();
        self.shared.changed.wait_while(&mut state, empty);
        let line = state.lines.pop_front().unwrap_or_default();
        state.bytes -= line.len();
        state.writing = true;
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Writes once it may, and tells what it wrote.
    struct Reader(mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>);

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(io::Error::other)?;
            self.1.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_does_not_read_holds_nobody_up() {
        let ((may, wait), (wrote, written)) = (mpsc::channel(), mpsc::channel());
        let queue = Queue::start(Reader(wait, wrote)).unwrap();
        let line = vec![b'x'; MAX_WAITING / 4];
        for _ in 0..40 {
            queue.push(&line);
        }
        let mut lines = 0;
        let notice = loop {
            may.send(()).unwrap();
            let line = written.recv().unwrap();
            if line[0] != b'x' {
                break String::from_utf8(line).unwrap();
            }
            lines += 1;
        };
        // The first may have been taken before the second came.
        assert!(lines == 4 || lines == 5, "{lines}");
        let dropped = 40 - lines;
        assert_eq!(
            notice,
            format!("{dropped} lines dropped: nobody read them\n")
        );
    }

    #[test]
    fn a_reader_that_has_gone_ends_nothing() {
        let ((may, wait), (wrote, written)) = (mpsc::channel(), mpsc::channel());
        drop((may, written));
        let queue = Queue::start(Reader(wait, wrote)).unwrap();
        for _ in 0..3 {
            queue.push(b"a line\n");
            queue.flush(Duration::from_secs(60));
        }
        assert!(queue.state().lines.is_empty());
    }
}
