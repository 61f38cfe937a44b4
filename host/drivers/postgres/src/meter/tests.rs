//! Bounds of what a server may send.

use super::*;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    let mut bytes = vec![kind];
    bytes.extend(length.to_be_bytes());
    bytes.extend(body);
    bytes
}

fn challenge(text: &str) -> Vec<u8> {
    let body: Vec<u8> = [&[0, 0, 0, 11], text.as_bytes()].concat();
    message(b'R', &body)
}

/// Passes the bytes one by one, so that no border matters.
fn pass(meter: &mut Meter, bytes: &[u8]) -> Result<(), String> {
    bytes.iter().try_for_each(|byte| meter.pass(&[*byte]))
}

#[test]
fn a_plain_session_passes() {
    let mut meter = Meter::default();
    let greeting = [
        challenge("r=abc,s=c2FsdA==,i=4096"),
        message(b'S', b"server_encoding\0UTF8\0"),
        message(b'Z', b"I"),
    ];
    for bytes in greeting {
        assert_eq!(pass(&mut meter, &bytes), Ok(()));
    }
    for _ in 0..100 {
        assert_eq!(meter.pass(&message(b'D', &[7; 100_000])), Ok(()));
    }
    assert!(meter.is_ready && meter.left == 0);
}

#[test]
fn a_length_beyond_the_limit_is_refused_before_its_bytes_come() {
    let mut meter = Meter::default();
    let error = pass(&mut meter, &[b'D', 0x7f, 0xff, 0xff, 0xff]).unwrap_err();
    assert!(
        error.starts_with("the server sends a message of 2147483647 bytes"),
        "{error}"
    );
}

#[test]
fn a_greeting_without_end_is_refused() {
    let mut meter = Meter::default();
    let notice = message(b'N', &[b'x'; 1_000]);
    let error = (0..1_000)
        .try_for_each(|_| meter.pass(&notice))
        .unwrap_err();
    assert_eq!(
        error,
        "the server sends more than 262144 bytes before it is ready"
    );
}

#[test]
fn settings_without_end_are_refused() {
    let mut meter = Meter::default();
    meter.pass(&message(b'Z', b"I")).unwrap();
    let report = message(b'S', &[b'x'; 1_000]);
    let error = (0..1_000)
        .try_for_each(|_| meter.pass(&report))
        .unwrap_err();
    assert_eq!(
        error,
        "the server sends more than 65536 bytes of its settings"
    );
}

#[test]
fn a_login_costs_neither_password_nor_processor() {
    for rounds in ["100001", "4294967295", "99999999999999999999", "-1", ""] {
        let text = format!("r=abc,s=c2FsdA==,i={rounds}");
        let error = pass(&mut Meter::default(), &challenge(&text)).unwrap_err();
        assert!(error.contains("too many rounds"), "{error}");
    }
    let clear = message(b'R', &[0, 0, 0, 3]);
    let error = pass(&mut Meter::default(), &clear).unwrap_err();
    assert!(error.contains("in clear text"), "{error}");
    let mut secure = Meter {
        is_secure: true,
        ..Meter::default()
    };
    assert_eq!(pass(&mut secure, &clear), Ok(()));
}
