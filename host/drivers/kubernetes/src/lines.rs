//! The lines of an answer that comes in pieces, each byte of which is looked at once.

/// Lines that come.
#[derive(Default)]
pub(crate) struct Lines {
    unread: Vec<u8>,
    /// Bytes of it that are given out, and those in which no end of a line is left to find.
    given: usize,
    seen: usize,
}

impl Lines {
    /// Adds a piece.
    pub fn add(&mut self, piece: &[u8]) {
        self.unread.drain(..self.given);
        self.seen -= self.given;
        self.given = 0;
        self.unread.extend_from_slice(piece);
    }

    /// The next whole line, with its end; none where the rest has not come yet.
    pub fn next(&mut self) -> Option<&[u8]> {
        let found = self.unread[self.seen..]
            .iter()
            .position(|byte| *byte == b'\n');
        let Some(at) = found else {
            self.seen = self.unread.len();
            return None;
        };
        let begin = self.given;
        self.seen += at + 1;
        self.given = self.seen;
        Some(&self.unread[begin..self.given])
    }

    /// The bytes of no whole line.
    pub fn rest(&self) -> &[u8] {
        &self.unread[self.given..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_whatever_the_pieces_are() {
        let text = b"one\n\ntwo\nthree";
        for size in 1..=text.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.add(piece);
                while let Some(line) = lines.next() {
                    found.push(String::from_utf8(line.to_vec()).unwrap());
                }
            }
            assert_eq!(found, ["one\n", "\n", "two\n"], "{size}");
            assert_eq!(lines.rest(), b"three");
        }
    }

    /// A server that sends a long line byte by byte keeps a processor no longer than one that sends it at once: looked at
    /// anew for each byte, these would be a million million.
    #[test]
    fn a_line_that_comes_byte_by_byte_is_looked_at_once() {
        let mut lines = Lines::default();
        for _ in 0..2 << 20 {
            lines.add(b"x");
            assert!(lines.next().is_none());
        }
        lines.add(b"\n");
        assert_eq!(lines.next().map(<[u8]>::len), Some((2 << 20) + 1));
    }
}
