//! The last error of an app or a component, for who asks how it is.

use crate::{Error, Kind, text::cut};
use parking_lot::Mutex;
use std::time::SystemTime;

/// Bytes of its message that are kept.
const MESSAGE: usize = 512;

/// An error that is over.
#[derive(Clone, Debug)]
pub struct Failed {
    pub time: SystemTime,
    pub kind: Kind,
    pub message: String,
}

/// The last one, if there was any.
#[derive(Default)]
pub(crate) struct Last(Mutex<Option<Failed>>);

impl Last {
    pub fn note(&self, error: &Error) {
        let failed = Failed {
            time: SystemTime::now(),
            kind: error.kind(),
            message: cut(error.message(), MESSAGE).to_owned(),
        };
        *self.0.lock() = Some(failed);
    }

    pub fn get(&self) -> Option<Failed> {
        self.0.lock().clone()
    }
}
