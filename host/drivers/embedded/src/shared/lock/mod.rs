//! Grants of locks, their tokens and their time, whatever they are stored in.
//!
//! Within a process a grant ends by the monotonic clock, and the times that are told are reckoned from it: a jump of
//! the wall clock, either way, neither extends a grant nor ends it early. Over a restart only the wall clock is left.
//! There a jump back extends a grant by its own ttl at most, since no more than that is ever restored, and a jump
//! forward while no process runs ends it early; nothing on one machine can tell that from time that has passed. While
//! the machine sleeps the monotonic clock stands, so a grant outlives its told end by as long as everybody slept.

use crate::shared::clock;
use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant, SystemTime},
};
use wythe_blocks::{
    Error, Key, Result,
    lock::{Acquired, Grant},
};

/// The same moment by both clocks.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    /// Nanoseconds since 1970.
    pub wall: u64,
    pub monotonic: Instant,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Moment {
            wall: clock::now(),
            monotonic: Instant::now(),
        }
    }

    /// Time that the wall clock shows when the other one shows `ends`, if nobody sets it.
    fn wall_at(self, ends: Instant) -> u64 {
        let left = ends.saturating_duration_since(self.monotonic);
        self.wall.saturating_add(clock::nanoseconds(left))
    }

    fn time_at(self, ends: Instant) -> SystemTime {
        clock::time(self.wall_at(ends))
    }
}

#[derive(Debug)]
pub(crate) enum Order {
    Acquire {
        key: Key,
        owner: String,
        ttl: Duration,
    },
    Renew {
        key: Key,
        token: u64,
        ttl: Duration,
    },
    Release {
        key: Key,
        token: u64,
    },
    Holder {
        key: Key,
    },
}

impl Order {
    pub(crate) fn key(&self) -> &str {
        match self {
            Order::Acquire { key, .. }
            | Order::Renew { key, .. }
            | Order::Release { key, .. }
            | Order::Holder { key } => key.whole(),
        }
    }
}

#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Acquired(Acquired),
    Renewed(SystemTime),
    Released,
    Holder(Option<Grant>),
}

impl Answer {
    pub(crate) fn is_change(&self) -> bool {
        match self {
            Answer::Acquired(Acquired::Held { .. }) | Answer::Holder(_) => false,
            Answer::Acquired(Acquired::Granted(_)) | Answer::Renewed(_) | Answer::Released => true,
        }
    }
}

/// A grant as it is written down.
#[cfg_attr(test, derive(Clone, Debug, PartialEq))]
pub(crate) struct Row<'a> {
    pub token: u64,
    /// Nanoseconds since 1970.
    pub expires: u64,
    /// Nanoseconds.
    pub ttl: u64,
    pub owner: &'a str,
}

struct Held {
    token: u64,
    owner: String,
    ttl: Duration,
    ends: Instant,
}

pub(crate) struct Locks {
    held: HashMap<String, Held>,
    /// End and key of each grant; in step with what is held.
    ends: BTreeSet<(Instant, String)>,
    last: u64,
}

impl Locks {
    /// `last` is the highest token so far. One number serves all keys, so that nothing has to be kept of a key that is
    /// free.
    pub(crate) fn new(last: u64) -> Self {
        Locks {
            held: HashMap::new(),
            ends: BTreeSet::new(),
            last,
        }
    }

    /// The highest token of a new store: now, as tokens count time. So what was fenced with tokens of a store that is
    /// gone stays behind those of the new one.
    pub(crate) fn first() -> u64 {
        micros(clock::now())
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    pub(crate) fn restore(&mut self, key: &str, row: &Row<'_>, now: Moment) {
        let left = row.expires.saturating_sub(now.wall).min(row.ttl);
        // No time that can be stored is beyond the end of the clock.
        let ends = now.monotonic + Duration::from_nanos(left);
        let held = Held {
            token: row.token,
            owner: row.owner.to_owned(),
            ttl: Duration::from_nanos(row.ttl),
            ends,
        };
        self.set(key, Some(held));
    }

    /// Returns the row that is to be written down of a key.
    pub(crate) fn row(&self, key: &str, now: Moment) -> Option<Row<'_>> {
        self.held.get(key).map(|held| Row {
            token: held.token,
            expires: now.wall_at(held.ends),
            ttl: clock::nanoseconds(held.ttl),
            owner: &held.owner,
        })
    }

    pub(crate) fn apply(&mut self, order: &Order, now: Moment) -> Result<Answer> {
        Ok(match order {
            Order::Acquire { key, owner, ttl } => {
                Answer::Acquired(self.acquire(key, owner, *ttl, now)?)
            }
            Order::Renew { key, token, ttl } => {
                Answer::Renewed(self.renew(key, *token, *ttl, now)?)
            }
            Order::Release { key, token } => {
                self.own(key, *token, now)?;
                self.set(key, None);
                Answer::Released
            }
            Order::Holder { key } => {
                let grant = |held: &Held| held.grant(now);
                Answer::Holder(self.alive(key, now).map(grant))
            }
        })
    }

    /// Keys whose time is over, the longest past first.
    pub(crate) fn over(&self, now: Moment, limit: usize) -> Vec<String> {
        let ended = self.ends.iter().take(limit);
        let ended = ended.take_while(|(ends, _)| *ends <= now.monotonic);
        ended.map(|(_, key)| key.clone()).collect()
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.set(key, None);
    }

    fn acquire(&mut self, key: &str, owner: &str, ttl: Duration, now: Moment) -> Result<Acquired> {
        if let Some(held) = self.alive(key, now) {
            let expires = Some(now.time_at(held.ends));
            return Ok(Acquired::Held { expires });
        }
        let ends = end(ttl, now)?;
        // The time of the grant, in microseconds since 1970, tells its holder nothing of the grants of others, as a
        // counter would. Where the clock stands or went back, tokens grow all the same.
        self.last = micros(now.wall).max(self.last + 1);
        let held = Held {
            token: self.last,
            owner: owner.to_owned(),
            ttl,
            ends,
        };
        let grant = held.grant(now);
        self.set(key, Some(held));
        Ok(Acquired::Granted(grant))
    }

    fn renew(&mut self, key: &Key, token: u64, ttl: Duration, now: Moment) -> Result<SystemTime> {
        let owner = self.own(key, token, now)?.owner.clone();
        let ends = end(ttl, now)?;
        let held = Held {
            token,
            owner,
            ttl,
            ends,
        };
        self.set(key, Some(held));
        Ok(now.time_at(ends))
    }

    fn alive(&self, key: &str, now: Moment) -> Option<&Held> {
        self.held.get(key).filter(|held| held.ends > now.monotonic)
    }

    fn own(&self, key: &Key, token: u64, now: Moment) -> Result<&Held> {
        let held = self.alive(key, now).filter(|held| held.token == token);
        held.ok_or_else(|| {
            Error::conflict(format!(
                "the grant of `{}` with token {token} is over; acquire it again",
                key.shown()
            ))
        })
    }

    fn set(&mut self, key: &str, held: Option<Held>) {
        let ends = held.as_ref().map(|held| held.ends);
        let old = match held {
            Some(held) => self.held.insert(key.to_owned(), held),
            None => self.held.remove(key),
        };
        if let Some(old) = old {
            self.ends.remove(&(old.ends, key.to_owned()));
        }
        if let Some(ends) = ends {
            self.ends.insert((ends, key.to_owned()));
        }
    }
}

impl Held {
    fn grant(&self, now: Moment) -> Grant {
        Grant {
            token: self.token,
            expires: now.time_at(self.ends),
            owner: self.owner.clone(),
        }
    }
}

fn micros(nanoseconds: u64) -> u64 {
    nanoseconds / 1_000
}

fn end(ttl: Duration, now: Moment) -> Result<Instant> {
    now.monotonic
        .checked_add(ttl)
        .ok_or_else(|| Error::invalid(format!("a ttl of {ttl:?}; expected one that ends some day")))
}

pub(crate) fn mixed_up(answer: &Answer) -> Error {
    Error::internal(format!("an order was answered as another: {answer:?}"))
}

#[cfg(test)]
mod tests;
