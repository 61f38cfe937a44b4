//! Batches of records, as the broker keeps them (message format 2).

use crate::wire::{Odd, Reader, Writer};
use bytes::Bytes;

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

/// Writes a batch; `now` is in milliseconds since 1970.
pub(crate) fn encode<'a>(
    records: impl ExactSizeIterator<Item = &'a Record>,
    now: i64,
    stamp: Stamp,
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
    /// The offset behind the last whole batch; absent where there is none.
    pub next: Option<i64>,
}

/// The reason why batches cannot be read; the records before are good.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    Odd(Odd),
    /// The number of the compression.
    Compressed(i16),
    /// The number of the message format.
    Format(i8),
}

impl From<Odd> for Unread {
    fn from(odd: Odd) -> Self {
        Unread::Odd(odd)
    }
}

/// Reads batches into `read`, of which the last one may be cut short. Markers of transactions are passed over.
pub(crate) fn decode(bytes: &[u8], read: &mut Read) -> Result<(), Unread> {
    let mut rest = Reader(bytes);
    while rest.0.len() >= HEAD {
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
        one(whole, base, read)?;
    }
    Ok(())
}

fn one(batch: &[u8], base: i64, read: &mut Read) -> Result<(), Unread> {
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
    match attributes & COMPRESSION {
        0 => {}
        kind => return Err(Unread::Compressed(kind)),
    }
    if attributes & CONTROL == 0 {
        for _ in 0..count {
            let body = reader.var_bytes()?.ok_or(Odd("a record is missing"))?;
            let (delta, record) = record(Reader(body))?;
            let offset = base.checked_add(delta);
            let offset = offset.filter(|offset| (base..next).contains(offset));
            let offset = offset.ok_or(Odd("a record is outside of its batch"))?;
            read.records.push((offset, record));
        }
    }
    read.next = Some(next);
    Ok(())
}

fn record(mut body: Reader<'_>) -> Result<(i64, Record), Odd> {
    body.i8()?;
    body.varint()?;
    let delta = body.varint()?;
    let key = body.var_bytes()?.map(Bytes::copy_from_slice);
    let value = body.var_bytes()?.map(Bytes::copy_from_slice);
    let count = body.varint()?;
    let mut headers = Vec::new();
    for _ in 0..count {
        let name = body.var_bytes()?.unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        headers.push((name, body.var_bytes()?.map(Bytes::copy_from_slice)));
    }
    let record = Record {
        key,
        value,
        headers,
    };
    Ok((delta, record))
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
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        producer: 7,
        epoch: 1,
        sequence: 9,
    };

    fn records() -> Vec<Record> {
        let whole = Record {
            key: Some("key".into()),
            value: Some(Bytes::from_static(b"\0\xff")),
            headers: vec![
                ("a".to_owned(), Some("1".into())),
                ("a".to_owned(), None),
                (String::new(), Some(Bytes::new())),
            ],
        };
        vec![whole, Record::default()]
    }

    fn read(bytes: &[u8]) -> Result<Read, Unread> {
        let mut read = Read::default();
        decode(bytes, &mut read).map(|()| read)
    }

    #[test]
    fn the_checksum_is_that_of_castagnoli() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn records_come_back_as_they_were() {
        let batch = encode(records().iter(), 1_700_000_000_000, STAMP);
        let sizes = records().iter().map(Record::size).sum::<usize>();
        assert!(batch.len() <= HEAD + sizes);
        let mut two = batch.clone();
        let mut second = batch.clone();
        second[..8].copy_from_slice(&40_i64.to_be_bytes());
        two.extend(&second);
        two.extend(&batch[..70]);
        let read = read(&two).unwrap();
        let offsets: Vec<_> = read.records.iter().map(|(offset, _)| *offset).collect();
        assert_eq!((offsets, read.next), (vec![0, 1, 40, 41], Some(42)));
        let found: Vec<_> = read.records.into_iter().map(|(_, record)| record).collect();
        assert_eq!(found[..2], records());
    }

    #[test]
    fn a_batch_that_is_damaged_or_of_another_kind_is_refused() {
        let batch = encode(records().iter(), 0, STAMP);
        let damaged = |at: usize, byte: u8| {
            let mut bytes = batch.clone();
            bytes[at] = byte;
            read(&bytes).unwrap_err()
        };
        assert!(matches!(damaged(65, 0x55), Unread::Odd(_)));
        assert_eq!(damaged(16, 1), Unread::Format(1));
        let mut packed = batch.clone();
        packed[22] = 1;
        let checksum = crc32c(&packed[CHECKED..]);
        packed[CHECKSUM..CHECKED].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(read(&packed).unwrap_err(), Unread::Compressed(1));
        // A batch that promises more records than it has.
        let mut many = batch;
        many[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
        let checksum = crc32c(&many[CHECKED..]);
        many[CHECKSUM..CHECKED].copy_from_slice(&checksum.to_be_bytes());
        assert!(matches!(read(&many).unwrap_err(), Unread::Odd(_)));
    }
}
