//! Schemas and tables that are made where they are missing, and brought up to date, once for all hosts: whoever does so holds a
//! lock of the server. What is to be done is found out by looking, since the server takes no such change back.

use crate::{
    client::{Client, Lent},
    fault::{Fault, UNKNOWN_DATABASE},
    names::Name,
    rows::{Cell, Value},
    settings::Settings,
};
use std::sync::Arc;
use wythe_blocks::{Error, Result, Site};

/// The version of the columns that Dapr has not.
const VERSION: u32 = 1;
/// Bytes of a key that an index of the server has room for.
const KEY: u32 = 2_048;

/// The tables of a state component.
pub(super) struct Tables {
    pub table: Name,
    pub versions: Name,
}

/// Opens the client of a schema, which is made where it is missing.
pub(super) async fn open(settings: Settings, schema: &Name, site: &Site) -> Result<Arc<Client>> {
    let named = Settings {
        database: Some(schema.plain().to_owned()),
        ..settings.clone()
    };
    let error = match Client::open(named.clone(), site).await {
        Ok(client) => return Ok(client),
        Err(error) => error,
    };
    if !error.chain().contains(&format!("({UNKNOWN_DATABASE})")) {
        return Err(error);
    }
    let whole = Client::open(settings, site).await?;
    let order = format!("CREATE DATABASE IF NOT EXISTS {schema} CHARACTER SET utf8mb4");
    let made = whole.lend().await?.run(&order).await;
    made.map_err(|fault| {
        fault.of_read().map_message(|text| {
            format!(
                "the schema `{}` is not there and cannot be made: {text}; create it, or let the component's user CREATE",
                schema.plain()
            )
        })
    })?;
    Client::open(named, site).await
}

impl Tables {
    /// Makes what is missing.
    pub async fn prepare(&self, lent: &mut Lent) -> Result<()> {
        let named = |fault: Fault| {
            let table = self.table.plain();
            fault.of_read().map_message(|text| {
                format!(
                    "the table `{table}`: {text}; let the component's user CREATE, ALTER and INDEX in the schema for the first start"
                )
            })
        };
        // The lock goes with the connection at the latest.
        let lock = format!("wythe-{}", self.table.plain());
        let taken = lent
            .row("SELECT GET_LOCK(?, 15)", &[Value::Text(&lock)])
            .await;
        if !matches!(taken.map_err(named)?.as_deref(), Some([Cell::Int(1)])) {
            return Err(Error::unavailable(format!(
                "the table `{}` is being made by another host",
                self.table.plain()
            )));
        }
        let prepared = self.step_by_step(lent).await;
        let freed = lent
            .row("SELECT RELEASE_LOCK(?)", &[Value::Text(&lock)])
            .await;
        freed.map_err(named)?;
        match prepared.map_err(named)? {
            Found::Good => Ok(()),
            Found::Newer(version) => Err(Error::unavailable(format!(
                "the table `{}` has version {version}; this build reads up to {VERSION}; use the newer build that made it",
                self.table.plain()
            ))),
            Found::Other(what) => Err(Error::invalid(format!(
                "the table `{}` is there and {what}; name another one by `tableName`",
                self.table.plain()
            ))),
        }
    }

    async fn step_by_step(&self, lent: &mut Lent) -> Result<Found, Fault> {
        let (table, versions) = (&self.table, &self.versions);
        lent.run(&format!(
            "CREATE TABLE IF NOT EXISTS {versions} (id VARCHAR(255) NOT NULL PRIMARY KEY, value TEXT NOT NULL)"
        ))
        .await?;
        let row = format!("wythe-{}", table.plain());
        let read = format!("SELECT value FROM {versions} WHERE id = ?");
        let found = lent.row(&read, &[Value::Text(&row)]).await?;
        let version = match found.as_deref() {
            Some([Cell::Bytes(text)]) => String::from_utf8_lossy(text).parse().unwrap_or(0),
            _ => 0,
        };
        if version > VERSION {
            return Ok(Found::Newer(version));
        }
        lent.run(&format!(
            "CREATE TABLE IF NOT EXISTS {table} (id VARBINARY({KEY}) NOT NULL PRIMARY KEY, value JSON NOT NULL, \
             isbinary BOOLEAN NOT NULL, insertDate TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
             updateDate TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, \
             eTag VARCHAR(36) NOT NULL, expiredate TIMESTAMP(6) NULL, wythe_content_type TEXT, \
             wythe_fence BIGINT UNSIGNED NULL, INDEX expiredate_idx (expiredate)) ENGINE = InnoDB"
        ))
        .await?;
        if let Some(what) = self.adapt(lent).await? {
            return Ok(Found::Other(what));
        }
        if version < VERSION {
            let write = format!("REPLACE INTO {versions} (id, value) VALUES (?, ?)");
            let number = VERSION.to_string();
            lent.execute(&write, &[Value::Text(&row), Value::Text(&number)])
                .await?;
        }
        Ok(Found::Good)
    }

    /// Adapts a table that Dapr made: keys are bytes, so that two are never taken for one, and times have a fraction.
    async fn adapt(&self, lent: &mut Lent) -> Result<Option<&'static str>, Fault> {
        let table = &self.table;
        let name = Value::Text(table.plain());
        let engine = "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?";
        let engine = lent.row(engine, &[name]).await?;
        if !matches!(engine.as_deref(), Some([Cell::Bytes(name)]) if name == b"InnoDB") {
            return Ok(Some("has an engine without transactions"));
        }
        let columns = "SELECT CONCAT(LOWER(column_name), ' ', LOWER(column_type)) FROM information_schema.columns \
                       WHERE table_schema = DATABASE() AND table_name = ?";
        let found = lent.execute(columns, &[name]).await?;
        let found: Vec<String> = found
            .rows
            .iter()
            .filter_map(|row| text(row.first()?))
            .collect();
        let has = |start: &str| found.iter().any(|column| column.starts_with(start));
        if !["id ", "value ", "isbinary ", "etag ", "updatedate "]
            .iter()
            .all(|name| has(name))
        {
            return Ok(Some("has other columns"));
        }
        for order in missing(&found) {
            lent.run(&format!("ALTER TABLE {table} {order}")).await?;
        }
        Ok(None)
    }
}

/// Changes that a table of Dapr's needs, by its columns with their types.
fn missing(found: &[String]) -> Vec<String> {
    let has = |start: &str| found.iter().any(|column| column.starts_with(start));
    let mut orders = Vec::new();
    if !has("id varbinary") {
        orders.push("MODIFY id VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL".to_owned());
        orders.push(format!("MODIFY id VARBINARY({KEY}) NOT NULL"));
    }
    match (has("expiredate "), has("expiredate timestamp(6)")) {
        (_, true) => {}
        (true, false) => orders.push("MODIFY expiredate TIMESTAMP(6) NULL".to_owned()),
        (false, _) => orders.push(
            "ADD COLUMN expiredate TIMESTAMP(6) NULL, ADD INDEX expiredate_idx (expiredate)"
                .to_owned(),
        ),
    }
    if !has("wythe_content_type ") {
        orders.push("ADD COLUMN wythe_content_type TEXT".to_owned());
    }
    if !has("wythe_fence ") {
        orders.push("ADD COLUMN wythe_fence BIGINT UNSIGNED NULL".to_owned());
    }
    orders
}

/// The state of a table that was looked at.
enum Found {
    Good,
    Newer(u32),
    /// It is another one, in a few words.
    Other(&'static str),
}

/// The text of a cell; nothing of what is none.
pub(super) fn text(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_dapr_gets_what_it_lacks_and_one_of_ours_nothing() {
        let columns = |list: &str| list.split(", ").map(str::to_owned).collect::<Vec<_>>();
        let ours = columns(
            "id varbinary(2048), value longtext, expiredate timestamp(6), wythe_content_type text, wythe_fence bigint(20) unsigned",
        );
        assert_eq!(missing(&ours), [""; 0]);
        let theirs = columns("id varchar(255), value json, expiredate timestamp");
        let orders = missing(&theirs);
        assert_eq!(orders.len(), 5, "{orders:?}");
        assert!(orders[1].starts_with("MODIFY id VARBINARY"));
        assert!(orders[2].starts_with("MODIFY expiredate"));
        let older = columns("id varchar(255), value json");
        assert!(missing(&older)[2].starts_with("ADD COLUMN expiredate"));
    }
}
