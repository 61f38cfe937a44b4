//! The holders of locks. Knows no clock; each call is told the time.
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use wythe_sdk::plugin::lock::{Acquired, Grant};
use wythe_sdk::{Error, Result, milliseconds};

/// The same moment by a clock that nobody sets, and by the one on the wall.
#[derive(Clone, Copy)]
pub struct Moment {
    /// The time since the start.
    pub since: Duration,
    /// Milliseconds since 1970; only told, never reckoned with.
    pub wall: u64,
}

struct Held {
    token: u64,
    owner: String,
    ends: Duration,
}

pub struct Locks {
    held: HashMap<String, Held>,
    by_end: BTreeSet<(Duration, String)>,
    last: u64,
}

impl Locks {
    /// A store whose tokens are above this one.
    pub fn new(last: u64) -> Self {
        let (held, by_end) = (HashMap::new(), BTreeSet::new());
        Self { held, by_end, last }
    }

    pub fn acquire(&mut self, key: &str, owner: &str, ttl: u64, now: Moment) -> Acquired {
        self.expire(now);
        if let Some(held) = self.held.get(key) {
            return Acquired::Held(Some(held.grant(now).expires));
        }
        self.last += 1;
        let held = Held {
            token: self.last,
            owner: owner.to_owned(),
            ends: now.since + Duration::from_millis(ttl),
        };
        let grant = held.grant(now);
        self.by_end.insert((held.ends, key.to_owned()));
        self.held.insert(key.to_owned(), held);
        Acquired::Granted(grant)
    }

    pub fn renew(&mut self, key: &str, token: u64, ttl: u64, now: Moment) -> Result<u64> {
        let held = self.take(key, token, now)?;
        let held = Held {
            ends: now.since + Duration::from_millis(ttl),
            ..held
        };
        let expires = held.grant(now).expires;
        self.by_end.insert((held.ends, key.to_owned()));
        self.held.insert(key.to_owned(), held);
        Ok(expires)
    }

    pub fn release(&mut self, key: &str, token: u64, now: Moment) -> Result<()> {
        self.take(key, token, now).map(drop)
    }

    pub fn holder(&mut self, key: &str, now: Moment) -> Option<Grant> {
        self.expire(now);
        self.held.get(key).map(|held| held.grant(now))
    }

    /// The grant of this token, out of the map.
    fn take(&mut self, key: &str, token: u64, now: Moment) -> Result<Held> {
        self.expire(now);
        match self.held.remove_entry(key) {
            Some((key, held)) if held.token == token => {
                self.by_end.remove(&(held.ends, key));
                Ok(held)
            }
            other => {
                self.held.extend(other);
                Err(Error::conflict(format!(
                    "the grant of `{key}` with token {token} is over; acquire it again"
                )))
            }
        }
    }

    /// A grant is there before its end, and not at it.
    fn expire(&mut self, now: Moment) {
        while let Some((ends, _)) = self.by_end.first()
            && *ends <= now.since
            && let Some((_, key)) = self.by_end.pop_first()
        {
            self.held.remove(&key);
        }
    }
}

impl Held {
    fn grant(&self, now: Moment) -> Grant {
        let left = milliseconds(self.ends.saturating_sub(now.since));
        Grant {
            token: self.token,
            expires: now.wall + left,
            owner: self.owner.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_sdk::Kind;

    fn at(milliseconds: u64) -> Moment {
        Moment {
            since: Duration::from_millis(milliseconds),
            wall: 1_000_000 + milliseconds,
        }
    }

    fn token(acquired: &Acquired) -> Option<u64> {
        match acquired {
            Acquired::Granted(grant) => Some(grant.token),
            Acquired::Held(_) => None,
        }
    }

    #[test]
    fn a_grant_is_there_until_its_millisecond() {
        let mut locks = Locks::new(40);
        let first = locks.acquire("a", "me", 5, at(100));
        assert_eq!(token(&first), Some(41));
        let held = locks.acquire("a", "you", 5, at(104));
        assert_eq!(held, Acquired::Held(Some(1_000_105)));
        assert!(locks.holder("a", at(105)).is_none());
        assert_eq!(token(&locks.acquire("a", "you", 5, at(105))), Some(42));
        let late = locks.release("a", 41, at(106)).unwrap_err();
        assert_eq!(
            (late.kind(), late.message()),
            (
                Kind::Conflict,
                "the grant of `a` with token 41 is over; acquire it again"
            )
        );
        assert_eq!(locks.holder("a", at(106)).unwrap().owner, "you");
    }

    #[test]
    fn a_renewal_counts_from_now() {
        let mut locks = Locks::new(0);
        locks.acquire("a", "me", 100, at(0));
        assert_eq!(locks.renew("a", 1, 5, at(50)).unwrap(), 1_000_055);
        assert!(locks.renew("a", 1, 5, at(55)).is_err());
        assert!(locks.held.is_empty() && locks.by_end.is_empty());
    }

    #[test]
    fn a_released_lock_leaves_nothing() {
        let mut locks = Locks::new(0);
        locks.acquire("a", "me", 100, at(0));
        assert!(locks.release("a", 2, at(1)).is_err());
        locks.release("a", 1, at(1)).unwrap();
        assert!(locks.held.is_empty() && locks.by_end.is_empty());
        assert_eq!(token(&locks.acquire("a", "me", 100, at(2))), Some(2));
    }
}
