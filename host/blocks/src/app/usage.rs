//! The part of its limits that an app uses now, and its last call that failed.

use super::App;
use crate::last::Failed;

/// The amounts that the code of an app holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Instances, idle ones too.
    pub instances: usize,
    /// Bytes that the host holds for it.
    pub host_memory: usize,
}

impl App {
    /// The amounts that its code holds now.
    pub fn usage(&self) -> Usage {
        self.callee.usage()
    }

    /// Lets go of instances that have been idle for long enough.
    pub fn sweep(&self) {
        self.callee.sweep();
    }

    /// Calls that have one of its permits now.
    pub fn under_way(&self) -> usize {
        let limit = self.limits().concurrency as usize;
        limit.saturating_sub(self.permits.available_permits())
    }

    /// The last call that failed.
    pub fn last_error(&self) -> Option<Failed> {
        self.last.get()
    }
}
