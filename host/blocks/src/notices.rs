//! Changes that were wrong and changed nothing, until they are mended: for status and health.

use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;

/// Problems of one change that are kept.
const MAX: usize = 100;

/// One problem of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub kind: String,
    /// The file, the line and the column, as far as they are known.
    pub position: Option<String>,
    pub message: String,
}

/// The problems of each tenant's last change, and of the host's own.
#[derive(Default)]
pub struct Notices(Mutex<BTreeMap<String, Vec<Notice>>>);

impl Notices {
    /// Puts the problems of a tenant in place of those before; none mend it. True where they differ.
    pub fn set(&self, about: &str, mut notices: Vec<Notice>) -> bool {
        notices.truncate(MAX);
        let mut all = self.all();
        let known = all.get(about).map_or(&[] as &[_], Vec::as_slice);
        if known == notices {
            return false;
        }
        match notices.is_empty() {
            true => all.remove(about),
            false => all.insert(about.to_owned(), notices),
        };
        true
    }

    /// The problems about one name.
    pub fn of(&self, about: &str) -> Vec<Notice> {
        self.all().get(about).cloned().unwrap_or_default()
    }

    /// Every name that something is wrong with, and how much.
    pub fn list(&self) -> Vec<(String, Vec<Notice>)> {
        let all = self.all();
        all.iter()
            .map(|(about, of)| (about.clone(), of.clone()))
            .collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Notice>>> {
        self.0.lock()
    }
}
