//! Keys that anybody could know or make signatures for.

use super::*;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn edwards(point: &[u8]) -> Result<Key, String> {
    let jwk = format!(
        r#"{{ "kty": "OKP", "crv": "Ed25519", "x": "{}" }}"#,
        encoded(point)
    );
    let by_jwk = Key::parse(jwk.as_bytes());
    // SPKI: the point is what its header does not say.
    let der = [
        &b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..],
        point,
    ]
    .concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(der)
    );
    let by_pem = Key::parse(pem.as_bytes());
    assert_eq!(by_jwk.as_ref().err(), by_pem.as_ref().err());
    by_jwk
}

/// The eight points, written in every way, and with either sign.
#[test]
fn edwards_points_of_small_order_are_refused() {
    let number = |lowest: u8, others: u8, highest: u8| {
        let mut bytes = [others; 32];
        (bytes[0], bytes[31]) = (lowest, highest);
        bytes
    };
    let eighth = edwards::SMALL_ORDER[2];
    let other = edwards::SMALL_ORDER[3];
    let small = [
        number(0, 0, 0),
        number(1, 0, 0),
        number(0xec, 0xff, 0x7f),
        eighth,
        other,
    ];
    // The prime itself, and what is above it, up to 2^255 - 1.
    let above = (0xed..=0xff).map(|lowest| number(lowest, 0xff, 0x7f));
    let written: Vec<_> = small.into_iter().chain(above).collect();
    assert_eq!(written.len(), 24);
    for point in written {
        for sign in [0, 0x80] {
            let mut point = point;
            point[31] |= sign;
            assert!(edwards(&point).is_err(), "{point:02x?}");
        }
    }
    let reported = edwards(&number(1, 0, 0)).err().unwrap();
    assert_eq!(
        reported,
        "a point of small order, for which anybody makes signatures"
    );
    let good: Value = serde_json::from_slice(file!("ed25519-public.json")).unwrap();
    let good = URL_SAFE_NO_PAD.decode(good["x"].as_str().unwrap()).unwrap();
    assert!(edwards(&good).is_ok());
}

fn rsa(n: &[u8], e: &[u8]) -> Option<String> {
    let jwk = format!(
        r#"{{ "kty": "RSA", "n": "{}", "e": "{}" }}"#,
        encoded(n),
        encoded(e)
    );
    Key::parse(jwk.as_bytes()).err()
}

fn modulus() -> Vec<u8> {
    let good: Value = serde_json::from_slice(file!("rsa-2048-public.json")).unwrap();
    URL_SAFE_NO_PAD.decode(good["n"].as_str().unwrap()).unwrap()
}

#[test]
fn rsa_numbers_that_are_no_key_are_refused() {
    let (n, e) = (modulus(), [1, 0, 1]);
    assert_eq!(rsa(&n, &e), None);
    let small = "an RSA key with a small exponent; expected an odd one of 65537 or more";
    for e in [&[3][..], &[17], &[0xff, 0xff]] {
        assert_eq!(rsa(&n, e).as_deref(), Some(small), "{e:?}");
    }
    for e in [&[1][..], &[2], &[1, 0, 0], &[]] {
        assert!(rsa(&n, e).is_some(), "{e:?}");
    }
    let ones = "an RSA key whose modulus is of ones alone; expected a product of two primes";
    assert_eq!(rsa(&[0xff; 256], &e).as_deref(), Some(ones));
    // 2^2203 - 1 is a prime of Mersenne.
    let mut mersenne = [0xff; 276];
    mersenne[0] = 0x07;
    assert_eq!(rsa(&mersenne, &e).as_deref(), Some(ones));
    let mut even = n.clone();
    even[255] &= 0xfe;
    assert!(rsa(&even, &e).is_some());
    // Of each three odd numbers in a row, one has the factor 3.
    let factor = "an RSA key whose modulus has a small factor; expected a product of two primes";
    let three = (0..3u8).filter(|step| {
        let mut near = n.clone();
        near[255] = (near[255] & 0xf0) | (2 * step + 1);
        rsa(&near, &e).as_deref() == Some(factor)
    });
    assert!(three.count() >= 1);
}

#[test]
fn symmetric_keys_of_one_byte_are_refused() {
    for size in [16, 24, 32] {
        for byte in [0, 7, b'\n', b'a', 0xff] {
            let raw = vec![byte; size];
            assert_eq!(problem(&raw), symmetric::ONE_BYTE);
            assert_eq!(
                problem(STANDARD.encode(&raw).as_bytes()),
                symmetric::ONE_BYTE
            );
            let jwk = format!(r#"{{ "kty": "oct", "k": "{}" }}"#, encoded(&raw));
            assert_eq!(problem(jwk.as_bytes()), symmetric::ONE_BYTE);
        }
    }
    // Letters of base64 that are the same, whatever they come to.
    assert_eq!(problem(&[b'x'; 32]), symmetric::ONE_BYTE);
    assert_eq!(
        problem(b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"),
        symmetric::ONE_BYTE
    );
}

/// The library checks them.
#[test]
fn points_that_are_not_on_their_curve_are_refused() {
    for (x, y) in [
        ([0; 32], [0; 32]),
        ([0; 32], [1; 32]),
        ([0xff; 32], [0xff; 32]),
    ] {
        let (x, y) = (encoded(&x), encoded(&y));
        let jwk = format!(r#"{{ "kty": "EC", "crv": "P-256", "x": "{x}", "y": "{y}" }}"#);
        assert_eq!(problem(jwk.as_bytes()), "its numbers make no key on P-256");
    }
    // SPKI of the point at infinity, which is written as one zero.
    let der = b"\x30\x19\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x02\x00\x00";
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(der)
    );
    assert!(problem(pem.as_bytes()).starts_with("the PUBLIC KEY in it is not readable"));
}
