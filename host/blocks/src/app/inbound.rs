//! The kinds of calls that reach an app, with their names in spans, metrics and messages.

use crate::{Operation, spans::Role};

/// A kind of call of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inbound {
    Http,
    Invocation,
    Event,
    Change,
    Input,
    Job,
    Turn,
    Workflow,
    Activity,
    /// A question of the host about what the app has: its subscriptions, inputs, workflows, activities and actors.
    Declaration,
    /// A look whether it can do its work.
    Health,
}

/// Names by kind, in the order of [`Inbound`].
pub(super) const OPERATIONS: &[Operation] = &[
    Operation::once(0, "http"),
    Operation::once(1, "invocation"),
    Operation::once(2, "event"),
    Operation::once(3, "configuration-change"),
    Operation::once(4, "input"),
    Operation::once(5, "job"),
    Operation::once(6, "actor-turn"),
    Operation::once(7, "workflow"),
    Operation::once(8, "activity"),
    Operation::idempotent(9, "declaration"),
    Operation::idempotent(10, "health"),
];

impl Inbound {
    pub(super) fn operation(self) -> Operation {
        OPERATIONS[self as usize]
    }

    pub(super) fn name(self) -> &'static str {
        self.operation().name()
    }

    /// The app's part in a call, as spans have it.
    pub(super) fn role(self) -> Role {
        match self {
            Inbound::Http | Inbound::Invocation => Role::Server,
            Inbound::Event | Inbound::Change | Inbound::Input => Role::Consumer,
            _ => Role::Internal,
        }
    }

    /// Tells whether a call takes one of the app's `limits.concurrency` permits. A workflow's code runs for months and
    /// has permits of its engine's; a declaration is asked for while the host starts, before the app has any call; and a busy app
    /// is not an ill one.
    pub(super) fn is_counted(self) -> bool {
        !matches!(
            self,
            Inbound::Workflow | Inbound::Declaration | Inbound::Health
        )
    }

    /// Tells whether an app that is not well is not asked for it. What has begun goes on: the steps of a workflow, and its
    /// activities.
    pub(super) fn needs_health(self) -> bool {
        !matches!(
            self,
            Inbound::Workflow | Inbound::Activity | Inbound::Declaration | Inbound::Health
        )
    }

    /// Tells whether a call ends by its deadline; a workflow's code has none.
    pub(super) fn is_timed(self) -> bool {
        self != Inbound::Workflow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_finds_its_name() {
        for (index, operation) in OPERATIONS.iter().enumerate() {
            assert_eq!(operation.index(), index);
        }
        assert_eq!(Inbound::Http.name(), "http");
        assert_eq!(Inbound::Declaration.name(), "declaration");
        assert_eq!(OPERATIONS.len(), Inbound::Health as usize + 1);
    }
}
