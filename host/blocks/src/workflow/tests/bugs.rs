//! Faults that tests plant in the core and in the store, to see that the simulation finds them.

use std::cell::Cell;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::workflow) enum Bug {
    /// A commit replaces whatever record is there.
    NoCondition,
    /// A completion is written down though its task has completed.
    ResultTakenTwice,
    /// A timer is known to the host that set it, and to no store.
    TimerForgotten,
    /// Work begins before what asks for it is kept.
    EffectBeforeCommit,
    /// The row by which a start finds an instance goes before its code has run.
    RowDeletedEarly,
    /// The end of a child is told, and not kept for its parent.
    EndNotPersisted,
}

impl Bug {
    pub const ALL: [Bug; 6] = [
        Bug::NoCondition,
        Bug::ResultTakenTwice,
        Bug::TimerForgotten,
        Bug::EffectBeforeCommit,
        Bug::RowDeletedEarly,
        Bug::EndNotPersisted,
    ];
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a fault in this thread, or takes it away.
pub(in crate::workflow) fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

pub(in crate::workflow) fn has(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
