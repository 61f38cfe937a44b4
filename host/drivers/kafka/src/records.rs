//! Batches of records, as the broker keeps them (message format 2).

use crate::{
    codec::{Codec, Packed},
    wire::{Odd, Reader, Writer},
};
use bytes::Bytes;
use std::borrow::Cow;

/// The bytes of a batch before its records.
pub(crate) const HEAD: usize = 61;
/// The bytes of a record beside its key, its value and its headers, at most.
const AROUND: usize = 32;
/// The place of the checksum, and of what it is about.
const CHECKSUM: usize = 17;
const CHECKED: usize = 21;
/// Bits of the attributes of a batch.
const COMPRESSION: i16 = 7;
const CONTROL: i16 = 1 << 5;
/// Bytes of the records of a batch once they are unpacked: no answer that brings one has more.
pub(crate) const UNPACKED: usize = 64 << 20;
/// Headers of a record that is read.
const HEADERS: i64 = 10_000;
/// Bytes of memory of a record and of a header beside their texts.
const RECORD: usize = 256;
const HEADER: usize = 96;

/// A record, as it is published and read. A value that is absent says of a compacted topic that its key is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl Record {
    /// The bytes that it takes in a batch, at most.
    pub fn size(&self) -> usize {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + length(value.as_ref()) + 10);
        AROUND + length(self.key.as_ref()) + length(self.value.as_ref()) + headers.sum::<usize>()
    }
}

fn length(bytes: Option<&Bytes>) -> usize {
    bytes.map_or(0, Bytes::len)
}

/// The proof by which the broker knows a batch that comes twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub producer: i64,
    pub epoch: i16,
    /// The number of the first record of the batch.
    pub sequence: i32,
}

/// Writes a batch, packed where that makes it smaller; `now` is in milliseconds since 1970.
pub(crate) fn encode<'a>(
    records: impl ExactSizeIterator<Item = &'a Record>,
    now: i64,
    stamp: Stamp,
    codec: Option<Codec>,
) -> Vec<u8> {
    let count = i32::try_from(records.len()).unwrap_or(i32::MAX);
    let mut batch = Writer::default();
    batch.i64(0);
    batch.i32(0);
    batch.i32(-1);
    batch.i8(2);
    batch.i32(0);
    batch.i16(0);
    batch.i32(count - 1);
    batch.i64(now);
    batch.i64(now);
    batch.i64(stamp.producer);
    batch.i16(stamp.epoch);
    batch.i32(stamp.sequence);
    batch.i32(count);
    for (number, record) in (0..).zip(records) {
        let mut body = Writer::default();
        body.i8(0);
        body.varint(0);
        body.varint(number);
        body.var_bytes(record.key.as_deref());
        body.var_bytes(record.value.as_deref());
        body.varint(i64::try_from(record.headers.len()).unwrap_or(i64::MAX));
        for (name, value) in &record.headers {
            body.var_bytes(Some(name.as_bytes()));
            body.var_bytes(value.as_deref());
        }
        batch.var_bytes(Some(&body.0));
    }
    let mut bytes = batch.0;
    let packed = codec.and_then(|codec| Some((codec.number(), codec.pack(&bytes[HEAD..]).ok()?)));
    if let Some((number, packed)) = packed.filter(|(_, packed)| packed.len() < bytes.len() - HEAD) {
        bytes.truncate(HEAD);
        bytes.extend(packed);
        bytes[CHECKED..CHECKED + 2].copy_from_slice(&number.to_be_bytes());
    }
    let length = i32::try_from(bytes.len() - 12).unwrap_or(i32::MAX);
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c(&bytes[CHECKED..]);
    bytes[CHECKSUM..CHECKED].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// The records of an answer, with their offsets.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub records: Vec<(i64, Record)>,
    /// The offset behind what was read; absent where nothing was.
    pub next: Option<i64>,
    /// Bytes of memory of the records.
    pub size: usize,
}

/// The reason why batches cannot be read; the records before are good.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    Odd(Odd),
    /// The number of the compression.
    Compressed(i16),
    /// The batch has more than [`UNPACKED`] bytes.
    Large,
    /// The number of the message format.
    Format(i8),
}

impl From<Odd> for Unread {
    fn from(odd: Odd) -> Self {
        Unread::Odd(odd)
    }
}

impl From<Packed> for Unread {
    fn from(packed: Packed) -> Self {
        match packed {
            Packed::Odd => Unread::Odd(Odd("a batch is not compressed as it says")),
            Packed::Large => Unread::Large,
        }
    }
}

/// Reads batches into `read` from an offset on, of which the last one may be cut short. Once there are `room` bytes it reads no
/// further, even within a batch. Markers of transactions are passed over.
pub(crate) fn decode(bytes: &[u8], from: i64, room: usize, read: &mut Read) -> Result<(), Unread> {
    let mut rest = Reader(bytes);
    while rest.0.len() >= HEAD && read.size < room {
        let mut batch = rest;
        let base = batch.i64()?;
        let length = usize::try_from(batch.i32()?).map_err(|_| Odd("a length is negative"))?;
        let format = Reader(&batch.0[4..]).i8()?;
        if format != 2 {
            return Err(Unread::Format(format));
        }
        let Ok(whole) = rest.take(12 + length) else {
            return Ok(());
        };
        if whole.len() < HEAD {
            return Err(Odd("a batch is too short").into());
        }
        let (count, size) = (read.records.len(), read.size);
        let whole = one(whole, base, (from, room), read);
        whole.inspect_err(|_| {
            read.records.truncate(count);
            read.size = size;
        })?;
    }
    Ok(())
}

fn one(batch: &[u8], base: i64, (from, room): (i64, usize), read: &mut Read) -> Result<(), Unread> {
    let checksum = Reader(&batch[CHECKSUM..]).i32()?;
    if checksum as u32 != crc32c(&batch[CHECKED..]) {
        return Err(Odd("a batch has another checksum than it says").into());
    }
    let mut reader = Reader(&batch[CHECKED..]);
    let attributes = reader.i16()?;
    let last = reader.i32()?;
    // Times, the producer, its epoch and its sequence.
    reader.take(8 + 8 + 8 + 2 + 4)?;
    let count = reader.i32()?;
    let next = base.checked_add(i64::from(last) + 1);
    let next = next.filter(|next| base >= 0 && *next > base);
    let next = next.ok_or(Odd("a batch has no offsets"))?;
    let mut least = read.next.unwrap_or(0).max(base);
    if attributes & CONTROL == 0 && next > from {
        let records = unpacked(reader.0, attributes & COMPRESSION)?;
        let mut reader = Reader(&records);
        for _ in 0..count {
            let body = reader.var_bytes()?.ok_or(Odd("a record is missing"))?;
            let (delta, body) = place(Reader(body))?;
            let offset = base.checked_add(delta);
            let offset = offset.filter(|offset| (least..next).contains(offset));
            let offset = offset.ok_or(Odd("a record is outside of its batch, or not in order"))?;
            least = offset + 1;
            if offset < from {
                continue;
            }
            if read.size >= room {
                read.next = Some(offset);
                return Ok(());
            }
            let (record, size) = record(body)?;
            read.size += size;
            read.records.push((offset, record));
        }
    }
    read.next = Some(next);
    Ok(())
}

/// The records of a batch, unpacked where they are compressed.
fn unpacked(bytes: &[u8], compression: i16) -> Result<Cow<'_, [u8]>, Unread> {
    if compression == 0 {
        return Ok(bytes.into());
    }
    let codec = Codec::of(compression).ok_or(Unread::Compressed(compression))?;
    Ok(codec.unpack(bytes, UNPACKED)?.into())
}

/// The place of a record in its batch, and the rest of it.
fn place(mut body: Reader<'_>) -> Result<(i64, Reader<'_>), Odd> {
    body.i8()?;
    body.varint()?;
    Ok((body.varint()?, body))
}

/// A record, and the bytes of memory that it takes.
fn record(mut body: Reader<'_>) -> Result<(Record, usize), Odd> {
    let key = body.var_bytes()?.map(Bytes::copy_from_slice);
    let value = body.var_bytes()?.map(Bytes::copy_from_slice);
    let count = body.varint()?;
    // Headers without texts are many in few bytes.
    if count > HEADERS {
        return Err(Odd("a record has too many headers"));
    }
    let mut size = RECORD + length(key.as_ref()) + length(value.as_ref());
    let mut headers = Vec::new();
    for _ in 0..count {
        let name = body.var_bytes()?.unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        let value = body.var_bytes()?;
        size += HEADER + name.len() + value.map_or(0, <[u8]>::len);
        headers.push((name, value.map(Bytes::copy_from_slice)));
    }
    let record = Record {
        key,
        value,
        headers,
    };
    Ok((record, size))
}

/// The remainders of each byte by the polynomial of Castagnoli, mirrored.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut value, mut bit) = (byte as u32, 0);
        while bit < 8 {
            value = (value >> 1) ^ (0x82f6_3b78 * (value & 1));
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
}

/// The checksum CRC-32C.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| (sum >> 8) ^ TABLE[usize::from(sum as u8 ^ byte)];
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests;
