//! Encrypted messages as a target of the fuzzer.

use super::{
    Cipher, WrapAlgorithm,
    scheme::{Collector, FileKey, Header, Segments, Way},
};
use crate::Result;

/// The size of the chunks in which it comes, and a message of a stranger; the same bytes are encrypted and come back.
pub fn encryption(data: &[u8]) {
    let Some((size, data)) = data.split_first() else {
        return;
    };
    let cipher = match size % 2 {
        0 => Cipher::AesGcm,
        _ => Cipher::ChaCha20Poly1305,
    };
    let size = usize::from(*size) * 64 + 1;
    // The answer is an error, since nobody knows the key.
    let _ = opened(data, size, cipher);
    for always_ends in [false, true] {
        let way = Way::Open { always_ends };
        assert!(segments(data, size, way, cipher).is_err() || data.is_empty());
    }
    let message = sealed(data, size, cipher).expect("it is encrypted");
    let plain = opened(&message, size, cipher).expect("it is decrypted");
    assert!(plain == data);
}

fn key(cipher: Cipher) -> Result<FileKey> {
    FileKey::unwrapped(Some(vec![7; 32]), [1; 7], cipher)
}

fn segments(data: &[u8], size: usize, way: Way, cipher: Cipher) -> Result<Vec<u8>> {
    let mut segments = Segments::new(key(cipher)?.payload_key()?, way);
    let mut out = Vec::new();
    for chunk in data.chunks(size) {
        segments.push(chunk, &mut out)?;
    }
    segments.finish(&mut out)?;
    Ok(out)
}

fn sealed(data: &[u8], size: usize, cipher: Cipher) -> Result<Vec<u8>> {
    let wrap = WrapAlgorithm::A256Kw;
    let mut message = Header::write(Some("key"), wrap, b"wrapped", &key(cipher)?)?;
    message.extend(segments(data, size, Way::Seal, cipher)?);
    Ok(message)
}

fn opened(message: &[u8], size: usize, cipher: Cipher) -> Result<Vec<u8>> {
    let mut collector = Collector::default();
    let mut chunks = message.chunks(size);
    for chunk in chunks.by_ref() {
        let Some((header, rest)) = collector.push(chunk)? else {
            continue;
        };
        header.file_key(Some(vec![7; 32]))?;
        let rest = [rest, &chunks.flatten().copied().collect::<Vec<_>>()].concat();
        return segments(&rest, size, header.way(), cipher);
    }
    Err(super::scheme::undecryptable())
}
