//! Words of requests and settings: buckets, keys, classes of storage and times, as they may be.

use std::time::Duration;
use wythe_blocks::{Error, Result, bindings::Request};

/// Bytes of an object's key.
pub(super) const MAX_KEY: usize = 1_024;
/// The longest time of a URL that is signed.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

pub(super) fn check_bucket(bucket: &str) -> Result<(), &'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match (3..=63).contains(&bucket.len()) && bucket.chars().all(is_plain) && !bucket.contains("..")
    {
        true => Ok(()),
        false => Err("expected the name of a bucket, of 3 to 63 letters, digits, `-` and `.`"),
    }
}

pub(super) fn check_ttl(ttl: Duration) -> Result<(), String> {
    match (Duration::from_secs(1)..=LONGEST).contains(&ttl) {
        true => Ok(()),
        false => Err("expected 1s to 168h".to_owned()),
    }
}

pub(super) fn check_class(class: &str) -> Result<(), &'static str> {
    let is_plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    match (1..=32).contains(&class.len()) && class.chars().all(is_plain) {
        true => Ok(()),
        false => Err("expected a class such as `STANDARD_IA`"),
    }
}

/// The key that the request names.
pub(super) fn key<'a>(request: &Request<'a>) -> Result<&'a str> {
    let pairs = request.metadata.iter();
    let mut keys = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("key"));
    checked(keys.next().map_or("", |(_, key)| key))
}

/// A server in between may take `..` for another place, even for another bucket.
pub(super) fn checked(key: &str) -> Result<&str> {
    let is_odd = key.split('/').any(|part| part == "." || part == "..") || key.contains('\0');
    match (1..=MAX_KEY).contains(&key.len()) && !is_odd {
        true => Ok(key),
        false => Err(Error::invalid(format!(
            "expected metadata `key`, of 1 to {MAX_KEY} bytes, without `.` and `..` between slashes"
        ))),
    }
}
