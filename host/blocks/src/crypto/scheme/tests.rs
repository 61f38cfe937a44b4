//! Known answers of the scheme: what an independent program made of its description, byte for byte.
//!
//! They were computed once in Python with its package `cryptography` (HKDF, AES-GCM, ChaCha20-Poly1305) and `hmac`, from
//! the file key 00..1f, the nonce prefix f0..f6 and, for a wrapped key, the bytes 64..8b.

use super::*;
use crate::text::hex;
use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

const AES: &str = "dapr.io/enc/v1\n\
    {\"k\":\"mykey\",\"kw\":1,\"wfk\":\"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKiw==\",\"cph\":1,\"np\":\"8PHy8/T19g==\",\"end\":1}\n\
    F+3FsqX/oNeS5R45A37tRD8Sie1yWLs8Rr41FoVJoco=\n";
const CHACHA: &str = "dapr.io/enc/v1\n\
    {\"kw\":5,\"wfk\":\"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKiw==\",\"cph\":2,\"np\":\"8PHy8/T19g==\",\"end\":1}\n\
    /BJwdSG04vSrSXOO2bUdzspMBIBIVLo1B+6O8Y7ReQw=\n";

/// The header of `AES` as Dapr writes it.
const DAPR: &str = "dapr.io/enc/v1\n\
    {\"k\":\"mykey\",\"kw\":1,\"wfk\":\"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKiw==\",\"cph\":1,\"np\":\"8PHy8/T19g==\"}\n\
    tC42D8lVWPCM4jGwsONpDwC4KhB0wFQwwO69id0VetA=\n";
/// The segment of "hello world", and the one of an empty message, of either header.
const HELLO: &str = "6d2ba9ba7c1241f864b936a61fb2ea8ac86d14a407c5263be7d9cc";
const NOTHING: &str = "257eb3f547d7d7a730e2eddf22e833d6";

/// Bytes of plaintext, the cipher, and the SHA-256 of the whole message of the key `mykey`.
const DIGESTS: [(usize, Cipher, &str); 14] = [
    (
        0,
        Cipher::AesGcm,
        "a42ae96cc6f66b954b688b521055565b3f92514ac7150901e8c75c04390403d1",
    ),
    (
        1,
        Cipher::AesGcm,
        "940afff609c83878691531dee867520931f76814c2f46e45812a8237f680b195",
    ),
    (
        65535,
        Cipher::AesGcm,
        "7314a6550f2d21db1a1b440ef6e1176d8d955d3e7d9c0ee7ba67f132777240b1",
    ),
    (
        65536,
        Cipher::AesGcm,
        "d2cd137d5572b907fcf52702c292d69664787e0cc5b4462096165d3c953c47d9",
    ),
    (
        65537,
        Cipher::AesGcm,
        "9fac3fe51136ee45b9a75e1581ebfeb2da787080a439f3df03e15f7e6f379920",
    ),
    (
        131072,
        Cipher::AesGcm,
        "72ea9a88a2f3c1d9122653882b638fd060c2bdb543499995be25e3d80e7b89ce",
    ),
    (
        200000,
        Cipher::AesGcm,
        "79292668e49bde03d407a16c94922d4523a954b0d0113c1ce960a3d2d7936d3a",
    ),
    (
        0,
        Cipher::ChaCha20Poly1305,
        "6808fcd8e2c1eea9a2fa590966b67e5f046579da88331f200230c1023882b185",
    ),
    (
        1,
        Cipher::ChaCha20Poly1305,
        "7f39be6b9d490808b85b72952001208ee39e1466ddf626160ca38987521beda6",
    ),
    (
        65535,
        Cipher::ChaCha20Poly1305,
        "28607a70843bf870f2f4f46bfe8d931253c1e9b0fa4156055701b07bc44a914f",
    ),
    (
        65536,
        Cipher::ChaCha20Poly1305,
        "2274e4cb67f93a6e003cc39df17b31a68c5990f4f4f02011559a1cf42ab10788",
    ),
    (
        65537,
        Cipher::ChaCha20Poly1305,
        "d69ebab5536ad8fdde20e97406fa36060b9dbfeb9eb3aa1fc6125344898dbaeb",
    ),
    (
        131072,
        Cipher::ChaCha20Poly1305,
        "93e30ff4d3a421da0682b284da595b88eeb20da53f9cd757b77294ec84572397",
    ),
    (
        200000,
        Cipher::ChaCha20Poly1305,
        "1556c83784a9ab13b5360dead14764746c89efa5b7a355625e954be84530d92b",
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
    assert_eq!(std::str::from_utf8(&aes[..AES.len()]).unwrap(), AES);
    assert_eq!(hex(&aes[AES.len()..]), HELLO);
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
    open(sealed).unwrap()
}

fn open(sealed: &[u8]) -> Result<Vec<u8>> {
    let (header, rest) = Collector::default().push(sealed)?.expect("a header");
    let key = header.file_key(Some((0..32).collect()))?;
    let mut segments = Segments::new(key.payload_key()?, header.way());
    let mut out = Vec::new();
    for chunk in rest.chunks(6_007) {
        segments.push(chunk, &mut out)?;
    }
    segments.finish(&mut out)?;
    Ok(out)
}

/// Joins a header and what follows it, which is in hexadecimal.
fn with(header: &str, segments: &str) -> Vec<u8> {
    let pairs = (0..segments.len()).step_by(2);
    let byte = |at| u8::from_str_radix(&segments[at..at + 2], 16).unwrap();
    header.bytes().chain(pairs.map(byte)).collect()
}

#[test]
fn a_message_that_is_cut_after_its_header_is_no_empty_one() {
    assert_eq!(opened(&with(AES, HELLO)), b"hello world");
    assert_eq!(opened(&with(AES, NOTHING)), b"");
    let error = open(AES.as_bytes()).unwrap_err();
    assert_eq!(error.message(), undecryptable().message());
    // Two segments, of which the second is of nothing.
    let second = [HELLO, NOTHING].concat();
    assert!(open(&with(AES, &second)).is_err());
    for data in [&b""[..], b"a"] {
        let whole = message(None, WrapAlgorithm::A256Kw, Cipher::ChaCha20Poly1305, data);
        assert_eq!(opened(&whole), data);
        assert!(open(&whole[..whole.len() - TAG - data.len()]).is_err());
    }
}

#[test]
fn what_dapr_wrote_is_read_as_dapr_reads_it() {
    assert_eq!(opened(&with(DAPR, HELLO)), b"hello world");
    assert_eq!(opened(DAPR.as_bytes()), b"");
    // Dapr writes no such segment, and reads it.
    assert_eq!(opened(&with(DAPR, NOTHING)), b"");
    // The MAC covers what one message says and the other does not.
    for (from, to) in [(DAPR, AES), (AES, DAPR)] {
        let mac = |header: &str| header.lines().last().unwrap().to_owned();
        let changed = from.replace(&mac(from), &mac(to));
        assert!(open(changed.as_bytes()).is_err());
    }
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
        ("\"end\":1", "\"end\":0"),
        ("\"end\":1", "\"end\":true"),
        ("\"cph\":1", "\"cph\":3"),
        ("\"cph\":1,", ""),
        ("8PHy8/T19g==", "8PHy8/T19w"),
        ("8PHy8/T19g==", "8PHy8/T1"),
        ("ZGVmZ2", "*GVmZ2"),
        ("\nF", "\n*"),
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

/// A key that stands in for a wrong one would let whoever knows it make headers.
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
