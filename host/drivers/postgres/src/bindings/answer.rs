//! The rows of a query as Dapr gives them: an array of arrays in JSON.

use super::param::Param;
use crate::fault::Fault;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
use futures::TryStreamExt as _;
use serde_json::{Number, Value, json};
use std::{error::Error as StdError, pin::pin};
use tokio_postgres::{
    Client, Row,
    types::{FromSql, Kind, Type},
};
use wythe_blocks::{Error, Permit, Result, bindings::Request};

type Unreadable = Box<dyn StdError + Sync + Send>;

pub(super) struct Answer<'a> {
    request: &'a Request<'a>,
    text: Vec<u8>,
    held: Vec<Option<Permit>>,
    /// The reason for which reading ended early.
    ended: Option<Error>,
}

impl<'a> Answer<'a> {
    pub fn new(request: &'a Request<'a>) -> Self {
        Answer {
            request,
            text: vec![b'['],
            held: Vec::new(),
            ended: None,
        }
    }

    pub async fn read(
        &mut self,
        client: &Client,
        sql: &str,
        params: &[Param],
    ) -> Result<(), Fault> {
        let statement = client.prepare(sql).await?;
        for column in statement.columns() {
            if !is_known(column.type_()) {
                self.ended = Some(Error::invalid(format!(
                    "the column `{}` is of the type {}, which has no form in JSON here; let the statement make it `::text`",
                    column.name().escape_debug(),
                    column.type_()
                )));
                return Ok(());
            }
        }
        let mut rows = pin!(client.query_raw(&statement, params).await?);
        while let Some(row) = rows.try_next().await? {
            // The rest is read, so that the connection can be used again.
            if self.ended.is_none() {
                let added = self.add(&row);
                self.ended = added.err();
            }
        }
        Ok(())
    }

    fn add(&mut self, row: &Row) -> Result<()> {
        let values = (0..row.len()).map(|index| row.try_get::<_, Option<Shown>>(index));
        let values =
            values.map(|value| value.map(|value| value.map_or(Value::Null, |shown| shown.0)));
        let values: Result<Vec<Value>, _> = values.collect();
        let values = values.map_err(|error| {
            Error::internal("the database answers in an unexpected way").with_source(error)
        })?;
        let line = Value::Array(values).to_string();
        let limit = usize::try_from(self.request.max_bytes).unwrap_or(usize::MAX);
        if self.text.len() + line.len() + 2 > limit {
            return Err(Error::exhausted(format!(
                "the rows have more than {limit} bytes; ask for fewer, or see `maxDataBytes`"
            )));
        }
        self.held.push(self.request.hold(line.len())?);
        if self.text.len() > 1 {
            self.text.push(b',');
        }
        self.text.extend_from_slice(line.as_bytes());
        Ok(())
    }

    pub fn finish(mut self) -> Result<Bytes> {
        match self.ended {
            Some(error) => Err(error),
            None => {
                self.text.push(b']');
                Ok(self.text.into())
            }
        }
    }
}

/// A value as JSON.
struct Shown(Value);

fn is_known(kind: &Type) -> bool {
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

impl<'a> FromSql<'a> for Shown {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Unreadable> {
        value(kind, raw).map(Shown)
    }

    fn accepts(kind: &Type) -> bool {
        is_known(kind)
    }
}

fn number<const N: usize>(raw: &[u8]) -> Result<[u8; N], Unreadable> {
    raw.try_into()
        .map_err(|_| "a number of another length".into())
}

fn value(kind: &Type, raw: &[u8]) -> Result<Value, Unreadable> {
    match kind.kind() {
        Kind::Domain(of) => return value(of, raw),
        Kind::Array(_) => return array(kind, raw),
        _ => {}
    }
    Ok(match *kind {
        Type::BOOL => json!(raw == [1]),
        Type::INT2 => json!(i16::from_be_bytes(number(raw)?)),
        Type::INT4 => json!(i32::from_be_bytes(number(raw)?)),
        Type::INT8 => json!(i64::from_be_bytes(number(raw)?)),
        Type::OID => json!(u32::from_be_bytes(number(raw)?)),
        Type::FLOAT4 => json!(f32::from_be_bytes(number(raw)?)),
        Type::FLOAT8 => json!(f64::from_be_bytes(number(raw)?)),
        Type::BYTEA => json!(BASE64_STANDARD.encode(raw)),
        Type::UUID => json!(raw),
        Type::JSON => serde_json::from_slice(raw)?,
        Type::JSONB => serde_json::from_slice(raw.get(1..).unwrap_or_default())?,
        Type::NUMERIC => numeric(raw)?,
        Type::DATE => date(i32::from_be_bytes(number(raw)?))?,
        Type::TIME => time(i64::from_be_bytes(number(raw)?))?,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => timestamp(i64::from_be_bytes(number(raw)?))?,
        Type::VOID => Value::Null,
        _ => json!(std::str::from_utf8(raw)?),
    })
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
fn numeric(raw: &[u8]) -> Result<Value, Unreadable> {
    let (head, groups) = raw.split_first_chunk::<8>().ok_or("a short number")?;
    let part = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (weight, sign, scale) = (part(2).cast_signed(), part(4), usize::from(part(6)));
    match sign {
        0 | 0x4000 => {}
        0xC000 => return Ok(json!("NaN")),
        0xD000 => return Ok(json!("Infinity")),
        0xF000 => return Ok(json!("-Infinity")),
        _ => return Err("a number without a sign".into()),
    }
    let group = |index: i32| {
        let at = usize::try_from(index).ok().map(|index| 2 * index);
        let pair = at.and_then(|at| groups.get(at..at + 2));
        pair.map_or(0, |pair| u16::from_be_bytes([pair[0], pair[1]]))
    };
    let weight = i32::from(weight);
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
    Ok(match plain {
        Some(plain) if plain.to_string() == text => Value::Number(plain),
        _ => json!(text),
    })
}

/// An array of one dimension; one of more is told as one.
fn array(kind: &Type, raw: &[u8]) -> Result<Value, Unreadable> {
    let Kind::Array(of) = kind.kind() else {
        return Err("no array".into());
    };
    let dimensions = i32::from_be_bytes(number(raw.get(..4).ok_or("a short array")?)?);
    let dimensions = usize::try_from(dimensions)?;
    let mut rest = raw.get(12 + 8 * dimensions..).unwrap_or_default();
    let mut values = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = i32::from_be_bytes(*length);
        let Ok(length) = usize::try_from(length) else {
            values.push(Value::Null);
            rest = after;
            continue;
        };
        let (item, after) = after.split_at_checked(length).ok_or("a short array")?;
        values.push(value(of, item)?);
        rest = after;
    }
    Ok(Value::Array(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &Type, raw: &[u8]) -> Value {
        value(kind, raw).unwrap()
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
                    _ = value(kind, &vec![byte; length]);
                }
            }
        }
    }
}
