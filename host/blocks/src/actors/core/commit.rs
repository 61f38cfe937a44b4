//! The one write of a turn: the actor's record over the version that was read, and with it everything that the turn did.

use super::{
    record::{Meta, Outgoing},
    staged::{Reset, Staged, Value},
};
use std::collections::BTreeMap;

/// One transaction.
#[derive(Clone)]
pub(in crate::actors) struct Commit<'a> {
    /// The record as it is to be, and the version of the one that it replaces; absent where there is none.
    pub meta: Meta,
    pub over: Option<String>,
    pub entries: &'a BTreeMap<String, Option<Value>>,
    pub reminders: &'a BTreeMap<String, Reset>,
    /// Events with their ids, in their order.
    pub events: Vec<Outgoing>,
}

/// Something that a host does because of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::actors) enum Effect {
    /// A reminder is due then: it is looked for, also where nobody knows whether it is kept.
    Expect { name: String, due: u64 },
    /// A reminder is not due then any more, once that is stored.
    Forget { name: String, due: u64 },
    /// Events are sent, once they are kept.
    Send,
}

impl<'a> Commit<'a> {
    /// The commit of what a turn staged over the record that its activation holds.
    pub fn of(meta: &Meta, version: Option<&str>, staged: &'a Staged) -> Self {
        let mut meta = meta.clone();
        meta.turns += 1;
        let named = |(number, event): (usize, &Outgoing)| Outgoing {
            id: Some(event.id.clone().unwrap_or_else(|| meta.event_id(number))),
            ..event.clone()
        };
        Commit {
            events: staged.events.iter().enumerate().map(named).collect(),
            meta,
            over: version.map(str::to_owned),
            entries: &staged.entries,
            reminders: &staged.reminders,
        }
    }

    /// Returns what follows from it.
    pub fn effects(&self) -> Vec<Effect> {
        let reminders = self.reminders.iter().flat_map(|(name, reset)| {
            let due = reset.reminder.as_ref().map(|reminder| reminder.due);
            let forgotten = reset.stored.filter(|stored| Some(*stored) != due);
            let forgotten = forgotten.map(|due| Effect::Forget {
                name: name.clone(),
                due,
            });
            let expected = due.map(|due| Effect::Expect {
                name: name.clone(),
                due,
            });
            forgotten.into_iter().chain(expected)
        });
        let sends = (!self.events.is_empty()).then_some(Effect::Send);
        reminders.chain(sends).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::core::record::{Binary, Reminder};

    fn reset(due: u64) -> Reset {
        let reminder = Reminder {
            due,
            period: None,
            data: Binary::default(),
            trace: None,
        };
        Reset {
            reminder: Some(reminder),
            stored: None,
        }
    }

    #[test]
    fn a_commit_counts_the_turn_and_looks_for_its_reminders() {
        let mut staged = Staged::default();
        let meta = Meta::new(7);
        assert_eq!(Commit::of(&meta, None, &staged).effects(), []);
        staged.remind("later", reset(20));
        staged.remind("sooner", reset(10));
        let commit = Commit::of(&meta, Some("3"), &staged);
        assert_eq!((commit.meta.turns, commit.over.as_deref()), (1, Some("3")));
        let expected = |name: &str, due| Effect::Expect {
            name: name.to_owned(),
            due,
        };
        let effects = [expected("later", 20), expected("sooner", 10)];
        assert_eq!(commit.effects(), effects);
    }
}
