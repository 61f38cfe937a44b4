//! The payload of a message, cut into segments: each is sealed or opened once it is known whether more follows.

use super::{SEGMENT, TAG, file_key::PayloadKey, undecryptable};
use crate::{Error, Result};
use std::mem;

/// The direction: segments come as plaintext or as ciphertext.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Seal,
    /// Way to open; `always_ends` says whether there is a last segment even where the message is empty, as its header
    /// says.
    Open {
        always_ends: bool,
    },
}

pub(crate) struct Segments {
    key: PayloadKey,
    way: Way,
    /// The bytes of the segment that has not been worked on, never more than a segment. Once anything came, never
    /// empty: whether it is the last shows only with the next byte.
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

    /// Works on one more chunk, and appends the result to `out`, which is not to be used after an error.
    pub(crate) fn push(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let size = match self.way {
            Way::Seal => SEGMENT,
            Way::Open { .. } => SEGMENT + TAG,
        };
        // Once, for whatever the chunk completes.
        let turns = (self.pending.len() + chunk.len()) / size;
        out.reserve(turns * (SEGMENT + TAG));
        if !self.pending.is_empty() {
            let missing = chunk.len().min(size - self.pending.len());
            let (now, later) = chunk.split_at(missing);
            self.pending.extend_from_slice(now);
            if later.is_empty() {
                return Ok(());
            }
            let segment = mem::take(&mut self.pending);
            self.turn(&segment, false, out)?;
            self.pending = segment;
            self.pending.clear();
            chunk = later;
        }
        while chunk.len() > size {
            let (segment, later) = chunk.split_at(size);
            self.turn(segment, false, out)?;
            chunk = later;
        }
        self.pending.extend_from_slice(chunk);
        Ok(())
    }

    /// An empty message is sealed as one segment of nothing.
    pub(crate) fn finish(mut self, out: &mut Vec<u8>) -> Result<()> {
        let may_have_none = self.way == Way::Open { always_ends: false };
        if self.pending.is_empty() && may_have_none {
            return Ok(());
        }
        let segment = mem::take(&mut self.pending);
        self.turn(&segment, true, out)
    }

    /// Works on one segment in the place where it comes out, so it is copied once.
    fn turn(&mut self, segment: &[u8], last: bool, out: &mut Vec<u8>) -> Result<()> {
        let number = u32::try_from(self.next);
        let number = number.map_err(|_| Error::invalid("a message has at most 256 TiB"))?;
        let begin = out.len();
        out.extend_from_slice(segment);
        match self.way {
            Way::Seal => {
                let tag = self.key.seal(number, last, &mut out[begin..])?;
                out.extend_from_slice(tag.as_ref());
            }
            Way::Open { .. } => {
                let size = self.key.open(number, last, &mut out[begin..])?;
                // Only a message of nothing may have a segment of nothing.
                if size == 0 && number > 0 {
                    return Err(undecryptable());
                }
                out.truncate(begin + size);
            }
        }
        self.next += 1;
        Ok(())
    }
}
