//! The statements of a state table, and its rows.

use super::{MAX_VALUE, stamp};
use crate::{fault::Fault, names::Table, schema::Schema};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, types::ValueRef};
use wythe_blocks::state::{Entry, Etag, MAX_ANSWER, Page, after_all};

/// Dapr's own version of its table.
const THEIRS: u32 = 1;
const OURS: u32 = 1;

/// The shapes of Dapr's table and of the one beside it.
pub(super) fn schemas(table: &Table) -> [Schema; 2] {
    let (beside, index) = (beside(table), table.with("_wythe_ends"));
    [
        Schema {
            row: "migrations".to_owned(),
            known: THEIRS,
            make: format!(
                "CREATE TABLE IF NOT EXISTS {table} (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, \
                 is_binary BOOLEAN NOT NULL, etag TEXT NOT NULL, expiration_time TIMESTAMP DEFAULT NULL, \
                 update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)"
            ),
            probe: format!(
                "SELECT key, value, is_binary, etag, expiration_time, update_time FROM {table}"
            ),
        },
        Schema {
            row: format!("wythe-{}", table.plain()),
            known: OURS,
            make: format!(
                "CREATE TABLE IF NOT EXISTS {beside} (key TEXT NOT NULL PRIMARY KEY, etag TEXT NOT NULL, content_type TEXT, \
                 fence TEXT) WITHOUT ROWID; \
                 CREATE INDEX IF NOT EXISTS {index} ON {table} (expiration_time) WHERE expiration_time IS NOT NULL"
            ),
            probe: format!("SELECT key, etag, content_type, fence FROM {beside}"),
        },
    ]
}

fn beside(table: &Table) -> Table {
    table.with("_wythe")
}

pub(super) struct Sql {
    get: String,
    mark: String,
    put: String,
    delete: String,
    note: String,
    forget: String,
    over: String,
    orphans: String,
    from: String,
}

/// The part of an entry that a condition is held against.
pub(super) struct Mark {
    pub etag: Etag,
    pub fence: Option<u64>,
    pub content_type: Option<String>,
    /// The end of the entry, as it is written.
    pub end: Option<String>,
}

/// A row of Dapr's table as it is to be.
pub(super) struct New<'a> {
    pub key: &'a str,
    pub value: &'a [u8],
    pub etag: &'a str,
    pub end: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub fence: Option<u64>,
}

impl Sql {
    pub fn new(table: &Table) -> Self {
        let beside = beside(table);
        // The content type is that of the write which has the row's etag; a fence holds whoever wrote after it.
        let from = format!(
            "SELECT s.key, s.value, s.is_binary, s.etag, CAST(s.expiration_time AS TEXT), \
             CASE WHEN w.etag = s.etag THEN w.content_type END, w.fence \
             FROM {table} AS s LEFT JOIN {beside} AS w ON w.key = s.key"
        );
        let alive = "(s.expiration_time IS NULL OR s.expiration_time > ?2)";
        Sql {
            get: format!("{from} WHERE s.key = ?1 AND {alive}"),
            mark: format!(
                "SELECT s.etag, CAST(s.expiration_time AS TEXT), CASE WHEN w.etag = s.etag THEN w.content_type END, w.fence \
                 FROM {table} AS s LEFT JOIN {beside} AS w ON w.key = s.key WHERE s.key = ?1 AND {alive}"
            ),
            put: format!(
                "INSERT INTO {table} (key, value, is_binary, etag, expiration_time, update_time) \
                 VALUES (?1, ?2, ?3, ?4, ?5, CURRENT_TIMESTAMP) ON CONFLICT (key) DO UPDATE SET value = excluded.value, \
                 is_binary = excluded.is_binary, etag = excluded.etag, expiration_time = excluded.expiration_time, \
                 update_time = excluded.update_time"
            ),
            delete: format!("DELETE FROM {table} WHERE key = ?1"),
            note: format!(
                "INSERT OR REPLACE INTO {beside} (key, etag, content_type, fence) VALUES (?1, ?2, ?3, ?4)"
            ),
            forget: format!("DELETE FROM {beside} WHERE key = ?1"),
            over: format!(
                "DELETE FROM {table} WHERE key IN (SELECT key FROM {table} WHERE expiration_time <= ?1 LIMIT ?2)"
            ),
            orphans: format!(
                "DELETE FROM {beside} WHERE key IN (SELECT w.key FROM {beside} AS w WHERE NOT EXISTS \
                 (SELECT 1 FROM {table} AS s WHERE s.key = w.key) LIMIT ?1)"
            ),
            from,
        }
    }

    pub fn get(
        &self,
        connection: &Connection,
        key: &str,
        now: &str,
    ) -> Result<Option<Entry>, Fault> {
        let mut statement = connection.prepare_cached(&self.get)?;
        let mut rows = statement.query([key, now])?;
        rows.next()?.map(entry).transpose()
    }

    pub fn mark(
        &self,
        connection: &Connection,
        key: &str,
        now: &str,
    ) -> Result<Option<Mark>, Fault> {
        let mut statement = connection.prepare_cached(&self.mark)?;
        let read = |row: &Row| {
            Ok(Mark {
                etag: row.get(0)?,
                end: row.get(1)?,
                content_type: row.get(2)?,
                fence: fence(row.get(3)?),
            })
        };
        Ok(statement.query_row([key, now], read).optional()?)
    }

    pub fn put(&self, connection: &Connection, new: &New<'_>) -> Result<(), Fault> {
        let encoded;
        let (value, is_binary) = match plain(new.value) {
            Some(text) => (text, false),
            None => {
                encoded = STANDARD.encode(new.value);
                (encoded.as_str(), true)
            }
        };
        let values = (new.key, value, is_binary, new.etag, new.end);
        connection.prepare_cached(&self.put)?.execute(values)?;
        if new.content_type.is_none() && new.fence.is_none() {
            connection
                .prepare_cached(&self.forget)?
                .execute([new.key])?;
            return Ok(());
        }
        let fence = new.fence.map(|fence| fence.to_string());
        let values = (new.key, new.etag, new.content_type, fence);
        connection.prepare_cached(&self.note)?.execute(values)?;
        Ok(())
    }

    pub fn delete(&self, connection: &Connection, key: &str) -> Result<(), Fault> {
        connection.prepare_cached(&self.delete)?.execute([key])?;
        connection.prepare_cached(&self.forget)?.execute([key])?;
        Ok(())
    }

    /// Removes at most so many entries whose time is over, and what was noted of entries that are gone.
    pub fn sweep(&self, connection: &Connection, limit: u32) -> Result<usize, Fault> {
        let removed = connection
            .prepare_cached(&self.over)?
            .execute((stamp::now(), limit))?;
        connection.prepare_cached(&self.orphans)?.execute([limit])?;
        Ok(removed)
    }

    /// A page of entries, which ends early where the values are large.
    pub fn page(
        &self,
        connection: &Connection,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page, Fault> {
        let (from, start) = match cursor.filter(|cursor| *cursor >= prefix) {
            Some(cursor) => (">", cursor),
            None => (">=", prefix),
        };
        let end = after_all(prefix);
        let below = match &end {
            Some(_) => "AND s.key < ?3",
            None => "AND ?3 IS NULL",
        };
        let sql = format!(
            "{} WHERE s.key {from} ?1 {below} AND (s.expiration_time IS NULL OR s.expiration_time > ?2) ORDER BY s.key",
            self.from
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query((start, stamp::now(), end))?;
        let (mut page, mut size) = (Page::default(), 0);
        while let Some(row) = rows.next()? {
            if page.entries.len() == limit as usize || size >= MAX_ANSWER {
                page.next = page.entries.last().map(|(key, _)| key.clone());
                break;
            }
            let entry = entry(row)?;
            size += entry.value.len();
            page.entries.push((row.get(0)?, entry));
        }
        Ok(page)
    }
}

/// The text of a value that is one, and so stays as it is: no daprd reads beyond a NUL.
fn plain(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok();
    text.filter(|text| !text.contains('\0'))
}

fn fence(text: Option<String>) -> Option<u64> {
    text.and_then(|text| text.parse().ok())
}

fn entry(row: &Row<'_>) -> Result<Entry, Fault> {
    let value = bytes(row.get_ref(1)?)?;
    let value = match row.get_ref(2)? {
        ValueRef::Integer(0) => value,
        ValueRef::Integer(_) => {
            let decoded = STANDARD.decode(&value);
            decoded
                .map_err(|_| Fault::odd("a binary value is no base64"))?
                .into()
        }
        _ => return Err(Fault::odd("`is_binary` is no number")),
    };
    if value.len() as u64 > MAX_VALUE {
        return Err(Fault::odd("a value has more bytes than are read"));
    }
    let end: Option<String> = row.get(4)?;
    let expires = end.map(|end| stamp::read(&end).ok_or(Fault::odd("`expiration_time` is none")));
    Ok(Entry {
        value,
        etag: row.get(3)?,
        content_type: row.get(5)?,
        expires: expires.transpose()?,
    })
}

fn bytes(value: ValueRef<'_>) -> Result<Bytes, Fault> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Bytes::copy_from_slice(bytes)),
        ValueRef::Integer(number) => Ok(number.to_string().into()),
        ValueRef::Real(number) => Ok(number.to_string().into()),
        ValueRef::Null => Err(Fault::odd("a value is missing")),
    }
}
