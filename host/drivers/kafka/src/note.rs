//! The note that the host keeps with a group's place in a partition: which messages behind it are not settled, and how
//! often each was delivered. Others who read as the group see the place alone, and get again what was settled behind it.

use std::{collections::BTreeMap, fmt::Write as _};

/// Bytes of a note: a broker takes 4,096 by default.
const LONGEST: usize = 4_000;
/// The word by which a note of the host begins.
const MARK: &str = "wythe1";

/// The messages of a partition from its place on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    /// The offset from which on no message is settled.
    pub end: i64,
    /// Those before that are not settled, with their deliveries so far.
    pub open: BTreeMap<i64, u32>,
}

impl Note {
    /// Writes it for a place. Where it would be too long, it ends sooner: what was settled behind that comes again.
    pub fn write(&self, place: i64) -> String {
        let (mut text, mut end) = (String::new(), self.end);
        for (offset, attempts) in &self.open {
            let before = text.len();
            // A text takes whatever is written.
            let _ = write!(text, ",{}:{attempts}", offset - place);
            if text.len() + MARK.len() + 21 > LONGEST {
                text.truncate(before);
                end = *offset;
                break;
            }
        }
        format!("{MARK},{}{text}", end - place)
    }

    /// Reads it; a note of somebody else says nothing.
    pub fn read(place: i64, text: &str) -> Self {
        let nothing = Note {
            end: place,
            open: BTreeMap::new(),
        };
        Self::parse(place, text).unwrap_or(nothing)
    }

    fn parse(place: i64, text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(MARK)?.strip_prefix(',')?.split(',');
        let at = |text: &str| place.checked_add(text.parse().ok().filter(|by| *by >= 0)?);
        let end = at(parts.next()?)?;
        let mut open = BTreeMap::new();
        for part in parts {
            let (by, attempts) = part.split_once(':')?;
            let offset = at(by).filter(|offset| *offset < end)?;
            open.insert(offset, attempts.parse().ok()?);
        }
        Some(Note { end, open })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_comes_back_as_it_was() {
        let note = Note {
            end: 1_000,
            open: [(990, 1), (995, u32::MAX)].into(),
        };
        let text = note.write(990);
        assert_eq!(text, "wythe1,10,0:1,5:4294967295");
        assert_eq!(Note::read(990, &text), note);
    }

    #[test]
    fn a_note_that_would_be_too_long_ends_sooner() {
        let note = Note {
            end: 5_000,
            open: (0..5_000).map(|offset| (offset, 7)).collect(),
        };
        let text = note.write(0);
        assert!(text.len() <= LONGEST, "{}", text.len());
        let read = Note::read(0, &text);
        assert!(read.end < 1_000 && read.open.len() == read.end as usize);
    }

    #[test]
    fn a_note_of_somebody_else_says_nothing() {
        let nothing = Note {
            end: 7,
            open: BTreeMap::new(),
        };
        for text in [
            "",
            "wythe1",
            "wythe2,1",
            "wythe1,-1",
            "wythe1,1,1:1",
            "wythe1,1,0",
            "wythe1,9223372036854775807",
        ] {
            assert_eq!(Note::read(7, text), nothing, "{text}");
        }
    }
}
