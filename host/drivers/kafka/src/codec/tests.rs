//! Bytes that are packed and come back within their bound, and bytes that only look packed.

use super::*;

const ALL: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// Bytes of several blocks, alike and not alike.
fn bytes() -> Vec<u8> {
    let numbers = (0_u32..50_000).map(|number| number.wrapping_mul(2_654_435_761) >> 28);
    numbers.flat_map(u32::to_be_bytes).collect()
}

#[test]
fn what_is_packed_comes_back() {
    for codec in ALL {
        assert_eq!(Codec::of(codec.number()), Some(codec));
        for bytes in [bytes(), b"one".to_vec(), Vec::new()] {
            let packed = codec.pack(&bytes).expect("bytes");
            let (length, limit) = (packed.len(), bytes.len() * 3 / 4 + 100);
            assert!(length < limit, "{codec:?}: {length} of {}", bytes.len());
            let unpacked = codec.unpack(&packed, bytes.len());
            assert!(unpacked == Ok(bytes), "{codec:?}");
        }
    }
    for number in [0, 5, 6, 7, -1] {
        assert_eq!(Codec::of(number), None);
    }
}

#[test]
fn what_has_one_byte_too_many_is_refused() {
    let bytes = bytes();
    for codec in ALL {
        let packed = codec.pack(&bytes).expect("bytes");
        for limit in [bytes.len() - 1, 70_000, 2_000, 0] {
            let unpacked = codec.unpack(&packed, limit).map(|bytes| bytes.len());
            assert!(unpacked.is_err(), "{codec:?}, {limit}: {unpacked:?}");
        }
    }
}

#[test]
fn a_window_that_is_larger_than_what_is_allowed_is_refused() {
    // A window of 2 TiB, and no content.
    let frame = b"\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00";
    assert_eq!(Codec::Zstd.unpack(frame, 64 << 20), Err(Packed::Odd));
    // One of 1 KiB.
    let frame = b"\x28\xb5\x2f\xfd\x00\x00\x01\x00\x00";
    assert_eq!(Codec::Zstd.unpack(frame, 64 << 20), Ok(Vec::new()));
}

#[test]
fn blocks_that_are_cut_short_or_of_another_size_are_refused() {
    let whole = Codec::Snappy.pack(b"some bytes").expect("bytes");
    for length in [8, 15, 18, whole.len() - 1] {
        let unpacked = Codec::Snappy.unpack(&whole[..length], 100);
        assert_eq!(unpacked, Err(Packed::Odd), "{length}");
    }
    let many: Vec<u8> = (0..6).flat_map(|_| whole[16..].to_vec()).collect();
    let many = [&BLOCKS[..], &many].concat();
    assert_eq!(Codec::Snappy.unpack(&many, 60).map(|all| all.len()), Ok(60));
    assert_eq!(Codec::Snappy.unpack(&many, 59), Err(Packed::Large));
}

#[test]
fn what_is_damaged_stays_within_its_bound() {
    let bytes = &bytes()[..3_000];
    for codec in ALL {
        let packed = codec.pack(bytes).expect("bytes");
        for length in 0..packed.len() {
            let unpacked = codec.unpack(&packed[..length], 4_000);
            let is_other = unpacked.is_ok_and(|found| !bytes.starts_with(&found));
            assert!(!is_other, "{codec:?}, {length}");
        }
        for at in 0..packed.len() {
            for mask in [1, 0x80, 0xff] {
                let mut damaged = packed.clone();
                damaged[at] ^= mask;
                let unpacked = codec.unpack(&damaged, 4_000);
                let length = unpacked.map_or(0, |bytes| bytes.len());
                assert!(length <= 4_000, "{codec:?}, {at}");
            }
        }
    }
}
