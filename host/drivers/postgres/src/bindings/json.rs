//! Values of the server as JSON. They are written one behind the other into a text with a bound, which nothing outgrows on
//! its way: a few bytes of the server may say a number of very many digits.

use base64::{display::Base64Display, prelude::BASE64_STANDARD};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Number, Value, json, value::RawValue};
use std::{error::Error as StdError, io::Write as _};
use tokio_postgres::types::{FromSql, Kind, Type};
use wythe_blocks::bindings::Text;

pub(super) type Unreadable = Box<dyn StdError + Sync + Send>;

/// A value as the server sends it.
pub(super) struct Raw<'a>(pub &'a [u8]);

pub(super) fn is_known(kind: &Type) -> bool {
    match kind.kind() {
        Kind::Enum(_) => true,
        Kind::Array(of) | Kind::Domain(of) => is_known(of),
        _ => SIMPLE.contains(kind),
    }
}

const SIMPLE: [Type; 23] = [
    Type::BOOL,
    Type::BPCHAR,
    Type::BYTEA,
    Type::CHAR,
    Type::DATE,
    Type::FLOAT4,
    Type::FLOAT8,
    Type::INT2,
    Type::INT4,
    Type::INT8,
    Type::JSON,
    Type::JSONB,
    Type::NAME,
    Type::NUMERIC,
    Type::OID,
    Type::TEXT,
    Type::TIME,
    Type::TIMESTAMP,
    Type::TIMESTAMPTZ,
    Type::UNKNOWN,
    Type::UUID,
    Type::VARCHAR,
    Type::VOID,
];

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Unreadable> {
        Ok(Raw(raw))
    }

    fn accepts(kind: &Type) -> bool {
        is_known(kind)
    }
}

fn number<const N: usize>(raw: &[u8]) -> Result<[u8; N], Unreadable> {
    raw.try_into()
        .map_err(|_| "a number of another length".into())
}

pub(super) fn value(kind: &Type, raw: &[u8], text: &mut Text) -> Result<(), Unreadable> {
    match kind.kind() {
        Kind::Domain(of) => return value(of, raw, text),
        Kind::Array(of) => return array(of, raw, text),
        _ => {}
    }
    let short = match *kind {
        Type::BOOL => json!(raw == [1]),
        Type::INT2 => json!(i16::from_be_bytes(number(raw)?)),
        Type::INT4 => json!(i32::from_be_bytes(number(raw)?)),
        Type::INT8 => json!(i64::from_be_bytes(number(raw)?)),
        Type::OID => json!(u32::from_be_bytes(number(raw)?)),
        Type::FLOAT4 => json!(f32::from_be_bytes(number(raw)?)),
        Type::FLOAT8 => json!(f64::from_be_bytes(number(raw)?)),
        Type::DATE => date(i32::from_be_bytes(number(raw)?))?,
        Type::TIME => time(i64::from_be_bytes(number(raw)?))?,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => timestamp(i64::from_be_bytes(number(raw)?))?,
        Type::VOID => Value::Null,
        Type::BYTEA => {
            write!(text, "\"{}\"", Base64Display::new(raw, &BASE64_STANDARD))?;
            return Ok(());
        }
        Type::UUID => return Ok(text.json(raw)?),
        Type::JSON => return document(raw, text),
        Type::JSONB => return document(raw.get(1..).unwrap_or_default(), text),
        Type::NUMERIC => return numeric(raw, text),
        _ => return Ok(text.json(std::str::from_utf8(raw)?)?),
    };
    Ok(text.json(&short)?)
}

/// A document of JSON as it is, without the blanks between its parts: as a tree it would be many times its size.
fn document(raw: &[u8], text: &mut Text) -> Result<(), Unreadable> {
    let document: &RawValue = serde_json::from_slice(raw)?;
    let (mut is_quoted, mut is_escaped) = (false, false);
    for byte in document.get().bytes() {
        if is_quoted {
            is_quoted = byte != b'"' || is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            is_quoted = byte == b'"';
        }
        text.push(&[byte])?;
    }
    Ok(())
}

/// The day from which the server counts.
fn epoch() -> Result<NaiveDateTime, Unreadable> {
    let day = NaiveDate::from_ymd_opt(2000, 1, 1).ok_or("no such day")?;
    Ok(day.and_time(NaiveTime::MIN))
}

fn shown(time: NaiveDateTime) -> Value {
    let time: DateTime<Utc> = time.and_utc();
    json!(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

fn timestamp(microseconds: i64) -> Result<Value, Unreadable> {
    let time = epoch()?.checked_add_signed(TimeDelta::microseconds(microseconds));
    // What is no time is told as the server tells it.
    Ok(time.map_or_else(|| endless(microseconds > 0), shown))
}

fn date(days: i32) -> Result<Value, Unreadable> {
    let day = epoch()?.checked_add_signed(TimeDelta::days(days.into()));
    Ok(day.map_or_else(|| endless(days > 0), shown))
}

fn endless(is_late: bool) -> Value {
    json!(if is_late { "infinity" } else { "-infinity" })
}

fn time(microseconds: i64) -> Result<Value, Unreadable> {
    let (time, _) = NaiveTime::MIN.overflowing_add_signed(TimeDelta::microseconds(microseconds));
    Ok(json!(time.format("%H:%M:%S%.6f").to_string()))
}

/// A number of any length, digit by digit: groups of four of them, the weight of the first, a sign, and the digits behind the
/// point.
fn numeric(raw: &[u8], out: &mut Text) -> Result<(), Unreadable> {
    let (head, groups) = raw.split_first_chunk::<8>().ok_or("a short number")?;
    let part = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (weight, sign, scale) = (part(2).cast_signed(), part(4), usize::from(part(6)));
    match sign {
        0 | 0x4000 => {}
        0xC000 => return Ok(out.json("NaN")?),
        0xD000 => return Ok(out.json("Infinity")?),
        0xF000 => return Ok(out.json("-Infinity")?),
        _ => return Err("a number without a sign".into()),
    }
    let group = |index: i32| {
        let at = usize::try_from(index).ok().map(|index| 2 * index);
        let pair = at.and_then(|at| groups.get(at..at + 2));
        pair.map_or(0, |pair| u16::from_be_bytes([pair[0], pair[1]]))
    };
    let weight = i32::from(weight);
    // At least as many digits, which are made one by one.
    out.check(4 * usize::try_from(weight).unwrap_or_default() + scale)?;
    let mut text = String::from(if sign == 0 { "" } else { "-" });
    match weight {
        0.. => {
            text.push_str(&group(0).to_string());
            (1..=weight).for_each(|index| text.push_str(&format!("{:04}", group(index))));
        }
        _ => text.push('0'),
    }
    let mut behind = String::new();
    let mut index = weight + 1;
    while behind.len() < scale {
        behind.push_str(&format!("{:04}", group(index)));
        index += 1;
    }
    if scale > 0 {
        text.push('.');
        text.push_str(behind.get(..scale).unwrap_or(&behind));
    }
    // As long as it is a number of JSON; digits that a float has not are kept as text.
    let plain: Option<Number> = serde_json::from_str(&text).ok();
    match plain {
        Some(plain) if plain.to_string() == text => Ok(out.push(text.as_bytes())?),
        _ => Ok(out.json(&text)?),
    }
}

/// An array of one dimension; one of more is told as one.
fn array(of: &Type, raw: &[u8], text: &mut Text) -> Result<(), Unreadable> {
    let dimensions = i32::from_be_bytes(number(raw.get(..4).ok_or("a short array")?)?);
    let dimensions = usize::try_from(dimensions)?;
    let mut rest = raw.get(12 + 8 * dimensions..).unwrap_or_default();
    text.push(b"[")?;
    let mut is_first = true;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        if !is_first {
            text.push(b",")?;
        }
        is_first = false;
        let length = i32::from_be_bytes(*length);
        let Ok(length) = usize::try_from(length) else {
            text.push(b"null")?;
            rest = after;
            continue;
        };
        let (item, after) = after.split_at_checked(length).ok_or("a short array")?;
        value(of, item, text)?;
        rest = after;
    }
    text.push(b"]")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_of(kind: &Type, raw: &[u8]) -> String {
        let mut text = Text::new(1 << 20);
        value(kind, raw, &mut text).unwrap();
        let whole = String::from_utf8(text.close()).unwrap();
        whole[1..whole.len() - 1].to_owned()
    }

    fn of(kind: &Type, raw: &[u8]) -> Value {
        serde_json::from_str(&shown_of(kind, raw)).unwrap()
    }

    /// An array of one value, so many times.
    fn array_of(item: &[u8], count: usize) -> Vec<u8> {
        let mut raw = vec![0; 20];
        raw[3] = 1;
        for _ in 0..count {
            raw.extend_from_slice(&(item.len() as u32).to_be_bytes());
            raw.extend_from_slice(item);
        }
        raw
    }

    /// Writes a value that finds no room.
    fn refuse(kind: &Type, raw: &[u8], limit: usize) {
        let mut text = Text::new(limit);
        assert!(value(kind, raw, &mut text).is_err(), "{kind}");
        assert!(text.is_full(), "{kind}");
        assert!(text.close().capacity() <= 2 * limit + 8, "{kind}");
    }

    #[test]
    fn a_number_of_many_digits_is_refused_before_it_is_written() {
        // 1e131000: ten bytes of the server, and 131,001 of text.
        let large = [0, 1, 0x7f, 0xee, 0, 0, 0, 0, 0, 1];
        assert_eq!(shown_of(&Type::NUMERIC, &large).len(), 4 * 0x7fee + 3);
        refuse(&Type::NUMERIC, &large, 100_000);
        refuse(&Type::NUMERIC_ARRAY, &array_of(&large, 100_000), 1 << 20);
        // A number of one digit and of 65,535 behind the point.
        let small = [0, 1, 0, 0, 0, 0, 0xff, 0xff, 0, 1];
        refuse(&Type::NUMERIC_ARRAY, &array_of(&small, 100_000), 1 << 20);
    }

    #[test]
    fn a_document_passes_as_it_is_and_has_the_same_bound() {
        let spaced = br#" { "b c" : [ 1.0, "\\\" x", 1e400 ] , "b c": {} } "#;
        let dense = r#"{"b c":[1.0,"\\\" x",1e400],"b c":{}}"#;
        assert_eq!(shown_of(&Type::JSON, spaced), dense);
        let binary = [&[1], &spaced[..]].concat();
        assert_eq!(shown_of(&Type::JSONB, &binary), dense);
        assert!(value(&Type::JSON, b"[1] 2", &mut Text::new(100)).is_err());
        let many = format!("[{}0]", "[],".repeat(100_000));
        assert_eq!(shown_of(&Type::JSON, many.as_bytes()), many);
        refuse(&Type::JSON, many.as_bytes(), 100_000);
        refuse(&Type::JSON_ARRAY, &array_of(many.as_bytes(), 3), 700_000);
    }

    #[test]
    fn every_form_has_the_bound() {
        refuse(&Type::TEXT, &[1; 1_000], 4_000);
        refuse(&Type::BYTEA, &[1; 1_000], 1_200);
        refuse(&Type::UUID, &[200; 1_000], 3_000);
        refuse(&Type::BOOL_ARRAY, &array_of(&[0], 1_000), 5_000);
    }

    #[test]
    fn arrays_keep_what_is_nothing() {
        let mut raw = array_of(b"a", 2);
        raw.extend_from_slice(&[0xff; 4]);
        assert_eq!(of(&Type::TEXT_ARRAY, &raw), json!(["a", "a", null]));
        assert_eq!(of(&Type::TEXT_ARRAY, &[0; 12]), json!([]));
    }

    #[test]
    fn numbers_of_any_length_keep_their_digits() {
        let digits = |groups: &[u16], weight: i16, sign: u16, scale: u16| {
            let head = [groups.len() as u16, weight.cast_unsigned(), sign, scale];
            let all = head.iter().chain(groups).flat_map(|n| n.to_be_bytes());
            of(&Type::NUMERIC, &all.collect::<Vec<_>>())
        };
        assert_eq!(digits(&[12, 3400], 0, 0, 2), json!(12.34));
        assert_eq!(digits(&[1], 1, 0x4000, 0), json!(-10000));
        assert_eq!(
            digits(&[500], -1, 0, 2),
            json!("0.05").as_str().map_or(Value::Null, |_| json!(0.05))
        );
        assert_eq!(digits(&[], 0, 0, 0), json!(0));
        assert_eq!(digits(&[1, 0], 0, 0, 4), json!("1.0000"));
        let long = digits(&[1, 2345, 6789, 123, 4567, 8901], 5, 0, 0);
        assert_eq!(long, json!("123456789012345678901"));
        assert_eq!(digits(&[], 0, 0xC000, 0), json!("NaN"));
    }

    #[test]
    fn times_are_those_of_rfc_3339() {
        assert_eq!(
            of(&Type::TIMESTAMPTZ, &1_500_000i64.to_be_bytes()),
            json!("2000-01-01T00:00:01.500Z")
        );
        assert_eq!(
            of(&Type::DATE, &366i32.to_be_bytes()),
            json!("2001-01-01T00:00:00Z")
        );
        assert_eq!(
            of(&Type::TIMESTAMP, &i64::MAX.to_be_bytes()),
            json!("infinity")
        );
        assert_eq!(
            of(&Type::TIME, &1_000_001i64.to_be_bytes()),
            json!("00:00:01.000001")
        );
    }

    #[test]
    fn what_is_damaged_is_an_error_and_no_panic() {
        for kind in SIMPLE.iter().chain([&Type::INT4_ARRAY, &Type::TEXT_ARRAY]) {
            for length in 0..40 {
                for byte in [0x00, 0x01, 0x7f, 0xff] {
                    _ = value(kind, &vec![byte; length], &mut Text::new(1 << 20));
                }
            }
        }
    }
}
