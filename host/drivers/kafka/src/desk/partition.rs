//! The messages of one partition.

use crate::{
    note::Note,
    records::{Read, Record},
};
use bytes::Bytes;
use std::collections::{BTreeMap, HashSet};
use tokio::{sync::oneshot, time::Instant};
use wythe_blocks::pubsub::Receipt;

/// Offsets between a group's place and what it reads: one message that is never settled holds up the rest at last.
const SPAN: i64 = 100_000;

/// The place of a group in a partition, and what is open behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Noted {
    pub place: i64,
    pub note: Note,
    /// The number of the change that it has.
    change: u64,
    /// It is new, and nobody has noted it.
    pub is_new: bool,
}

impl Noted {
    /// A place that the cluster has, with its note.
    pub fn read(place: i64, note: &str) -> Self {
        Noted {
            place,
            note: Note::read(place, note),
            ..Noted::default()
        }
    }

    /// A place of which the cluster does not know.
    pub fn new(place: i64) -> Self {
        Noted {
            is_new: true,
            ..Noted::read(place, "")
        }
    }
}

/// A message that is out.
pub(crate) struct Taken {
    pub record: Record,
    pub partition: i32,
    pub offset: i64,
    /// 1 on the first delivery.
    pub attempt: u32,
    pub receipt: Receipt,
}

pub(super) struct Partition {
    /// The offset of the next message to read.
    next: i64,
    /// The knowledge of messages that come: the end of those that may be settled, and those that are not.
    before: Note,
    held: BTreeMap<i64, Held>,
    bytes: usize,
    /// The number of the last change, and that of the last one that was noted.
    changed: u64,
    noted: u64,
}

struct Held {
    record: Record,
    attempts: u32,
    /// The number of its delivery and its puller, where it is out.
    out: Option<(u64, u64)>,
    due: Option<Instant>,
    /// It is settled, with the change that did so and those who wait until that is noted.
    settled: Option<(u64, Vec<oneshot::Sender<()>>)>,
}

impl Held {
    fn is(&self, serial: u64) -> bool {
        self.out.is_some_and(|(number, _)| number == serial)
    }
}

impl Partition {
    pub fn new(noted: Noted) -> Self {
        Partition {
            next: noted.place,
            before: noted.note,
            held: BTreeMap::new(),
            bytes: 0,
            changed: u64::from(noted.is_new),
            noted: 0,
        }
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn has_out(&self) -> bool {
        let mut held = self.held.values();
        held.any(|held| held.out.is_some() && held.settled.is_none())
    }

    /// Gives out up to `count` messages; returns when the next one is due.
    pub fn give(
        &mut self,
        (puller, partition, serial): (u64, i32, &mut u64),
        count: usize,
        receipt: impl Fn(i64, u64) -> Receipt,
        given: &mut Vec<Taken>,
    ) -> Option<Instant> {
        let (now, end) = (Instant::now(), given.len() + count);
        let mut due: Option<Instant> = None;
        let mut keys = HashSet::new();
        for (offset, held) in &mut self.held {
            if given.len() >= end {
                break;
            }
            if held.settled.is_some() {
                continue;
            }
            if let Some(key) = held.record.key.as_ref()
                && !keys.insert(key)
            {
                continue;
            }
            if let Some(later) = held.due.filter(|later| *later > now) {
                due = Some(due.map_or(later, |due| due.min(later)));
                continue;
            }
            if held.out.is_some() {
                continue;
            }
            *serial += 1;
            held.out = Some((*serial, puller));
            held.due = None;
            held.attempts = held.attempts.saturating_add(1);
            given.push(Taken {
                record: held.record.clone(),
                partition,
                offset: *offset,
                attempt: held.attempts,
                receipt: receipt(*offset, *serial),
            });
        }
        due
    }

    pub fn settle(&mut self, offset: i64, serial: u64) -> Option<oneshot::Receiver<()>> {
        let held = self.held.get_mut(&offset).filter(|held| held.is(serial))?;
        let (sender, noted) = oneshot::channel();
        match &mut held.settled {
            Some((_, waiting)) => waiting.push(sender),
            None => {
                self.changed += 1;
                held.settled = Some((self.changed, vec![sender]));
            }
        }
        Some(noted)
    }

    pub fn refuse(&mut self, offset: i64, serial: u64, due: Option<Instant>) -> bool {
        let held = self.held.get_mut(&offset);
        let Some(held) = held.filter(|held| held.is(serial) && held.settled.is_none()) else {
            return false;
        };
        held.out = None;
        held.due = due;
        self.changed += 1;
        true
    }

    pub fn take_back(&mut self, puller: u64) {
        for held in self.held.values_mut() {
            let is_its = held.out.is_some_and(|(_, other)| other == puller);
            if is_its && held.settled.is_none() {
                held.out = None;
                self.changed += 1;
            }
        }
    }

    pub fn wants(&self, at_once: usize) -> Option<i64> {
        let place = self.held.keys().next().copied().unwrap_or(self.next);
        (self.held.len() < at_once && self.next - place < SPAN).then_some(self.next)
    }

    pub fn add(&mut self, from: i64, read: Read) {
        if from != self.next {
            return;
        }
        for (offset, record) in read.records {
            // A batch may begin before the offset that was asked for.
            if offset < self.next {
                continue;
            }
            let open = self.before.open.remove(&offset);
            if offset < self.before.end && open.is_none() {
                continue;
            }
            self.bytes += size(&record);
            let held = Held {
                record,
                attempts: open.unwrap_or(0),
                out: None,
                due: None,
                settled: None,
            };
            self.held.insert(offset, held);
        }
        self.next = read.next.unwrap_or(from).max(from);
    }

    pub fn skip(&mut self, to: i64) {
        self.next = to;
        self.before = Note {
            end: to,
            ..Note::default()
        };
        self.changed += 1;
    }

    /// The note that is due, if there is one.
    pub fn change(&self) -> Option<Noted> {
        if self.changed == self.noted {
            return None;
        }
        let open = self.held.iter().filter(|(_, held)| held.settled.is_none());
        let mut open: BTreeMap<_, _> = open
            .map(|(offset, held)| (*offset, held.attempts))
            .collect();
        // What was open when it began and has not been read again.
        let unread = self.before.open.range(self.next..);
        open.extend(unread.map(|(offset, attempts)| (*offset, *attempts)));
        let end = self.next.max(self.before.end);
        let place = open.keys().next().copied().unwrap_or(end);
        Some(Noted {
            place,
            note: Note { end, open },
            change: self.changed,
            is_new: false,
        })
    }

    pub fn noted(&mut self, noted: &Noted) {
        self.noted = self.noted.max(noted.change);
        let is_noted = |held: &Held| {
            let change = held.settled.as_ref().map(|(change, _)| *change);
            change.is_some_and(|change| change <= noted.change)
        };
        let done: Vec<_> = self
            .held
            .iter()
            .filter(|(_, held)| is_noted(held))
            .map(|(offset, _)| *offset)
            .collect();
        for held in done.iter().filter_map(|offset| self.held.remove(offset)) {
            self.bytes -= size(&held.record);
            for waiting in held.settled.into_iter().flat_map(|(_, waiting)| waiting) {
                // Nobody waits any more where an acknowledgement was given up.
                let _ = waiting.send(());
            }
        }
    }
}

/// Bytes of the texts of a record.
fn size(record: &Record) -> usize {
    let length = |bytes: Option<&Bytes>| bytes.map_or(0, Bytes::len);
    let headers = record.headers.iter();
    let headers: usize = headers
        .map(|(name, value)| name.len() + length(value.as_ref()))
        .sum();
    length(record.key.as_ref()) + length(record.value.as_ref()) + headers
}
