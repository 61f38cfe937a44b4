//! The statements of a state table.

use super::entry;
use crate::{
    client::{Lent, column},
    fault::Fault,
    names::Table,
};
use wythe_blocks::state::{MAX_ANSWER, Page, after_all};

/// Holds for an entry `s` whose time is over.
const OVER: &str = "coalesce(s.expires_at <= clock_timestamp(), false)";
/// The end of an entry, of a time to live in microseconds that is the third value.
const END: &str = "clock_timestamp() + $3::bigint * interval '1 microsecond'";
const COLUMNS: &str = "s.value, s.etag::text, s.wythe_content_type, s.expires_at";

/// Dapr's own first step.
pub(super) fn theirs(table: &Table) -> Vec<String> {
    let index = table.index("_expires_at");
    vec![format!(
        "CREATE TABLE {table} (key text COLLATE \"C\" NOT NULL PRIMARY KEY, value bytea NOT NULL, \
         etag uuid NOT NULL DEFAULT gen_random_uuid(), created_at timestamp with time zone NOT NULL DEFAULT now(), \
         updated_at timestamp with time zone, expires_at timestamp with time zone); \
         CREATE INDEX {index} ON {table} (expires_at)"
    )]
}

/// The columns that Dapr has not, and an index in the order of bytes where its own is in another.
pub(super) fn ours(table: &Table) -> Vec<String> {
    let index = table.index("_key_bytes");
    vec![format!(
        "ALTER TABLE {table} ADD COLUMN IF NOT EXISTS wythe_content_type text, \
         ADD COLUMN IF NOT EXISTS wythe_fence numeric(20); \
         DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation \
         WHERE a.attrelid = '{table}'::regclass AND a.attname = 'key' AND c.collname = 'C') THEN \
         CREATE INDEX {index} ON {table} (key COLLATE \"C\"); END IF; END $$"
    )]
}

pub(super) struct Sql {
    pub get: String,
    pub get_many: String,
    pub put: String,
    pub update: String,
    pub delete: String,
    pub delete_matching: String,
    /// Etag and fence of an entry.
    pub mark: String,
    pub increment: String,
    table: Table,
}

impl Sql {
    pub fn new(table: &Table) -> Self {
        let delete = format!("DELETE FROM {table} AS s WHERE s.key = $1");
        Sql {
            get: format!("SELECT {COLUMNS} FROM {table} AS s WHERE s.key = $1 AND NOT {OVER}"),
            get_many: get_many(table),
            put: put(table),
            update: update(table),
            delete_matching: format!("{delete} AND s.etag::text = $2 AND NOT {OVER}"),
            delete,
            mark: format!(
                "SELECT s.etag::text, s.wythe_fence::text FROM {table} AS s WHERE s.key = $1 AND NOT {OVER}"
            ),
            increment: increment(table),
            table: table.clone(),
        }
    }

    /// A page of entries, which ends early where the values are large.
    pub async fn page(
        &self,
        lent: &Lent,
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
            Some(_) => "AND s.key COLLATE \"C\" < $4",
            None => "AND $4::text IS NULL",
        };
        let sql = format!(
            "SELECT key, CASE WHEN before < $3 THEN value END, etag, content, expires_at, before < $3 FROM \
             (SELECT key, value, etag::text, wythe_content_type AS content, expires_at, \
             sum(octet_length(value)) OVER (ORDER BY key COLLATE \"C\" ROWS UNBOUNDED PRECEDING) - octet_length(value) AS before \
             FROM (SELECT * FROM {} AS s WHERE s.key COLLATE \"C\" {from} $1 {below} AND NOT {OVER} \
             ORDER BY s.key COLLATE \"C\" LIMIT $2) AS found) AS page ORDER BY key COLLATE \"C\"",
            self.table
        );
        let (count, size) = (i64::from(limit) + 1, MAX_ANSWER as i64);
        let rows = lent
            .rows(&sql, &[&start, &count, &size, &end], limit as usize + 1)
            .await?;
        let mut page = Page::default();
        for row in &rows {
            if page.entries.len() == limit as usize || !column::<bool>(row, 5)? {
                page.next = page.entries.last().map(|(key, _)| key.clone());
                break;
            }
            page.entries.push((column(row, 0)?, entry(row, 1)?));
        }
        Ok(page)
    }
}

fn get_many(table: &Table) -> String {
    format!(
        "SELECT n, CASE WHEN before < $2 THEN value END, etag, content, expires_at FROM \
         (SELECT asked.n, s.value, s.etag::text AS etag, s.wythe_content_type AS content, s.expires_at, \
         coalesce(sum(octet_length(s.value)) OVER (ORDER BY asked.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before \
         FROM unnest($1::text[]) WITH ORDINALITY AS asked (key, n) JOIN {table} AS s ON s.key = asked.key \
         WHERE NOT {OVER}) AS found ORDER BY n"
    )
}

/// A put of whatever is there (the sixth value is false), or of nothing that is there (true).
fn put(table: &Table) -> String {
    format!(
        "INSERT INTO {table} AS s (key, value, etag, expires_at, wythe_content_type, wythe_fence) \
         VALUES ($1, $2, gen_random_uuid(), {END}, $4, $5::text::numeric) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, etag = excluded.etag, updated_at = now(), \
         expires_at = {END}, wythe_content_type = excluded.wythe_content_type, \
         wythe_fence = CASE WHEN {OVER} THEN excluded.wythe_fence ELSE coalesce(excluded.wythe_fence, s.wythe_fence) END \
         WHERE {OVER} OR (NOT $6::boolean AND coalesce(s.wythe_fence <= $5::text::numeric, true)) \
         RETURNING etag::text"
    )
}

/// A put in place of the entry with the etag that is the sixth value.
fn update(table: &Table) -> String {
    format!(
        "UPDATE {table} AS s SET value = $2, etag = gen_random_uuid(), updated_at = now(), expires_at = {END}, \
         wythe_content_type = $4, wythe_fence = coalesce($5::text::numeric, s.wythe_fence) \
         WHERE s.key = $1 AND s.etag::text = $6 AND NOT {OVER} AND coalesce(s.wythe_fence <= $5::text::numeric, true) \
         RETURNING etag::text"
    )
}

fn increment(table: &Table) -> String {
    let text = "encode(s.value, 'escape')";
    format!(
        "INSERT INTO {table} AS s (key, value) VALUES ($1, convert_to($2::bigint::text, 'UTF8')) \
         ON CONFLICT (key) DO UPDATE SET \
         value = convert_to((CASE WHEN {OVER} THEN $2 ELSE {text}::bigint + $2 END)::text, 'UTF8'), \
         etag = gen_random_uuid(), updated_at = now(), \
         expires_at = CASE WHEN {OVER} THEN NULL ELSE s.expires_at END, \
         wythe_content_type = CASE WHEN {OVER} THEN NULL ELSE s.wythe_content_type END, \
         wythe_fence = CASE WHEN {OVER} THEN NULL ELSE s.wythe_fence END \
         WHERE {OVER} OR (octet_length(s.value) <= 64 AND {text} ~ '^\\s*[+-]?[0-9]+\\s*$') \
         RETURNING encode(value, 'escape')::bigint"
    )
}
