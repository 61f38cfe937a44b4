//! A stored entry in memory, and the version that conditions and expiry are decided by.

use super::etag;
use crate::shared::clock;
use bytes::Bytes;
use wythe_blocks::state::Entry;

/// The part of a record that conditions and expiry are decided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub etag: u64,
    /// Nanoseconds since 1970.
    pub expires: Option<u64>,
    /// The highest lock's token that has written the entry.
    pub fence: Option<u64>,
}

impl Version {
    /// Asks the clock only where there is an expiry.
    pub(crate) fn is_over(self, now: impl FnOnce() -> u64) -> bool {
        self.expires.is_some_and(|at| at <= now())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub version: Version,
    pub content_type: Option<String>,
    pub value: Bytes,
}

impl Record {
    /// Bytes of the value and its content type.
    pub(crate) fn length(&self) -> u64 {
        let content_type = self.content_type.as_ref().map_or(0, String::len);
        (content_type + self.value.len()) as u64
    }

    pub(crate) fn entry(&self) -> Entry {
        Entry {
            value: self.value.clone(),
            etag: etag::to_text(self.version.etag),
            content_type: self.content_type.clone(),
            expires: self.version.expires.map(clock::time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_over_at_the_expiry_itself() {
        let version = Version {
            etag: 1,
            expires: Some(10),
            fence: None,
        };
        assert!(!version.is_over(|| 9));
        assert!(version.is_over(|| 10));
        assert!(
            !Version {
                etag: 1,
                expires: None,
                fence: None
            }
            .is_over(|| unreachable!())
        );
    }
}
