//! Parameters and rows in JSON, as Dapr has them: a row is an object, whose names are those of the columns.

use crate::rows::{Cell, Column, Value, kind};
use base64::{display::Base64Display, prelude::BASE64_STANDARD};
use chrono::SecondsFormat;
use serde_json::{Value as Json, value::RawValue};
use std::{collections::HashSet, io};
use wythe_blocks::bindings::Text;

/// A parameter. What is no simple value in JSON is its text.
pub(super) enum Param<'a> {
    Json(&'a Json),
    Text(String),
}

pub(super) fn param(json: &Json) -> Param<'_> {
    match json {
        Json::Array(_) | Json::Object(_) => Param::Text(json.to_string()),
        simple => Param::Json(simple),
    }
}

impl Param<'_> {
    pub fn value(&self) -> Value<'_> {
        match self {
            Param::Text(text) => Value::Text(text),
            Param::Json(Json::String(text)) => Value::Text(text),
            Param::Json(Json::Bool(is_so)) => Value::Int((*is_so).into()),
            Param::Json(Json::Number(number)) => {
                let whole = number.as_i64().map(Value::Int);
                let whole = whole.or_else(|| number.as_u64().map(Value::Uint));
                whole.unwrap_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)))
            }
            Param::Json(_) => Value::Null,
        }
    }
}

/// Says of each column whether it is the last of its name, which alone counts.
pub(super) fn wanted(columns: &[Column]) -> Vec<bool> {
    let mut names = HashSet::new();
    let columns = columns.iter().rev();
    let mut wanted: Vec<_> = columns.map(|column| names.insert(&column.name)).collect();
    wanted.reverse();
    wanted
}

/// Writes a row of a query behind those before it.
pub(super) fn write(
    columns: &[Column],
    wanted: &[bool],
    row: &[Cell],
    text: &mut Text,
) -> io::Result<()> {
    text.push(if text.is_empty() { b"{" } else { b",{" })?;
    let mut is_first = true;
    for ((column, cell), wanted) in columns.iter().zip(row).zip(wanted) {
        // What is null has no member, as in Dapr.
        if !wanted || *cell == Cell::Null {
            continue;
        }
        if !is_first {
            text.push(b",")?;
        }
        is_first = false;
        text.json(&column.name)?;
        text.push(b":")?;
        value(column, cell, text)?;
    }
    text.push(b"}")
}

fn value(column: &Column, cell: &Cell, text: &mut Text) -> io::Result<()> {
    match cell {
        Cell::Null => text.push(b"null"),
        Cell::Int(number) => text.json(number),
        Cell::Uint(number) => text.json(number),
        Cell::Float(number) => text.json(number),
        Cell::Single(number) => text.json(number),
        Cell::Time(time) => text.json(&time.and_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        Cell::Span(span) => text.json(span),
        Cell::Bytes(bytes) => content(column, bytes, text),
    }
}

/// A value that came as bytes: a number, text, or neither.
fn content(column: &Column, bytes: &[u8], text: &mut Text) -> io::Result<()> {
    let plain = std::str::from_utf8(bytes).ok();
    match (column.kind, plain) {
        // Rows of what was not prepared are text all over.
        (
            kind::TINY
            | kind::SHORT
            | kind::LONG
            | kind::INT24
            | kind::LONGLONG
            | kind::YEAR
            | kind::FLOAT
            | kind::DOUBLE,
            Some(plain),
        ) if serde_json::from_str::<&RawValue>(plain).is_ok() => text.push(bytes),
        (
            kind::DECIMAL | kind::JSON | kind::DATE | kind::DATETIME | kind::TIMESTAMP | kind::TIME,
            Some(plain),
        ) => text.json(plain),
        (kind::BIT | kind::GEOMETRY, _) => encoded(bytes, text),
        (_, Some(plain)) if !column.is_binary => text.json(plain),
        _ => encoded(bytes, text),
    }
}

fn encoded(bytes: &[u8], text: &mut Text) -> io::Result<()> {
    text.push(b"\"")?;
    io::Write::write_fmt(
        text,
        format_args!("{}", Base64Display::new(bytes, &BASE64_STANDARD)),
    )?;
    text.push(b"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: u8, is_binary: bool) -> Column {
        Column {
            name: name.to_owned(),
            kind,
            is_unsigned: false,
            is_binary,
        }
    }

    fn shown(columns: Vec<Column>, row: Vec<Cell>, limit: usize) -> io::Result<String> {
        let mut text = Text::new(limit);
        write(&columns, &wanted(&columns), &row, &mut text)?;
        Ok(String::from_utf8(text.close()).unwrap())
    }

    #[test]
    fn a_row_is_an_object_without_what_is_null() {
        let bytes = |text: &str| Cell::Bytes(text.into());
        let columns = vec![
            column("a", kind::LONG, false),
            column("b", kind::TEXT, false),
            column("c", kind::BLOB, true),
            column("d", kind::TEXT, false),
            column("e", kind::DECIMAL, true),
            column("a", kind::LONG, false),
            column("f", kind::LONG, false),
        ];
        let row = vec![
            Cell::Int(1),
            bytes("\"x\n"),
            Cell::Bytes(vec![255]),
            Cell::Null,
            bytes("1.50"),
            Cell::Int(-2),
            bytes("no number"),
        ];
        let expected = r#"[{"b":"\"x\n","c":"/w==","e":"1.50","a":-2,"f":"no number"}]"#;
        assert_eq!(shown(columns, row, 1_000).unwrap(), expected);
    }

    #[test]
    fn no_row_outgrows_its_bound() {
        for (kind, is_binary) in [(kind::TEXT, false), (kind::BLOB, true)] {
            let row = vec![Cell::Bytes(vec![1; 1_000])];
            assert!(shown(vec![column("a", kind, is_binary)], row, 1_000).is_err());
        }
    }

    #[test]
    fn parameters_are_values_or_text_of_json() {
        let all: Json = serde_json::json!([null, true, -1, u64::MAX, 0.5, "a", {"b": [1]}]);
        let params: Vec<_> = all.as_array().unwrap().iter().map(param).collect();
        let shown: Vec<_> = params
            .iter()
            .map(|param| format!("{:?}", param.value()))
            .collect();
        let expected = [
            "Null",
            "Int(1)",
            "Int(-1)",
            "Uint(18446744073709551615)",
            "Float(0.5)",
            "Text(\"a\")",
            "Text(\"{\\\"b\\\":[1]}\")",
        ];
        assert_eq!(shown, expected);
    }
}
