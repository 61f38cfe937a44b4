//! Amounts as people write them: `1h2m3.5s`, `250ms`, `64MiB`, `4Mi`, `512k`.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Unexpected};

/// Units of time, the longest first where one is the beginning of another, so that `ms` is not read as `m`.
const TIME_UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];

const SIZE_UNITS: [(&[&str], u128); 8] = [
    (&["", "b"], 1),
    (&["k", "kb"], 1_000),
    (&["m", "mb"], 1_000_000),
    (&["g", "gb"], 1_000_000_000),
    (&["ki", "kib"], 1 << 10),
    (&["mi", "mib"], 1 << 20),
    (&["gi", "gib"], 1 << 30),
    (&["ti", "tib"], 1 << 40),
];

/// A text that is not an amount, with an example of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidQuantity(&'static str);

impl fmt::Display for InvalidQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidQuantity {}

/// A length of time as Go and Dapr write it, such as `1h2m3.5s` or `250ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

/// A number of bytes, such as `64MiB`, `4Mi`, `512k` or a plain number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl From<ByteSize> for u64 {
    fn from(size: ByteSize) -> Self {
        size.0
    }
}

impl FromStr for Duration {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let nanoseconds = if text == "0" {
            Some(0)
        } else {
            sum_of_times(text)
        };
        nanoseconds
            .and_then(|sum| u64::try_from(sum).ok())
            .map(|sum| Self(std::time::Duration::from_nanos(sum)))
            .ok_or(InvalidQuantity(
                "a duration such as `30s`, `250ms` or `1h30m`",
            ))
    }
}

fn sum_of_times(text: &str) -> Option<u128> {
    let (mut rest, mut sum) = (text, 0_u128);
    while !rest.is_empty() || text.is_empty() {
        let (amount, after) = split_amount(rest);
        let (unit, scale) = TIME_UNITS
            .iter()
            .find(|(unit, _)| after.starts_with(unit))?;
        sum = sum.checked_add(scaled(amount, *scale)?)?;
        rest = &after[unit.len()..];
    }
    Some(sum)
}

impl FromStr for ByteSize {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let (amount, unit) = split_amount(text);
        let unit = unit.trim_start().to_ascii_lowercase();
        SIZE_UNITS
            .iter()
            .find(|(names, _)| names.contains(&unit.as_str()))
            .and_then(|(_, scale)| scaled(amount, *scale))
            .and_then(|bytes| u64::try_from(bytes).ok())
            .map(Self)
            .ok_or(InvalidQuantity(
                "a size such as `64MiB`, `512k` or a number of bytes",
            ))
    }
}

fn split_amount(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len()),
    )
}

/// A decimal number times a unit, exactly: floating point would turn `0.1s` into 99,999,999 ns.
fn scaled(amount: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    if whole.len() + fraction.len() == 0 || whole.len() > 20 || fraction.len() > 9 {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let divisor = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    Some(digits.checked_mul(unit)? / divisor)
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        let units = [
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
        ];
        match units
            .iter()
            .find(|(scale, _)| nanoseconds >= *scale && nanoseconds.is_multiple_of(*scale))
        {
            Some((scale, unit)) => write!(f, "{}{unit}", nanoseconds / scale),
            None if nanoseconds == 0 => f.write_str("0s"),
            None => write!(f, "{nanoseconds}ns"),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units
            .iter()
            .find(|(scale, _)| self.0 >= *scale && self.0.is_multiple_of(*scale))
        {
            Some((scale, unit)) => write!(f, "{}{unit}", self.0 / scale),
            None => write!(f, "{}", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

fn parsed<'de, T: FromStr<Err = InvalidQuantity>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|expected: InvalidQuantity| {
        de::Error::invalid_value(Unexpected::Str(&text), &expected.0)
    })
}
