//! The payload of a message, cut into segments: each is sealed or opened once it is known whether more follows.

use super::{SEGMENT, TAG, file_key::PayloadKey, undecryptable};
use crate::{Error, Result};

/// Whether segments come as plaintext or as ciphertext.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Seal,
    Open,
}

pub(crate) struct Segments {
    key: PayloadKey,
    way: Way,
    /// Not longer than a segment. Once anything came, never empty: whether it is the last shows only with the next byte.
    pending: Vec<u8>,
    next: u64,
}

impl Segments {
    pub(crate) fn new(key: PayloadKey, way: Way) -> Self {
        Segments {
            key,
            way,
            pending: Vec::new(),
            next: 0,
        }
    }

    pub(crate) fn push(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let size = match self.way {
            Way::Seal => SEGMENT,
            Way::Open => SEGMENT + TAG,
        };
        while !chunk.is_empty() {
            if self.pending.len() == size {
                self.turn(false, out)?;
            }
            let (now, later) = chunk.split_at(chunk.len().min(size - self.pending.len()));
            self.pending.extend_from_slice(now);
            chunk = later;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.turn(true, out)
    }

    fn turn(&mut self, last: bool, out: &mut Vec<u8>) -> Result<()> {
        let number = u32::try_from(self.next);
        let number = number.map_err(|_| Error::invalid("a message has at most 256 TiB"))?;
        match self.way {
            Way::Seal => {
                self.key.seal(number, last, &mut self.pending)?;
                out.extend_from_slice(&self.pending);
            }
            Way::Open => {
                let plain = self.key.open(number, last, &mut self.pending)?;
                // Only a message of nothing may have a segment of nothing.
                if plain.is_empty() && number > 0 {
                    return Err(undecryptable());
                }
                out.extend_from_slice(plain);
            }
        }
        self.pending.clear();
        self.next += 1;
        Ok(())
    }
}
