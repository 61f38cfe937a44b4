//! The items of a queue, and the moves between here, out and held.

use super::{Delivery, Held, Lane, Stored, Waiting};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use tokio::time::Instant;
use wythe_blocks::{Error, Result};

/// Numbers after the oldest message in which the next oldest one is looked for first.
const NEAR: u64 = 10_000;
/// A number that no member has.
const NOBODY: u64 = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeliveryState {
    /// Ready from its due time, or behind another one of its lane.
    Here,
    Out {
        member: u64,
        delivery: u64,
    },
    Held {
        member: u64,
        delivery: u64,
    },
}

pub(super) struct Item {
    pub(super) due: Instant,
    pub(super) attempts: u32,
    pub(super) lane: Option<Lane>,
    pub(super) bytes: u64,
    pub(super) message: Option<Arc<Stored>>,
    pub(super) state: DeliveryState,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) items: HashMap<u64, Item>,
    /// Bytes of all of them.
    pub(super) bytes: u64,
    /// The lowest number that may be here.
    first: u64,
    /// Messages that are here and the first of their lane.
    pub(super) ready: BTreeSet<(Instant, u64)>,
    pub(super) lanes: HashMap<Lane, BTreeSet<u64>>,
    pub(super) members: BTreeSet<u64>,
    pub(super) next_member: u64,
    pub(super) next_delivery: u64,
}

impl State {
    /// The number of the oldest message. It is looked for from where it was found last; where that is far away, among all.
    pub(super) fn oldest(&mut self) -> Option<u64> {
        if self.items.is_empty() {
            return None;
        }
        let near = self.first..self.first.saturating_add(NEAR);
        let found = near.into_iter().find(|one| self.items.contains_key(one));
        let found = found.or_else(|| self.items.keys().min().copied())?;
        self.first = found;
        Some(found)
    }

    pub(super) fn add(&mut self, message: Waiting) {
        let Waiting {
            sequence,
            due,
            attempts,
            lane,
            bytes,
            message,
        } = message;
        let first = match lane {
            None => true,
            Some(lane) => {
                let lane = self.lanes.entry(lane).or_default();
                lane.insert(sequence);
                lane.first() == Some(&sequence)
            }
        };
        self.first = self.first.min(sequence);
        let item = Item {
            due,
            attempts,
            lane,
            bytes,
            message,
            state: DeliveryState::Here,
        };
        let before = self.items.insert(sequence, item);
        self.bytes += bytes;
        self.bytes -= before.map_or(0, |item| item.bytes);
        if first {
            self.ready.insert((due, sequence));
        }
    }

    /// Takes messages that are due, or tells when to look again.
    pub(super) fn take(
        &mut self,
        member: u64,
        max: usize,
        now: Instant,
    ) -> Result<Vec<Delivery>, Option<Instant>> {
        let mut deliveries = Vec::new();
        while deliveries.len() < max {
            match self.ready.first() {
                Some((due, sequence)) if *due <= now => {
                    let sequence = *sequence;
                    self.ready.pop_first();
                    deliveries.extend(self.send(sequence, member));
                }
                next => {
                    if deliveries.is_empty() {
                        return Err(next.map(|(due, _)| *due));
                    }
                    break;
                }
            }
        }
        Ok(deliveries)
    }

    fn send(&mut self, sequence: u64, member: u64) -> Option<Delivery> {
        self.next_delivery += 1;
        let delivery = self.next_delivery;
        let item = self.items.get_mut(&sequence)?;
        item.attempts = item.attempts.saturating_add(1);
        item.state = DeliveryState::Out { member, delivery };
        let receipt = [sequence.to_be_bytes(), delivery.to_be_bytes()].concat();
        Some(Delivery {
            sequence,
            attempt: item.attempts,
            receipt,
            message: item.message.clone(),
        })
    }

    pub(super) fn hold(&mut self, receipt: &[u8]) -> Result<Held> {
        let (sequence, delivery) = parse(receipt)?;
        let over = || {
            Error::not_found("the delivery is over: it was settled, or the message went out again")
        };
        let item = self.items.get_mut(&sequence).ok_or_else(over)?;
        match item.state {
            DeliveryState::Out {
                member,
                delivery: newest,
            } if newest == delivery => {
                item.state = DeliveryState::Held { member, delivery };
                Ok(Held {
                    sequence,
                    attempts: item.attempts,
                    lane: item.lane,
                })
            }
            DeliveryState::Held {
                delivery: newest, ..
            } if newest == delivery => Err(Error::unavailable(
                "a verdict of the delivery is being written down; it counts unless that fails",
            )),
            _ => Err(over()),
        }
    }

    pub(super) fn hold_idle(&mut self, sequence: u64) -> Result<Held> {
        let missing = || Error::not_found(format!("the group holds no message {sequence}"));
        let item = self.items.get_mut(&sequence).ok_or_else(missing)?;
        if item.state != DeliveryState::Here {
            return Err(Error::conflict(format!(
                "message {sequence} is with a member of the group"
            )));
        }
        self.ready.remove(&(item.due, sequence));
        item.state = DeliveryState::Held {
            member: NOBODY,
            delivery: 0,
        };
        Ok(Held {
            sequence,
            attempts: item.attempts,
            lane: item.lane,
        })
    }

    pub(super) fn resume(&mut self, sequence: u64) {
        let Some(item) = self.items.get_mut(&sequence) else {
            return;
        };
        let DeliveryState::Held { member, delivery } = item.state else {
            return;
        };
        item.state = DeliveryState::Out { member, delivery };
        if !self.members.contains(&member) {
            self.put_back(sequence, Instant::now());
        }
    }

    pub(super) fn put_back(&mut self, sequence: u64, due: Instant) {
        let away = |item: &&mut Item| item.state != DeliveryState::Here;
        let Some(item) = self.items.get_mut(&sequence).filter(away) else {
            return;
        };
        item.state = DeliveryState::Here;
        item.due = due;
        let members = item.lane.and_then(|lane| self.lanes.get(&lane));
        // What was out is the first of its lane; what an operator held may wait for another one.
        if members.is_none_or(|members| members.first() == Some(&sequence)) {
            self.ready.insert((due, sequence));
        }
    }

    pub(super) fn finish(&mut self, sequence: u64) {
        let Some(item) = self.items.remove(&sequence) else {
            return;
        };
        self.bytes -= item.bytes;
        self.ready.remove(&(item.due, sequence));
        let Some(lane) = item.lane else { return };
        let Some(members) = self.lanes.get_mut(&lane) else {
            return;
        };
        members.remove(&sequence);
        match members.first() {
            None => drop(self.lanes.remove(&lane)),
            Some(next) => {
                if let Some(item) = self
                    .items
                    .get(next)
                    .filter(|item| item.state == DeliveryState::Here)
                {
                    self.ready.insert((item.due, *next));
                }
            }
        }
    }

    pub(super) fn leave(&mut self, leaving: u64) {
        if !self.members.remove(&leaving) {
            return;
        }
        let is_its = |item: &Item| matches!(item.state, DeliveryState::Out { member, .. } if member == leaving);
        let its: Vec<_> = self
            .items
            .iter()
            .filter(|(_, item)| is_its(item))
            .map(|(sequence, _)| *sequence)
            .collect();
        let now = Instant::now();
        for sequence in its {
            self.put_back(sequence, now);
        }
    }
}

fn parse(receipt: &[u8]) -> Result<(u64, u64)> {
    let halves = receipt
        .split_first_chunk::<8>()
        .and_then(|(first, rest)| Some((*first, <[u8; 8]>::try_from(rest).ok()?)));
    let (sequence, delivery) = halves.ok_or_else(|| {
        Error::invalid(format!(
            "a receipt of {} bytes; expected the 16 bytes of a delivery",
            receipt.len()
        ))
    })?;
    Ok((u64::from_be_bytes(sequence), u64::from_be_bytes(delivery)))
}
