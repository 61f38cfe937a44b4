//! Files that the compiler was asked for in vain, so that nobody can have it try them again and again.

use super::Work;
use blake3::Hash;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use wythe_blocks::{Error, Kind, Result};

/// The time after which a file is tried again: a busy machine may have been at fault.
const AGAIN: Duration = Duration::from_secs(600);
/// Files that are remembered.
const LIMIT: usize = 1_000;

/// A file by its bytes and its name, and what was to be made of it.
type Asked = (Hash, Work, String);

#[derive(Default)]
pub struct Refused(Mutex<HashMap<Asked, (Instant, Error)>>);

impl Refused {
    /// The error of the last time, if that was not long ago.
    pub fn check(&self, digest: Hash, work: Work, name: &str) -> Result<()> {
        let known = self.0.lock();
        match known.get(&(digest, work, name.to_owned())) {
            Some((since, error)) if since.elapsed() < AGAIN => Err(error.duplicate()),
            _ => Ok(()),
        }
    }

    /// Remembers an error that is the file's fault.
    pub fn note(&self, digest: Hash, work: Work, name: &str, error: &Error) {
        if !matches!(error.kind(), Kind::Invalid | Kind::Exhausted) {
            return;
        }
        let mut known = self.0.lock();
        known.retain(|_, (since, _)| since.elapsed() < AGAIN);
        if known.len() < LIMIT {
            let key = (digest, work, name.to_owned());
            known.insert(key, (Instant::now(), error.duplicate()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_is_at_fault_for_is_remembered() {
        let refused = Refused::default();
        let [bomb, lucky] = [b"a", b"b"].map(|bytes| blake3::hash(bytes));
        refused.note(
            bomb,
            Work::App,
            "a.wasm",
            &Error::exhausted("did not compile"),
        );
        refused.note(
            lucky,
            Work::App,
            "a.wasm",
            &Error::unavailable("no process"),
        );
        let again = refused.check(bomb, Work::App, "a.wasm").unwrap_err();
        assert_eq!(
            (again.kind(), again.message()),
            (Kind::Exhausted, "did not compile")
        );
        assert!(refused.check(bomb, Work::Workflows, "a.wasm").is_ok());
        // Errors have the name of the file: another tenant does not read it.
        assert!(refused.check(bomb, Work::App, "b.wasm").is_ok());
        assert!(refused.check(lucky, Work::App, "a.wasm").is_ok());
    }

    #[test]
    fn no_more_files_are_remembered_than_the_limit() {
        let refused = Refused::default();
        for number in 0..LIMIT + 10 {
            let digest = blake3::hash(&number.to_be_bytes());
            refused.note(digest, Work::App, "a.wasm", &Error::invalid("no component"));
        }
        assert_eq!(refused.0.lock().len(), LIMIT);
    }
}
