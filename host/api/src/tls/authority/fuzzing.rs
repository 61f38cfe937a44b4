//! Certificates of clients, as a target of the fuzzer: whatever they are for, their name is a word of a header.

use super::*;
use crate::tls::pair::{check_time, end};
use http::HeaderValue;

/// A certificate, whose signature nobody checks here, or the subject of one.
pub fn certificate(data: &[u8]) {
    if let Some(subject) = common_name(data) {
        // It is a part of the subject, behind the number of what it is.
        let before = subject.as_ptr().addr() - data.as_ptr().addr();
        let mut parts = data[..before].windows(3);
        assert!(parts.any(|part| part == [0x55, 4, 3]));
    }
    if let Some(name) = name(&CertificateDer::from(data)) {
        let name = name.as_str();
        assert!(
            ["uri:", "dns:", "cn:"]
                .iter()
                .any(|kind| name.starts_with(kind))
        );
        let value = HeaderValue::from_str(name).expect("a header");
        assert_eq!(value.to_str().ok(), Some(name));
        assert!((4..=256).contains(&name.len()) && !name.contains(char::is_control));
        // What is in the certificate itself, and no more.
        let (_, text) = name.split_once(':').expect("a kind");
        let mut parts = data.windows(text.len());
        assert!(parts.any(|part| part == text.as_bytes()));
    }
    let certificate = CertificateDer::from(data);
    drop(check_time(&certificate));
    // What ends is of a year of four digits.
    let end = end(&certificate).map_or(0, |end| end.as_secs());
    assert!(end < 253_402_300_800);
}
