//! The statements of a state table, and its rows.

use crate::{
    client::Lent,
    fault::Fault,
    names::Name,
    rows::{Cell, Row, Value},
    schema::text,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use wythe_blocks::state::{Entry, MAX_ANSWER, Page, after_all};

/// Holds for an entry whose time is over.
const OVER: &str = "(expiredate IS NOT NULL AND expiredate <= CURRENT_TIMESTAMP(6))";
/// The end of an entry, of a time to live in microseconds.
const END: &str = "CURRENT_TIMESTAMP(6) + INTERVAL ? MICROSECOND";
const COLUMNS: &str = "value, isbinary, eTag, wythe_content_type, expiredate, wythe_fence";
/// Parameters of a put behind its values, all of which say that nothing may be there.
pub(super) const GUARDS: usize = 6;

pub(super) struct Sql {
    pub get: String,
    pub put: String,
    pub update: String,
    pub delete: String,
    pub delete_matching: String,
    /// Etag and fence of an entry.
    pub mark: String,
    /// An entry, be its time over or not, which nobody else changes until the transaction ends.
    pub lock: String,
    pub insert: String,
    pub change: String,
    pub renew: String,
    pub over: String,
    table: Name,
}

impl Sql {
    pub fn new(table: &Name) -> Self {
        let delete = format!("DELETE FROM {table} WHERE id = ?");
        Sql {
            get: format!("SELECT {COLUMNS} FROM {table} WHERE id = ? AND NOT {OVER}"),
            put: put(table),
            update: format!(
                "UPDATE {table} SET value = ?, isbinary = 1, eTag = ?, wythe_content_type = ?, \
                 wythe_fence = COALESCE(?, wythe_fence), expiredate = {END} \
                 WHERE id = ? AND CAST(eTag AS BINARY) = ? AND NOT {OVER} \
                 AND (wythe_fence IS NULL OR ? IS NULL OR wythe_fence <= ?)"
            ),
            delete_matching: format!("{delete} AND CAST(eTag AS BINARY) = ? AND NOT {OVER}"),
            delete,
            mark: format!("SELECT eTag, wythe_fence FROM {table} WHERE id = ? AND NOT {OVER}"),
            lock: format!(
                "SELECT {COLUMNS}, CAST(NOT {OVER} AS SIGNED) FROM {table} WHERE id = ? FOR UPDATE"
            ),
            insert: format!("INSERT INTO {table} (id, value, isbinary, eTag) VALUES (?, ?, 1, ?)"),
            change: format!("UPDATE {table} SET value = ?, isbinary = 1, eTag = ? WHERE id = ?"),
            renew: format!(
                "UPDATE {table} SET value = ?, isbinary = 1, eTag = ?, wythe_content_type = NULL, wythe_fence = NULL, \
                 expiredate = NULL WHERE id = ?"
            ),
            over: format!("DELETE FROM {table} WHERE expiredate <= CURRENT_TIMESTAMP(6) LIMIT ?"),
            table: table.clone(),
        }
    }

    /// The entries of so many keys.
    pub fn get_many(&self, count: usize) -> String {
        let keys = vec!["?"; count].join(", ");
        let table = &self.table;
        format!("SELECT {COLUMNS}, id FROM {table} WHERE id IN ({keys}) AND NOT {OVER}")
    }

    /// The removal of so many keys, whatever is there.
    pub fn delete_many(&self, count: usize) -> String {
        let keys = vec!["?"; count].join(", ");
        format!("DELETE FROM {} WHERE id IN ({keys})", self.table)
    }

    /// A page of entries, which ends early where the values are large: the sizes are looked at first.
    pub async fn page(
        &self,
        lent: &mut Lent,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page, Fault> {
        let (from, start) = match cursor.filter(|cursor| *cursor >= prefix) {
            Some(cursor) => (">", cursor),
            None => (">=", prefix),
        };
        let (table, end) = (&self.table, after_all(prefix));
        let start = Value::Bytes(start.as_bytes());
        let below = end.as_ref().map_or("", |_| "AND id < ?");
        let sql = format!(
            "SELECT id, CAST(LENGTH(value) AS SIGNED) FROM {table} WHERE id {from} ? {below} AND NOT {OVER} ORDER BY id LIMIT ?"
        );
        let mut values = vec![start];
        values.extend(end.as_ref().map(|end| Value::Bytes(end.as_bytes())));
        values.push(Value::Uint(u64::from(limit) + 1));
        let sizes = lent.execute(&sql, &values).await?.rows;
        let count = fitting(&sizes, limit as usize);
        let Some(last) = count.checked_sub(1).map(|index| key(&sizes[index], 0)) else {
            return Ok(Page::default());
        };
        let (last, is_more) = (last?, sizes.len() > count);
        let sql = format!(
            "SELECT {COLUMNS}, id FROM {table} WHERE id {from} ? AND id <= ? AND NOT {OVER} ORDER BY id LIMIT ?"
        );
        let values = [
            start,
            Value::Bytes(last.as_bytes()),
            Value::Uint(count as u64),
        ];
        let rows = lent.execute(&sql, &values).await?.rows;
        let entries: Vec<(String, Entry)> = rows.iter().map(named).collect::<Result<_, Fault>>()?;
        // Some may have come in between meanwhile, so that those behind them had no room.
        let seen = match entries.last() {
            Some((key, _)) if entries.len() == count => key.clone(),
            _ => last.clone(),
        };
        let next = (is_more || seen < last).then_some(seen);
        Ok(Page { entries, next })
    }
}

/// The number of rows, from the first on, that a page has room for.
fn fitting(sizes: &[Row], limit: usize) -> usize {
    let mut size = 0;
    let fits = |row: &&Row| {
        let before = size;
        size += match row.get(1) {
            Some(Cell::Int(size)) => *size,
            _ => 0,
        };
        before < MAX_ANSWER as i64
    };
    sizes.iter().take(limit).take_while(fits).count()
}

/// An entry behind its columns, and its key.
pub(super) fn named(row: &Row) -> Result<(String, Entry), Fault> {
    Ok((key(row, 6)?, entry(row, 0)?))
}

fn key(row: &Row, index: usize) -> Result<String, Fault> {
    row.get(index)
        .and_then(text)
        .ok_or_else(|| odd("a key is no text"))
}

/// A put of whatever is there (the guards are 0), or of nothing that is there (1). The condition holds before and after each
/// column that it is about was written, so that it is the same for all of them.
fn put(table: &Name) -> String {
    let is_good = format!(
        "({OVER} OR (? = 0 AND (wythe_fence IS NULL OR VALUES(wythe_fence) IS NULL OR wythe_fence <= VALUES(wythe_fence))))"
    );
    let set = |column: &str, new: &str| format!("{column} = IF({is_good}, {new}, {column})");
    let columns = [
        set("value", "VALUES(value)"),
        set("isbinary", "VALUES(isbinary)"),
        set("eTag", "VALUES(eTag)"),
        set("wythe_content_type", "VALUES(wythe_content_type)"),
        set(
            "wythe_fence",
            &format!("IF({OVER}, VALUES(wythe_fence), COALESCE(VALUES(wythe_fence), wythe_fence))"),
        ),
        set("expiredate", "VALUES(expiredate)"),
    ];
    format!(
        "INSERT INTO {table} (id, value, isbinary, eTag, wythe_content_type, wythe_fence, expiredate) \
         VALUES (?, ?, 1, ?, ?, ?, {END}) ON DUPLICATE KEY UPDATE {}",
        columns.join(", ")
    )
}

fn odd(said: &str) -> Fault {
    Fault::Odd(format!("a row of the table: {said}"))
}

/// A value as Dapr writes bytes: a text of JSON in base64.
pub(super) fn encoded(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len().div_ceil(3) * 4 + 2);
    text.push('"');
    STANDARD.encode_string(value, &mut text);
    text.push('"');
    text
}

pub(super) fn entry(row: &Row, first: usize) -> Result<Entry, Fault> {
    let cell = |index: usize| {
        row.get(first + index)
            .ok_or_else(|| odd("a column is missing"))
    };
    let Cell::Bytes(value) = cell(0)? else {
        return Err(odd("a value is missing"));
    };
    let value = match cell(1)? {
        Cell::Int(0) | Cell::Uint(0) => Bytes::copy_from_slice(value),
        _ => {
            let inside = value
                .strip_prefix(b"\"")
                .and_then(|rest| rest.strip_suffix(b"\""));
            let decoded = inside.and_then(|inside| STANDARD.decode(inside).ok());
            decoded
                .ok_or_else(|| odd("a binary value is no base64"))?
                .into()
        }
    };
    let expires = match cell(4)? {
        Cell::Time(time) => Some(time.and_utc().into()),
        _ => None,
    };
    Ok(Entry {
        value,
        etag: text(cell(2)?).ok_or_else(|| odd("an etag is no text"))?,
        content_type: text(cell(3)?),
        expires,
    })
}
