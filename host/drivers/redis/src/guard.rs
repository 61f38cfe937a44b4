//! The bounds of what a server may send: its answers are measured before anything of them is kept.

use wythe_blocks::Measure;

/// Bytes of one answer, all of its parts together.
const ANSWER: u64 = 64 << 20;
/// Parts of one answer, those of its parts too.
const PARTS: u64 = 200_000;
/// Bytes of a line: a status, an error or a number.
const LINE: u64 = 64 << 10;
/// Lists within lists.
const DEPTH: usize = 8;

/// The place in the answers up to which they were looked at.
#[derive(Default)]
pub(crate) struct Scan {
    stage: Stage,
    /// Parts that are missing of each list which is open.
    open: Vec<u64>,
    bytes: u64,
    parts: u64,
}

#[derive(Default)]
enum Stage {
    /// The first byte of a part.
    #[default]
    Kind,
    /// A line whose text means nothing here.
    Line(u64),
    /// The length of a text or a list.
    Length { is_list: bool, digits: String },
    /// Bytes of a text that are missing, its end of line included.
    Text(u64),
}

impl Measure for Scan {
    fn pass(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while let Some((first, rest)) = bytes.split_first() {
            if let Stage::Text(left) = &mut self.stage {
                let count = bytes
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= count as u64;
                self.bytes += count as u64;
                if *left == 0 {
                    self.part();
                }
                bytes = &bytes[count..];
                continue;
            }
            bytes = rest;
            self.bytes += 1;
            self.step(*first)?;
        }
        Ok(())
    }
}

impl Scan {
    fn step(&mut self, byte: u8) -> Result<(), String> {
        match &mut self.stage {
            Stage::Kind => {
                self.parts += 1;
                self.stage = match byte {
                    b'+' | b'-' | b':' => Stage::Line(0),
                    b'$' | b'*' => Stage::Length {
                        is_list: byte == b'*',
                        digits: String::new(),
                    },
                    _ => return Err("the server sends something that is not RESP2".to_owned()),
                };
            }
            Stage::Line(_) if byte == b'\n' => self.part(),
            Stage::Line(length) => {
                *length += 1;
                if *length > LINE {
                    return Err(format!("a line of the server has more than {LINE} bytes"));
                }
            }
            Stage::Length { digits, .. } if byte != b'\n' => {
                if digits.len() > 20 {
                    return Err("a length of the server has more than 20 digits".to_owned());
                }
                digits.push(char::from(byte));
            }
            Stage::Length { is_list, digits } => {
                let length = digits.trim_end().parse::<i64>();
                let length = length.map_err(|_| "a length of the server is no number")?;
                let is_list = *is_list;
                return self.begin(is_list, u64::try_from(length).ok());
            }
            Stage::Text(_) => {}
        }
        Ok(())
    }

    /// Begins a text or a list of this length; none where it is null.
    fn begin(&mut self, is_list: bool, length: Option<u64>) -> Result<(), String> {
        match (is_list, length) {
            (_, None) | (true, Some(0)) => self.part(),
            (false, Some(length)) if length > ANSWER.saturating_sub(self.bytes) => {
                return Err(format!(
                    "an answer of the server has more than {ANSWER} bytes"
                ));
            }
            (false, Some(length)) => self.stage = Stage::Text(length + 2),
            (true, Some(length)) if length > PARTS.saturating_sub(self.parts) => {
                return Err(format!(
                    "an answer of the server has more than {PARTS} parts"
                ));
            }
            (true, Some(_)) if self.open.len() == DEPTH => {
                return Err(format!("an answer of the server has lists {DEPTH} deep"));
            }
            (true, Some(length)) => {
                self.open.push(length);
                self.stage = Stage::Kind;
            }
        }
        Ok(())
    }

    /// Ends a part, and the lists of which it is the last one.
    fn part(&mut self) {
        self.stage = Stage::Kind;
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return;
            }
            self.open.pop();
        }
        (self.bytes, self.parts) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a text by pieces of this size.
    fn fed(text: &[u8], size: usize) -> Result<Scan, String> {
        let mut scan = Scan::default();
        text.chunks(size).try_for_each(|piece| scan.pass(piece))?;
        Ok(scan)
    }

    #[test]
    fn answers_are_followed_however_they_are_cut() {
        let text =
            b"+OK\r\n$5\r\na\r\nbc\r\n*2\r\n:1\r\n*2\r\n$-1\r\n*0\r\n-ERR no\r\n*-1\r\n$0\r\n\r\n";
        for size in 1..=text.len() {
            let scan = fed(text, size).unwrap();
            assert!(matches!(scan.stage, Stage::Kind), "{size}");
            assert!(scan.open.is_empty() && scan.bytes == 0, "{size}");
        }
    }

    #[test]
    fn an_answer_beyond_the_bounds_is_refused_by_its_head() {
        let deep = "*1\r\n".repeat(DEPTH + 1);
        let long = format!("+{}", "a".repeat(LINE as usize + 1));
        let cases = [
            ("$4294967296\r\n", "more than 67108864 bytes"),
            ("*2\r\n$67108000\r\n", ""),
            ("*2147483647\r\n", "more than 200000 parts"),
            (deep.as_str(), "lists 8 deep"),
            (long.as_str(), "a line of the server"),
            ("$999999999999999999999999\r\n", "20 digits"),
            ("$x\r\n", "no number"),
            ("HTTP/1.1 400\r\n", "not RESP2"),
            ("%1\r\n", "not RESP2"),
        ];
        for (text, expected) in cases {
            let error = fed(text.as_bytes(), 3).err().unwrap_or_default();
            assert!(error.contains(expected), "{text:?}: {error}");
            assert_eq!(error.is_empty(), expected.is_empty(), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_parts_of_an_answer_count_together() {
        let half = "$40000000\r\n".to_owned() + &"a".repeat(40_000_000) + "\r\n";
        assert!(fed((half.clone() + &half).as_bytes(), 1 << 20).is_ok());
        let both = format!("*2\r\n{half}$40000000\r\n");
        assert!(fed(both.as_bytes(), 1 << 20).is_err());
    }
}
