//! Columns and values, in the binary form that prepared statements have, and in the text of others.

use crate::{
    fault::Fault,
    wire::{Payload, put_sized},
};
use chrono::{NaiveDate, NaiveDateTime};

/// A value of a statement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Null,
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Value::Null, Value::Text)
    }
}

/// Kinds of columns by their numbers.
pub(super) mod kind {
    pub const TINY: u8 = 0x01;
    pub const SHORT: u8 = 0x02;
    pub const LONG: u8 = 0x03;
    pub const FLOAT: u8 = 0x04;
    pub const DOUBLE: u8 = 0x05;
    pub const NULL: u8 = 0x06;
    pub const TIMESTAMP: u8 = 0x07;
    pub const LONGLONG: u8 = 0x08;
    pub const INT24: u8 = 0x09;
    pub const DATE: u8 = 0x0a;
    pub const TIME: u8 = 0x0b;
    pub const DATETIME: u8 = 0x0c;
    pub const YEAR: u8 = 0x0d;
    pub const BIT: u8 = 0x10;
    pub const JSON: u8 = 0xf5;
    pub const DECIMAL: u8 = 0xf6;
    pub const BLOB: u8 = 0xfc;
    pub const TEXT: u8 = 0xfd;
    pub const GEOMETRY: u8 = 0xff;
}

/// The set of characters of bytes that are no text.
const NO_TEXT: u64 = 63;
const UNSIGNED: u64 = 1 << 5;

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub name: String,
    pub kind: u8,
    pub is_unsigned: bool,
    /// True of bytes that are no text.
    pub is_binary: bool,
}

impl Column {
    pub fn read(packet: &[u8]) -> Result<Self, Fault> {
        let mut payload = Payload(packet);
        for _ in 0..4 {
            payload.sized()?;
        }
        let name = String::from_utf8_lossy(payload.sized()?).into_owned();
        payload.sized()?;
        payload.size()?;
        let charset = payload.number(2)?;
        payload.bytes(4)?;
        let kind = payload.byte()?;
        let flags = payload.number(2)?;
        Ok(Column {
            name,
            kind,
            is_unsigned: flags & UNSIGNED != 0,
            is_binary: charset == NO_TEXT,
        })
    }
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Uint(u64),
    Float(f64),
    Single(f32),
    Bytes(Vec<u8>),
    Time(NaiveDateTime),
    /// A time between two moments, as text.
    Span(String),
}

pub(super) type Row = Vec<Cell>;

/// Reads a row of a prepared statement.
pub(super) fn binary(packet: &[u8], columns: &[Column]) -> Result<Row, Fault> {
    let mut payload = Payload(packet);
    payload.byte()?;
    let missing = payload.bytes((columns.len() + 9) / 8)?;
    let is_null = |index: usize| missing[(index + 2) / 8] & (1 << ((index + 2) % 8)) != 0;
    let cells = columns
        .iter()
        .enumerate()
        .map(|(index, column)| match is_null(index) {
            true => Ok(Cell::Null),
            false => cell(column, &mut payload),
        });
    cells.collect()
}

/// Reads a row of a statement that was not prepared.
pub(super) fn text(packet: &[u8], columns: &[Column]) -> Result<Row, Fault> {
    let mut payload = Payload(packet);
    let cells = columns.iter().map(|_| match payload.0.first() {
        Some(0xfb) => {
            payload.byte()?;
            Ok(Cell::Null)
        }
        _ => Ok(Cell::Bytes(payload.sized()?.to_vec())),
    });
    cells.collect()
}

fn cell(column: &Column, payload: &mut Payload<'_>) -> Result<Cell, Fault> {
    let bytes = match column.kind {
        kind::TINY => 1,
        kind::SHORT | kind::YEAR => 2,
        kind::LONG | kind::INT24 => 4,
        kind::LONGLONG => 8,
        kind::FLOAT => return Ok(Cell::Single(f32::from_bits(payload.number(4)? as u32))),
        kind::DOUBLE => return Ok(Cell::Float(f64::from_bits(payload.number(8)?))),
        kind::NULL => return Ok(Cell::Null),
        kind::DATE | kind::DATETIME | kind::TIMESTAMP => return time(payload),
        kind::TIME => return span(payload),
        _ => return Ok(Cell::Bytes(payload.sized()?.to_vec())),
    };
    let number = payload.number(bytes)?;
    if column.is_unsigned {
        return Ok(Cell::Uint(number));
    }
    // The highest bit of it is that of the sign.
    let shift = 64 - 8 * bytes as u32;
    Ok(Cell::Int((number << shift).cast_signed() >> shift))
}

/// A date with a time of day; the zero date, which is none, is nothing.
fn time(payload: &mut Payload<'_>) -> Result<Cell, Fault> {
    let length = usize::from(payload.byte()?);
    let mut rest = Payload(payload.bytes(length)?);
    if length == 0 {
        return Ok(Cell::Null);
    }
    let (year, month, day) = (rest.number(2)?, rest.byte()?, rest.byte()?);
    let (hour, minute, second) = match rest.0.is_empty() {
        true => (0, 0, 0),
        false => (rest.byte()?, rest.byte()?, rest.byte()?),
    };
    let micros = match rest.0.is_empty() {
        true => 0,
        false => rest.number(4)?,
    };
    let date = NaiveDate::from_ymd_opt(year as i32, month.into(), day.into());
    let time = date.and_then(|date| {
        date.and_hms_micro_opt(hour.into(), minute.into(), second.into(), micros as u32)
    });
    Ok(time.map_or(Cell::Null, Cell::Time))
}

fn span(payload: &mut Payload<'_>) -> Result<Cell, Fault> {
    let length = usize::from(payload.byte()?);
    let mut rest = Payload(payload.bytes(length)?);
    if length == 0 {
        return Ok(Cell::Span("00:00:00".to_owned()));
    }
    let sign = if rest.byte()? == 1 { "-" } else { "" };
    let days = rest.number(4)?;
    let (hours, minutes, seconds) = (rest.byte()?, rest.byte()?, rest.byte()?);
    let hours = days * 24 + u64::from(hours);
    let mut text = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}");
    if !rest.0.is_empty() {
        text.push_str(&format!(".{:06}", rest.number(4)?));
    }
    Ok(Cell::Span(text))
}

/// Writes the values of a statement: which are null, of what kind each is, and the values.
pub(super) fn put(values: &[Value<'_>], into: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let start = into.len();
    into.resize(start + values.len().div_ceil(8), 0);
    into.push(1);
    for (index, value) in values.iter().enumerate() {
        let (kind, flag) = match value {
            Value::Null => {
                into[start + index / 8] |= 1 << (index % 8);
                (kind::NULL, 0)
            }
            Value::Int(_) => (kind::LONGLONG, 0),
            Value::Uint(_) => (kind::LONGLONG, 0x80),
            Value::Float(_) => (kind::DOUBLE, 0),
            Value::Text(_) => (kind::TEXT, 0),
            Value::Bytes(_) => (kind::BLOB, 0),
        };
        into.extend_from_slice(&[kind, flag]);
    }
    for value in values {
        match value {
            Value::Null => {}
            Value::Int(number) => into.extend_from_slice(&number.to_le_bytes()),
            Value::Uint(number) => into.extend_from_slice(&number.to_le_bytes()),
            Value::Float(number) => into.extend_from_slice(&number.to_le_bytes()),
            Value::Text(text) => put_sized(text.as_bytes(), into),
            Value::Bytes(bytes) => put_sized(bytes, into),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: u8, is_unsigned: bool) -> Column {
        Column {
            name: "a".to_owned(),
            kind,
            is_unsigned,
            is_binary: false,
        }
    }

    #[test]
    fn numbers_keep_their_sign() {
        for (kind, is_unsigned, bytes, expected) in [
            (kind::TINY, false, &b"\xff"[..], Cell::Int(-1)),
            (kind::TINY, true, b"\xff", Cell::Uint(255)),
            (kind::SHORT, false, b"\0\x80", Cell::Int(-32_768)),
            (kind::LONG, false, b"\x01\0\0\0", Cell::Int(1)),
            (kind::LONGLONG, false, &[0xff; 8], Cell::Int(-1)),
            (kind::LONGLONG, true, &[0xff; 8], Cell::Uint(u64::MAX)),
        ] {
            let packet = [&[0, 0], bytes].concat();
            let row = binary(&packet, &[column(kind, is_unsigned)]).unwrap();
            assert_eq!(row, [expected]);
        }
    }

    #[test]
    fn times_are_read_and_what_is_none_is_nothing() {
        let time = |bytes: &[u8]| {
            let packet = [&[0, 0], bytes].concat();
            binary(&packet, &[column(kind::DATETIME, false)])
                .unwrap()
                .remove(0)
        };
        let expected = NaiveDate::from_ymd_opt(2026, 1, 2)
            .unwrap()
            .and_hms_micro_opt(3, 4, 5, 6);
        assert_eq!(
            time(b"\x0b\xea\x07\x01\x02\x03\x04\x05\x06\0\0\0"),
            Cell::Time(expected.unwrap())
        );
        assert_eq!(time(b"\x04\xea\x07\x0d\x28"), Cell::Null);
        assert_eq!(time(b"\0"), Cell::Null);
        let packet = b"\0\0\x0c\x01\x01\0\0\0\x02\x03\x04\x05\0\0\0";
        let row = binary(packet, &[column(kind::TIME, false)]).unwrap();
        assert_eq!(row, [Cell::Span("-26:03:04.000005".to_owned())]);
    }

    #[test]
    fn a_row_that_is_cut_short_is_an_error() {
        let columns = [column(kind::LONGLONG, false), column(kind::TEXT, false)];
        for packet in [
            &b""[..],
            b"\0",
            b"\0\0",
            b"\0\0\x01\x02",
            b"\0\0\x01\x02\x03\x04\x05\x06\x07\x08\x09x",
        ] {
            assert!(binary(packet, &columns).is_err(), "{packet:?}");
        }
        assert!(text(b"\x01a\x05b", &columns).is_err());
        assert!(Column::read(b"\x03def\xff").is_err());
    }
}
