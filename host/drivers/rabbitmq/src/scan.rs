//! The bounds of what a server may send, and the little that is read of it before the client does: who the server is.

use parking_lot::Mutex;
use std::sync::Arc;
use wythe_blocks::Measure;

/// Bytes of a frame, which the client asks for; a server that sends larger ones is not listened to.
pub(crate) const FRAME: u32 = 64 << 10;
/// Bytes of one message.
const MESSAGE: u64 = 64 << 20;
/// Bytes of the head of a frame: its type, its channel, its size.
const HEAD: usize = 7;
/// Bytes of a frame's payload that are looked at: of the first frame all, of others the size of a message.
const SHOWN: usize = 12;
/// Bytes of a name or a version.
const WORD: usize = 32;

/// A server as it says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub product: String,
    pub version: String,
}

/// The place in the frames up to which they were looked at.
pub(crate) struct Scan {
    head: Vec<u8>,
    payload: Vec<u8>,
    /// Bytes of the payload and of the frame's end that are missing, while a frame is open.
    left: Option<usize>,
    is_first: bool,
    facts: Arc<Mutex<Facts>>,
}

impl Scan {
    /// The first frame, in which the server says who it is, fills `facts`.
    pub fn new(facts: Arc<Mutex<Facts>>) -> Self {
        Scan {
            head: Vec::with_capacity(HEAD),
            payload: Vec::new(),
            left: None,
            is_first: true,
            facts,
        }
    }

    /// Begins a frame whose head is there.
    fn begin(&mut self) -> Result<(), String> {
        let size = self.head[3..].iter();
        let size = size.fold(0, |size: usize, byte| (size << 8) | usize::from(*byte));
        if self.head.starts_with(b"AMQP") {
            return Err("the server speaks another version of AMQP than 0-9-1".to_owned());
        }
        if !matches!(self.head[0], 1..=3 | 8) {
            return Err("the server sends something that is not AMQP 0-9-1".to_owned());
        }
        if size > FRAME as usize {
            return Err(format!("a frame of the server has more than {FRAME} bytes"));
        }
        self.left = Some(size + 1);
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        if self.is_first {
            *self.facts.lock() = facts(&self.payload);
            self.is_first = false;
        }
        let size = self.payload.get(4..SHOWN).filter(|_| self.head[0] == 2);
        let size = size.map_or(0, |size| {
            size.iter()
                .fold(0_u64, |size, byte| (size << 8) | u64::from(*byte))
        });
        if size > MESSAGE {
            return Err(format!(
                "a message of the server has {size} bytes; at most {MESSAGE} are read: take it out of the queue"
            ));
        }
        self.head.clear();
        self.payload.clear();
        self.left = None;
        Ok(())
    }
}

impl Measure for Scan {
    fn pass(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            let Some(left) = self.left else {
                let count = bytes.len().min(HEAD - self.head.len());
                self.head.extend(&bytes[..count]);
                bytes = &bytes[count..];
                if self.head.len() == HEAD {
                    self.begin()?;
                }
                continue;
            };
            let count = bytes.len().min(left);
            let shown = match self.is_first {
                true => FRAME as usize,
                false => SHOWN,
            };
            let room = shown.saturating_sub(self.payload.len()).min(count);
            self.payload.extend(&bytes[..room]);
            bytes = &bytes[count..];
            self.left = Some(left - count);
            if left == count {
                self.end()?;
            }
        }
        Ok(())
    }
}

fn facts(start: &[u8]) -> Facts {
    Facts {
        product: property(start, b"\x07productS"),
        version: property(start, b"\x07versionS"),
    }
}

/// A text among the properties of the server, after its name and its type.
fn property(start: &[u8], name: &[u8]) -> String {
    let at = start.windows(name.len()).position(|part| part == name);
    let after = at.and_then(|at| start[at + name.len()..].split_first_chunk::<4>());
    let text = after.map_or(&b""[..], |(length, text)| {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(0);
        &text[..length.min(text.len())]
    });
    let plain = text.iter().filter(|byte| byte.is_ascii_graphic());
    plain.take(WORD).map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind, 0, 1], &size[..], payload, &[0xCE]].concat()
    }

    fn scanned(bytes: &[u8], piece: usize) -> Result<Facts, String> {
        let facts = Arc::default();
        let mut scan = Scan::new(Arc::clone(&facts));
        for piece in bytes.chunks(piece) {
            scan.pass(piece)?;
        }
        let facts = facts.lock().clone();
        Ok(facts)
    }

    #[test]
    fn the_first_frame_says_who_the_server_is() {
        let start = b"\0\x0a\0\x0a\0\x09\x07productS\0\0\0\x08RabbitMQ\x07versionS\0\0\0\x063.10.8";
        for piece in [1, 5, 1_000] {
            let facts = scanned(&frame(1, start), piece).unwrap();
            assert_eq!(
                (facts.product.as_str(), facts.version.as_str()),
                ("RabbitMQ", "3.10.8")
            );
        }
        // A length that is a lie ends with the frame.
        let lie = frame(1, b"\x07versionS\xff\xff\xff\xffabc");
        assert_eq!(scanned(&lie, 7).unwrap().version, "abc");
    }

    #[test]
    fn what_is_too_large_or_no_frame_is_refused_by_its_head() {
        let message = |size: u64| [&[0, 60, 0, 0], &size.to_be_bytes()[..], &[0, 0]].concat();
        let both = |second: Vec<u8>| [frame(1, b"start"), second].concat();
        let cases = [
            (both(frame(2, &message(MESSAGE))), ""),
            (both(frame(2, &message(MESSAGE + 1))), "67108864 are read"),
            (vec![1, 0, 0, 0, 1, 0, 1], "more than 65536 bytes"),
            (b"HTTP/1.1 400".to_vec(), "not AMQP 0-9-1"),
            (b"AMQP\0\x01\0\0".to_vec(), "another version of AMQP"),
        ];
        for (bytes, expected) in cases {
            for piece in [1, 3, 100] {
                let error = scanned(&bytes, piece).err().unwrap_or_default();
                assert!(error.contains(expected), "{bytes:?}: {error}");
                assert_eq!(error.is_empty(), expected.is_empty(), "{bytes:?}: {error}");
            }
        }
    }
}
