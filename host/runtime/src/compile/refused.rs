//! Files that the compiler was asked for in vain, so that nobody can have it try them again and again.

use super::Work;
use blake3::Hash;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use wythe_blocks::{Error, Kind, Result};

/// The time after which a file is tried again.
const AGAIN: Duration = Duration::from_secs(600);
/// The same for one that was too much for the compiler: a busy machine may have been at fault.
const SOON: Duration = Duration::from_secs(60);
/// Files that are remembered.
const LIMIT: usize = 1_000;

#[derive(Default)]
pub struct Refused(Mutex<HashMap<Task, Entry>>);

/// The work on a file, within a time.
type Task = (Hash, Work, Option<Duration>);

struct Entry {
    since: Instant,
    name: String,
    error: Error,
}

impl Entry {
    fn is_over(&self) -> bool {
        let again = match self.error.kind() {
            Kind::Exhausted => SOON,
            _ => AGAIN,
        };
        self.since.elapsed() >= again
    }
}

impl Refused {
    /// The error of the last time, with the name that the file has now, if that was not long ago.
    pub fn check(&self, task: Task, name: &str) -> Result<()> {
        let known = self.0.lock();
        let Some(entry) = known.get(&task).filter(|entry| !entry.is_over()) else {
            return Ok(());
        };
        let [old, new] = [&entry.name, name].map(|name| format!("`{name}`"));
        let message = entry.error.message().replace(&old, &new);
        Err(Error::new(entry.error.kind(), message))
    }

    /// Remembers an error that is the file's fault, in place of the oldest one where there are too many.
    pub fn note(&self, task: Task, name: &str, error: &Error) {
        if !matches!(error.kind(), Kind::Invalid | Kind::Exhausted) {
            return;
        }
        let mut known = self.0.lock();
        if known.len() >= LIMIT {
            let oldest = known.iter().min_by_key(|(_, entry)| entry.since);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                known.remove(&oldest);
            }
        }
        let entry = Entry {
            since: Instant::now(),
            name: name.to_owned(),
            error: error.duplicate(),
        };
        known.insert(task, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_the_files_fault_is_remembered_under_any_name() {
        let refused = Refused::default();
        let [bomb, lucky] = [b"a", b"b"].map(|bytes| blake3::hash(bytes));
        let error = Error::exhausted("`a.wasm` did not compile");
        refused.note((bomb, Work::App, None), "a.wasm", &error);
        let passing = Error::unavailable("no process");
        refused.note((lucky, Work::App, None), "b.wasm", &passing);
        let again = refused
            .check((bomb, Work::App, None), "other.wasm")
            .unwrap_err();
        assert_eq!(again.kind(), Kind::Exhausted);
        assert_eq!(again.message(), "`other.wasm` did not compile");
        assert!(
            refused
                .check((bomb, Work::Workflows, None), "a.wasm")
                .is_ok()
        );
        let quick = Some(Duration::from_secs(1));
        assert!(refused.check((bomb, Work::App, quick), "a.wasm").is_ok());
        assert!(refused.check((lucky, Work::App, None), "b.wasm").is_ok());
    }

    #[test]
    fn the_oldest_goes_where_there_are_too_many() {
        let refused = Refused::default();
        let digest = |number: usize| blake3::hash(&number.to_be_bytes());
        for number in 0..=LIMIT {
            let error = Error::invalid("no component");
            refused.note((digest(number), Work::App, None), "a.wasm", &error);
        }
        assert_eq!(refused.0.lock().len(), LIMIT);
        assert!(
            refused
                .check((digest(0), Work::App, None), "a.wasm")
                .is_ok()
        );
        assert!(
            refused
                .check((digest(LIMIT), Work::App, None), "a.wasm")
                .is_err()
        );
    }
}
