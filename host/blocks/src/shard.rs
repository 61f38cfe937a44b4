//! Shards: the part of a store that a row on disk belongs to, so that several hosts over one store can each own some.
//!
//! Every row that a loop scans has the shard of what it is about in its key. The number of shards and the hash are on
//! disk with it, so neither ever changes.

use std::fmt;

/// The number of shards.
pub const SHARDS: usize = 256;

/// The shard of a row: the first byte of the BLAKE3 hash of the key that it is about, which is the same on every machine
/// and in every version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    pub const FIRST: Shard = Shard(0);
    pub const LAST: Shard = Shard(u8::MAX);

    /// Finds the shard of a key. This is the one place that decides it.
    pub fn of(key: &str) -> Self {
        Shard(blake3::hash(key.as_bytes()).as_bytes()[0])
    }

    /// The shard with this number.
    pub fn new(number: u8) -> Self {
        Shard(number)
    }

    pub fn number(self) -> u8 {
        self.0
    }

    pub(crate) fn index(self) -> usize {
        self.0.into()
    }

    pub fn all() -> impl Iterator<Item = Shard> {
        (0..=u8::MAX).map(Shard)
    }

    /// The shard after this one; none after the last.
    pub fn next(self) -> Option<Shard> {
        self.0.checked_add(1).map(Shard)
    }

    /// Reads a shard as it stands in a key: two digits, and nothing else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_whole = text.len() == 2 && text.as_bytes().iter().all(is_digit);
        is_whole.then(|| u8::from_str_radix(text, 16).ok().map(Shard))?
    }
}

impl fmt::Display for Shard {
    /// Two digits, so that the order of keys is that of shards.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

/// A set of shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shards([u64; SHARDS / 64]);

impl Shards {
    pub fn all() -> Self {
        Shards([u64::MAX; SHARDS / 64])
    }

    fn bit(shard: Shard) -> (usize, u64) {
        (shard.index() / 64, 1 << (shard.index() % 64))
    }

    pub fn insert(&mut self, shard: Shard) {
        let (word, bit) = Self::bit(shard);
        self.0[word] |= bit;
    }

    pub fn remove(&mut self, shard: Shard) {
        let (word, bit) = Self::bit(shard);
        self.0[word] &= !bit;
    }

    pub fn has(&self, shard: Shard) -> bool {
        let (word, bit) = Self::bit(shard);
        self.0[word] & bit != 0
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// The first of them from `start` on; after the last shard comes the first.
    pub fn from(&self, start: Shard) -> Option<Shard> {
        if self.is_empty() {
            return None;
        }
        let around = (0..SHARDS).map(|step| Shard(start.0.wrapping_add(step as u8)));
        around.into_iter().find(|shard| self.has(*shard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_the_same_for_ever() {
        let known = [
            ("", 175),
            ("account/a:1", 69),
            ("order-7", 18),
            ("shop/tick", 193),
        ];
        let found = known.map(|(key, _)| (key, Shard::of(key).number()));
        assert_eq!(found, known);
        let mut counts = [0; SHARDS];
        (0..100_000).for_each(|n| counts[Shard::of(&n.to_string()).index()] += 1);
        assert!(counts.iter().all(|count| (250..550).contains(count)));
    }

    #[test]
    fn a_shard_is_read_back_from_its_two_digits() {
        for shard in Shard::all() {
            assert_eq!(Shard::parse(&shard.to_string()), Some(shard));
        }
        for bad in ["", "0", "000", "FF", "+f", "zz", "ä"] {
            assert_eq!(Shard::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_set_is_walked_around() {
        let mut set = Shards::default();
        assert_eq!(set.from(Shard::FIRST), None);
        for number in [3, 64, 200] {
            set.insert(Shard::new(number));
        }
        let from = |number| set.from(Shard::new(number)).map(Shard::number);
        assert_eq!([0, 4, 65, 201].map(from), [3, 64, 200, 3].map(Some));
        assert_eq!(set.len(), 3);
        set.remove(Shard::new(64));
        assert!(!set.has(Shard::new(64)));
        assert_eq!(Shards::all().len(), 256);
    }
}
