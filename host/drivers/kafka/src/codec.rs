//! The compressions of batches. What is unpacked has a bound, which holds before the bytes are there.

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use lz4_flex::frame::{BlockMode, FrameDecoder, FrameEncoder, FrameInfo};
use ruzstd::{
    decoding::StreamingDecoder,
    encoding::{CompressionLevel, compress_to_vec},
};
use std::io::{self, Read, Write};

/// The bytes by which Snappy in blocks begins, as most clients write it: a mark and two numbers of versions.
const BLOCKS: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// The mark alone, which another version has too.
const MARK: usize = 8;
/// Bytes of a block that is written.
const BLOCK: usize = 32 << 10;

/// Bytes of the window of Zstandard, which has room before anything is in it.
const WINDOW: u64 = 64 << 20;

/// A compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// The reason why nothing is unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packed {
    /// The bytes are not what they should be.
    Odd,
    /// It has more bytes than it may have.
    Large,
}

impl From<io::Error> for Packed {
    fn from(_: io::Error) -> Self {
        Packed::Odd
    }
}

impl Codec {
    /// The compression by its number in a batch.
    pub fn of(number: i16) -> Option<Self> {
        match number {
            1 => Some(Codec::Gzip),
            2 => Some(Codec::Snappy),
            3 => Some(Codec::Lz4),
            4 => Some(Codec::Zstd),
            _ => None,
        }
    }

    pub fn number(self) -> i16 {
        match self {
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        }
    }

    /// The bytes that were packed, which are at most `limit`.
    pub fn unpack(self, bytes: &[u8], limit: usize) -> Result<Vec<u8>, Packed> {
        match self {
            Codec::Gzip => drain(GzDecoder::new(bytes), limit),
            Codec::Snappy => snappy(bytes, limit),
            Codec::Lz4 => drain(FrameDecoder::new(bytes), limit),
            Codec::Zstd => {
                let decoder = StreamingDecoder::new_with_max_window_size(bytes, WINDOW);
                drain(decoder.map_err(|_| Packed::Odd)?, limit)
            }
        }
    }

    /// Packs bytes, in the form that other clients write.
    pub fn pack(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Codec::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Codec::Snappy => {
                let mut packed = BLOCKS.to_vec();
                for block in bytes.chunks(BLOCK) {
                    let block = snap::raw::Encoder::new().compress_vec(block)?;
                    let length = u32::try_from(block.len()).unwrap_or(u32::MAX);
                    packed.extend(length.to_be_bytes());
                    packed.extend(block);
                }
                Ok(packed)
            }
            Codec::Lz4 => {
                // Clients in Java know of no other blocks.
                let info = FrameInfo::new().block_mode(BlockMode::Independent);
                let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(bytes)?;
                Ok(encoder.finish()?)
            }
            Codec::Zstd => Ok(compress_to_vec(bytes, CompressionLevel::Fastest)),
        }
    }
}

/// Reads to the end of what is packed, or beyond the limit and no further.
fn drain(packed: impl Read, limit: usize) -> Result<Vec<u8>, Packed> {
    let mut bytes = Vec::new();
    packed.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    match bytes.len() <= limit {
        true => Ok(bytes),
        false => Err(Packed::Large),
    }
}

/// Snappy in blocks, or as one block without a mark, as a few clients write it.
fn snappy(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Packed> {
    let mut all = Vec::new();
    if !bytes.starts_with(&BLOCKS[..MARK]) {
        block(bytes, limit, &mut all)?;
        return Ok(all);
    }
    let mut rest = bytes.get(BLOCKS.len()..).ok_or(Packed::Odd)?;
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Packed::Odd)?;
        let (packed, after) = after.split_at_checked(length).ok_or(Packed::Odd)?;
        block(packed, limit, &mut all)?;
        rest = after;
    }
    match rest.is_empty() {
        true => Ok(all),
        false => Err(Packed::Odd),
    }
}

/// Unpacks a block, which says how large it is before it is there, behind what there is.
fn block(packed: &[u8], limit: usize, all: &mut Vec<u8>) -> Result<(), Packed> {
    let length = snap::raw::decompress_len(packed).map_err(|_| Packed::Odd)?;
    if length > limit - all.len() {
        return Err(Packed::Large);
    }
    let start = all.len();
    all.resize(start + length, 0);
    let unpacked = snap::raw::Decoder::new().decompress(packed, &mut all[start..]);
    unpacked.map(drop).map_err(|_| Packed::Odd)
}

#[cfg(test)]
mod tests;
