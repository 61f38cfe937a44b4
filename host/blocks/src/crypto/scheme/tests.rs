//! Known answers of the scheme: what an independent program made of its description, byte for byte.
//!
//! They were computed once in Python with its package `cryptography` (HKDF, AES-GCM, ChaCha20-Poly1305) and `hmac`, from
//! the file key 00..1f, the nonce prefix f0..f6 and, for a wrapped key, the bytes 64..8b.

use super::*;
use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

const AES: &str = "dapr.io/enc/v1\n\
    {\"k\":\"mykey\",\"kw\":1,\"wfk\":\"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKiw==\",\"cph\":1,\"np\":\"8PHy8/T19g==\"}\n\
    tC42D8lVWPCM4jGwsONpDwC4KhB0wFQwwO69id0VetA=\n";
const CHACHA: &str = "dapr.io/enc/v1\n\
    {\"kw\":5,\"wfk\":\"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKiw==\",\"cph\":2,\"np\":\"8PHy8/T19g==\"}\n\
    b8s4CliN5gYzNI+nlmffP4nAIFjxSsj+Mihd7PB2gVc=\n";

/// Bytes of plaintext, the cipher, and the SHA-256 of the whole message of the key `mykey`.
const DIGESTS: [(usize, Cipher, &str); 14] = [
    (
        0,
        Cipher::AesGcm,
        "c68114ac016ad7a9f488b8d1e25ee8545d114efe5d5a86f50b9dd160162812d1",
    ),
    (
        1,
        Cipher::AesGcm,
        "66e4e80dd916b8d5224aac41e1f9f26a6500f62a1ece4c9613d1a799c1b25500",
    ),
    (
        65535,
        Cipher::AesGcm,
        "db2f42df0693a37370bf750f2e9c2292fcee90aa04a025114c46306932833767",
    ),
    (
        65536,
        Cipher::AesGcm,
        "c793a45fcf554b469afd23cd668a66ef2be99a8fbe52d375576df3083007d065",
    ),
    (
        65537,
        Cipher::AesGcm,
        "2be97bf517b89b747b1ff8d3a65a1e8644cdc7c7ca67f924426fdc23bb0ba4c6",
    ),
    (
        131072,
        Cipher::AesGcm,
        "9548695385c882aa75d91b597d2a7c634cff55ebe9572f96c5902ff373294b81",
    ),
    (
        200000,
        Cipher::AesGcm,
        "578e198fa68613d409c793a3aaa87604aab1a87efa970f5597dfaf8fca4d09b9",
    ),
    (
        0,
        Cipher::ChaCha20Poly1305,
        "d672ec084178a8e78b822c8562ec8d684e173ec0f7110d82c958f6b799b16987",
    ),
    (
        1,
        Cipher::ChaCha20Poly1305,
        "4d2a97ddc8af0401333c81fdc9c5908185daba0cd3c67ee0e6059f7ee72a98c2",
    ),
    (
        65535,
        Cipher::ChaCha20Poly1305,
        "875197e6a9380a1d956435999d613520785aeccde7e4d8041962c693a0f3a24b",
    ),
    (
        65536,
        Cipher::ChaCha20Poly1305,
        "4f21af76b04137f505153d90164f755b474a7acaa959e9dc963248b62e66cee9",
    ),
    (
        65537,
        Cipher::ChaCha20Poly1305,
        "09dfe738ae9ccab02ab9132aa880be4d5c24c9e163bf3b07f18a2fefaefdbb92",
    ),
    (
        131072,
        Cipher::ChaCha20Poly1305,
        "6133d40676dfab92a373d40084859ebfcedd593aea0603ddeccaaf614d4ecb4b",
    ),
    (
        200000,
        Cipher::ChaCha20Poly1305,
        "608f3cccc7cf5fb48af32d6b460c60cb565558108ad085234431133f4158c280",
    ),
];

fn file_key(cipher: Cipher) -> FileKey {
    let mut bytes = Zeroizing::new([0; 32]);
    let mut prefix = [0; 7];
    (0..)
        .zip(bytes.iter_mut())
        .for_each(|(number, byte)| *byte = number);
    (0xf0..)
        .zip(prefix.iter_mut())
        .for_each(|(number, byte)| *byte = number);
    FileKey {
        bytes,
        prefix,
        cipher,
    }
}

fn message(name: Option<&str>, wrap: WrapAlgorithm, cipher: Cipher, data: &[u8]) -> Vec<u8> {
    let key = file_key(cipher);
    let wrapped: Vec<u8> = (100..140).collect();
    let mut out = Header::write(name, wrap, &wrapped, &key).unwrap();
    let mut segments = Segments::new(key.payload_key().unwrap(), Way::Seal);
    for chunk in data.chunks(7_001) {
        segments.push(chunk, &mut out).unwrap();
    }
    segments.finish(&mut out).unwrap();
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 7 + at / 251) as u8).collect()
}

#[test]
fn a_message_is_the_one_of_the_description() {
    let aes = message(
        Some("mykey"),
        WrapAlgorithm::A256Kw,
        Cipher::AesGcm,
        b"hello world",
    );
    let sealed = "6d2ba9ba7c1241f864b936a61fb2ea8ac86d14a407c5263be7d9cc";
    assert_eq!(std::str::from_utf8(&aes[..AES.len()]).unwrap(), AES);
    assert_eq!(hex(&aes[AES.len()..]), sealed);
    let cipher = Cipher::ChaCha20Poly1305;
    let chacha = message(None, WrapAlgorithm::RsaOaep256, cipher, b"hello world");
    let sealed = "97b8c3af5bc373090a510952d58b2e503663cc17e8786dfd56c46e";
    assert_eq!(
        std::str::from_utf8(&chacha[..CHACHA.len()]).unwrap(),
        CHACHA
    );
    assert_eq!(hex(&chacha[CHACHA.len()..]), sealed);
}

#[test]
fn segments_of_any_number_are_those_of_the_description() {
    for (size, cipher, expected) in DIGESTS {
        let data = pattern(size);
        let sealed = message(Some("mykey"), WrapAlgorithm::A256Kw, cipher, &data);
        let found = hex(digest(&SHA256, &sealed).as_ref());
        assert_eq!(found, expected, "{size} bytes with {cipher:?}");
        assert_eq!(opened(&sealed), data, "{size} bytes with {cipher:?}");
    }
}

fn opened(sealed: &[u8]) -> Vec<u8> {
    let (header, rest) = Collector::default().push(sealed).unwrap().unwrap();
    let key = header.file_key(Some((0..32).collect())).unwrap();
    let mut segments = Segments::new(key.payload_key().unwrap(), Way::Open);
    let mut out = Vec::new();
    for chunk in rest.chunks(6_007) {
        segments.push(chunk, &mut out).unwrap();
    }
    segments.finish(&mut out).unwrap();
    out
}

#[test]
fn a_header_is_found_wherever_the_chunks_end() {
    for size in 1..=AES.len() + 1 {
        let message = format!("{AES}rest");
        let mut collector = Collector::default();
        let mut found = None;
        for chunk in message.as_bytes().chunks(size) {
            if let Some((header, rest)) = collector.push(chunk).unwrap() {
                found = Some((header, rest.to_vec()));
                break;
            }
        }
        let (header, rest) = found.expect("a header");
        assert_eq!(header.key.as_deref(), Some("mykey"));
        assert!("rest".starts_with(std::str::from_utf8(&rest).unwrap()));
        assert!(header.file_key(Some((0..32).collect())).is_ok());
    }
}

#[test]
fn what_is_no_header_is_refused() {
    let long = format!("dapr.io/enc/v1\n{}", " ".repeat(HEADER));
    let changed = [
        ("dapr.io/enc/v1", "dapr.io/enc/v2"),
        ("dapr.io/enc/v1", ""),
        ("\"kw\":1", "\"kw\":9"),
        ("\"cph\":1", "\"cph\":3"),
        ("\"cph\":1,", ""),
        ("8PHy8/T19g==", "8PHy8/T19w"),
        ("8PHy8/T19g==", "8PHy8/T1"),
        ("ZGVmZ2", "*GVmZ2"),
        ("\nt", "\n*"),
        ("}", ""),
    ];
    let changed = changed.map(|(from, to)| AES.replacen(from, to, 1));
    for text in changed.iter().chain([&long, &"\n".repeat(3)]) {
        let error = Collector::default()
            .push(text.as_bytes())
            .err()
            .expect("an error");
        let message = "the message cannot be decrypted with this key";
        assert_eq!(error.message(), message, "{text}");
    }
}

#[test]
fn a_mac_is_over_every_byte_of_the_header() {
    let manifest = AES.find('{').unwrap()..AES.rfind('}').unwrap();
    for at in manifest {
        let mut changed = AES.as_bytes().to_vec();
        changed[at] ^= 1;
        if let Ok(Some((header, _))) = Collector::default().push(&changed) {
            assert!(
                header.file_key(Some((0..32).collect())).is_err(),
                "byte {at}"
            );
        }
    }
}

/// Whoever knew the key that stands in for a wrong one could make headers.
#[test]
fn no_known_key_stands_in_for_one_that_was_not_unwrapped() {
    let mut zero = file_key(Cipher::AesGcm);
    zero.bytes.fill(0);
    let forged = Header::write(Some("mykey"), WrapAlgorithm::A256Kw, &[1; 40], &zero).unwrap();
    let (header, _) = Collector::default().push(&forged).unwrap().unwrap();
    assert!(header.file_key(None).is_err());
    assert!(header.file_key(Some(vec![0; 31])).is_err());
    assert!(
        header.file_key(Some(vec![0; 32])).is_ok(),
        "the forgery itself is good"
    );
}
