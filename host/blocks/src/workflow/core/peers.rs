//! The hosts of one store: who lives, by the beats that this one has seen, so that the work of one that died is taken over.

use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

/// The interval of beats, and of looks at those of others.
pub(in crate::workflow) const BEAT: Duration = Duration::from_secs(5);
/// The time without a beat after which a host counts as dead: that of a call of the host, after which none of its writes
/// arrives, and of five beats.
const SILENCE: Duration = Duration::from_secs(30);
/// The time after which the last look is too old to say that somebody was silent since.
const BLIND: Duration = Duration::from_secs(2 * BEAT.as_secs());

/// The name of a host, which it keeps over its starts where it keeps its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::workflow) struct HostId(pub u64);

impl HostId {
    pub fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(HostId)
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The record of a host: it changes with every beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::workflow) struct Beat {
    /// A random number of the process, so that two with one name notice each other.
    pub process: u64,
    pub count: u64,
}

/// The last beat of a host, by the version of its record.
struct Seen {
    version: String,
    since: Instant,
}

/// The other hosts, as this one has seen them. No clock but its own is asked.
#[derive(Default)]
pub(in crate::workflow) struct Peers {
    seen: HashMap<HostId, Seen>,
    looked: Option<Instant>,
}

impl Peers {
    /// Takes in the records of a look. Returns whether somebody who was there is gone, or is silent for too long.
    pub fn look(&mut self, records: Vec<(HostId, String)>, now: Instant) -> bool {
        let last = self.looked.replace(now);
        // Who did not look, or could not, has not seen that others were silent.
        let saw = last.is_some_and(|last| now.saturating_duration_since(last) <= BLIND);
        let mut before = std::mem::take(&mut self.seen);
        for (id, version) in records {
            let since = match before.remove(&id) {
                Some(seen) if saw && seen.version == version => seen.since,
                _ => now,
            };
            self.seen.insert(id, Seen { version, since });
        }
        !before.is_empty() || self.dead(now).next().is_some()
    }

    /// Returns whether a host lives; absent for one that was not seen.
    pub fn lives(&self, id: HostId, now: Instant) -> Option<bool> {
        let seen = self.seen.get(&id)?;
        Some(!seen.is_silent(now))
    }

    /// Those that are silent for too long, with the versions of their records.
    pub fn dead(&self, now: Instant) -> impl Iterator<Item = (HostId, &str)> {
        let all = self.seen.iter();
        all.filter(move |(_, seen)| seen.is_silent(now))
            .map(|(id, seen)| (*id, seen.version.as_str()))
    }
}

impl Seen {
    fn is_silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= SILENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_beats_is_dead_after_a_while_and_one_whose_record_is_gone_at_once() {
        let (a, b) = (HostId(1), HostId(0xfe));
        let records = |a_beat: &str, b_beat: &str| {
            let of = |id, beat: &str| (id, beat.to_owned());
            vec![of(a, a_beat), of(b, b_beat)]
        };
        let (mut peers, start) = (Peers::default(), Instant::now());
        assert!(!peers.look(records("1", "1"), start));
        assert_eq!(peers.lives(a, start), Some(true));
        assert_eq!(peers.lives(HostId(3), start), None);
        let mut late = start;
        for beat in 2..8 {
            late += BEAT;
            let found = peers.look(records(&beat.to_string(), "1"), late);
            assert_eq!(found, late >= start + SILENCE, "{beat}");
        }
        assert_eq!(peers.dead(late).collect::<Vec<_>>(), [(b, "1")]);
        assert_eq!(peers.lives(b, late), Some(false));
        assert!(!peers.look(records("8", "2"), late), "it is back");
        assert_eq!(peers.lives(b, late), Some(true));
        assert!(peers.look(records("9", "3").split_off(1), late));
        assert_eq!(peers.lives(a, late), None);
        assert!(!peers.look(records("9", "3").split_off(1), late));
    }

    #[test]
    fn who_could_not_look_takes_nobody_for_dead() {
        let (a, start) = (HostId(1), Instant::now());
        let record = || vec![(a, "1".to_owned())];
        let mut peers = Peers::default();
        peers.look(record(), start);
        let late = start + SILENCE * 3;
        assert!(!peers.look(record(), late));
        assert_eq!(peers.lives(a, late), Some(true));
    }

    #[test]
    fn a_name_is_read_back() {
        for id in [HostId(0), HostId(u64::MAX), HostId(0x1f)] {
            assert_eq!(HostId::parse(&id.to_string()), Some(id));
        }
        assert_eq!(HostId::parse("host"), None);
    }
}
