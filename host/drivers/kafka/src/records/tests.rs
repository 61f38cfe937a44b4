//! Batches as they are written and read, and those that are none.

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
    decode(bytes, 0, usize::MAX, &mut read).map(|()| read)
}

/// A batch with the length and the checksum of what it has.
fn sealed(mut batch: Vec<u8>) -> Vec<u8> {
    let length = i32::try_from(batch.len() - 12).unwrap();
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c(&batch[CHECKED..]);
    batch[CHECKSUM..CHECKED].copy_from_slice(&checksum.to_be_bytes());
    batch
}

/// A batch that says of itself how it is packed, with whatever follows its head.
fn packed(codec: Codec, count: i32, bytes: &[u8]) -> Vec<u8> {
    let mut batch = encode(records().iter(), 0, STAMP, None);
    batch.truncate(HEAD);
    batch[21..23].copy_from_slice(&codec.number().to_be_bytes());
    batch[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    batch.extend(bytes);
    sealed(batch)
}

#[test]
fn the_checksum_is_that_of_castagnoli() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn records_come_back_as_they_were() {
    let batch = encode(records().iter(), 1_700_000_000_000, STAMP, None);
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
    let batch = encode(records().iter(), 0, STAMP, None);
    let damaged = |at: usize, byte: u8| {
        let mut bytes = batch.clone();
        bytes[at] = byte;
        read(&bytes).unwrap_err()
    };
    assert!(matches!(damaged(65, 0x55), Unread::Odd(_)));
    assert_eq!(damaged(16, 1), Unread::Format(1));
    let mut packed = batch.clone();
    packed[22] = 5;
    assert_eq!(read(&sealed(packed)).unwrap_err(), Unread::Compressed(5));
    // A batch that promises more records than it has.
    let mut many = batch;
    many[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    assert!(matches!(read(&sealed(many)).unwrap_err(), Unread::Odd(_)));
}

/// Batches of 40 records as a broker stored them, by who wrote them: the client in Java, and librdkafka.
const WRITTEN: [(&str, &[u8]); 8] = [
    ("java.gzip", include_bytes!("batches/java.gzip")),
    ("java.lz4", include_bytes!("batches/java.lz4")),
    ("java.snappy", include_bytes!("batches/java.snappy")),
    ("java.zstd", include_bytes!("batches/java.zstd")),
    ("librdkafka.gzip", include_bytes!("batches/librdkafka.gzip")),
    ("librdkafka.lz4", include_bytes!("batches/librdkafka.lz4")),
    (
        "librdkafka.snappy",
        include_bytes!("batches/librdkafka.snappy"),
    ),
    ("librdkafka.zstd", include_bytes!("batches/librdkafka.zstd")),
];

#[test]
fn a_batch_of_another_producer_is_unpacked() {
    for (name, bytes) in WRITTEN {
        assert!(bytes[22] & 7 != 0, "{name} is compressed");
        let read = read(bytes).expect(name);
        assert_eq!((read.records.len(), read.next), (40, Some(40)), "{name}");
        for (number, (offset, record)) in (0..).zip(read.records) {
            let text = format!(
                "order number {number} of a hundred, and more of the same, and more of the same"
            );
            let expected = Record {
                key: Some(format!("key{}", number % 3).into()),
                value: Some(text.into()),
                headers: vec![("number".to_owned(), Some(number.to_string().into()))],
            };
            assert_eq!((offset, record), (number, expected), "{name}");
        }
    }
}

#[test]
fn what_is_packed_is_smaller_or_not_packed() {
    let alike: Vec<_> = (0..100)
        .map(|number| Record {
            value: Some(format!("order number {number} and more of the same").into()),
            ..Record::default()
        })
        .collect();
    let plain = encode(alike.iter(), 0, STAMP, None);
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let batch = encode(alike.iter(), 0, STAMP, Some(codec));
        assert!(batch.len() < plain.len() / 2, "{codec:?}: {}", batch.len());
        let read = read(&batch).expect("a batch");
        let found: Vec<_> = read.records.into_iter().map(|(_, record)| record).collect();
        assert_eq!(found, alike, "{codec:?}");
        let few = encode([Record::default()].iter(), 0, STAMP, Some(codec));
        assert_eq!(few, encode([Record::default()].iter(), 0, STAMP, None));
    }
}

#[test]
fn a_batch_is_read_in_parts_where_there_is_no_room_for_it() {
    for (name, bytes) in WRITTEN {
        let (mut from, mut offsets, mut parts) = (0, Vec::new(), 0);
        while from < 40 {
            let mut read = Read::default();
            decode(bytes, from, 4_000, &mut read).expect(name);
            assert!(read.size < 4_000 + 500, "{name}: {}", read.size);
            offsets.extend(read.records.iter().map(|(offset, _)| *offset));
            (from, parts) = (read.next.expect("the next offset"), parts + 1);
        }
        assert_eq!(offsets, Vec::from_iter(0..40), "{name}");
        assert!(parts > 3, "{name}: {parts}");
    }
}

#[test]
fn what_unpacks_to_more_than_a_batch_has_is_refused() {
    // Blocks of 128 KiB of one byte each, in 4 bytes: 125 MiB in all.
    let mut bomb = b"\x28\xb5\x2f\xfd\x00\x38".to_vec();
    for _ in 0..1_000 {
        bomb.extend([0x02, 0x00, 0x10, 0]);
    }
    let bomb = packed(Codec::Zstd, 1, &bomb);
    assert_eq!(read(&bomb).unwrap_err(), Unread::Large);
    // 4 GiB, as it says itself.
    let promise = packed(Codec::Snappy, 1, b"\xff\xff\xff\xff\x0f");
    assert_eq!(read(&promise).unwrap_err(), Unread::Large);
}

#[test]
fn records_of_a_few_bytes_are_read_in_parts_too() {
    // 100,000 records of 7 bytes, each of which takes 256 in memory.
    let mut body = Writer::default();
    for number in 0..100_000 {
        let mut record = Writer::default();
        record.i8(0);
        record.varint(0);
        record.varint(number);
        record.var_bytes(None);
        record.var_bytes(None);
        record.varint(0);
        body.var_bytes(Some(&record.0));
    }
    let bytes = Codec::Zstd.pack(&body.0).expect("bytes");
    let batch = packed(Codec::Zstd, 100_000, &bytes);
    let mut read = Read::default();
    decode(&batch, 50_000, 1 << 20, &mut read).expect("a batch");
    assert_eq!(
        read.records.first().map(|(offset, _)| *offset),
        Some(50_000)
    );
    assert_eq!(read.records.len(), (1 << 20) / RECORD);
    assert_eq!(read.next, Some(50_000 + (1 << 20) / 256));
}

#[test]
fn a_record_of_headers_alone_is_refused() {
    let mut record = Writer::default();
    record.i8(0);
    record.varint(0);
    record.varint(0);
    record.var_bytes(None);
    record.var_bytes(None);
    record.varint(HEADERS + 1);
    record
        .0
        .resize(record.0.len() + 2 * HEADERS as usize + 2, 0);
    let mut body = Writer::default();
    body.var_bytes(Some(&record.0));
    let bytes = Codec::Gzip.pack(&body.0).expect("bytes");
    let error = read(&packed(Codec::Gzip, 1, &bytes)).unwrap_err();
    assert_eq!(error, Unread::Odd(Odd("a record has too many headers")));
}

#[test]
fn nothing_is_left_of_a_batch_that_is_damaged_at_its_end() {
    let good = encode(records().iter(), 0, STAMP, None);
    let mut damaged = good.clone();
    damaged[..8].copy_from_slice(&40_i64.to_be_bytes());
    // Its second record belongs to another place.
    let last = damaged.len() - 4;
    damaged[last] = 9;
    let mut two = good;
    two.extend(sealed(damaged));
    let mut read = Read::default();
    let error = decode(&two, 0, usize::MAX, &mut read).unwrap_err();
    assert!(matches!(error, Unread::Odd(_)));
    assert_eq!((read.records.len(), read.next), (2, Some(2)));
}
