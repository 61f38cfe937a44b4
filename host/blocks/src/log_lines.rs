//! The log of a test: the lines that its thread writes.

use parking_lot::Mutex;
use std::{io, sync::Arc};
use tracing::{Dispatch, subscriber::DefaultGuard};

/// Bytes that were written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines of this thread from now on, for as long as this lives.
pub struct LogLines {
    written: Written,
    _guard: DefaultGuard,
    _other: Dispatch,
}

impl LogLines {
    pub fn start() -> Self {
        let written = Written::default();
        let writer = written.clone();
        // With two subscribers, tracing does not remember what a thread of another test says, which has none.
        let other = Dispatch::new(tracing_subscriber::registry());
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone());
        LogLines {
            written,
            _guard: tracing::subscriber::set_default(subscriber.finish()),
            _other: other,
        }
    }

    /// The lines that have a text.
    pub fn with(&self, text: &str) -> Vec<String> {
        let written = String::from_utf8(self.written.0.lock().clone()).expect("a text");
        let lines = written.lines().filter(|line| line.contains(text));
        lines.map(str::to_owned).collect()
    }
}
