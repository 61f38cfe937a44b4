//! Tables that are made where they are missing, once for all processes: the version is a row of Dapr's own table of versions.

use crate::{fault::Fault, names::Table};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use wythe_blocks::{Error, Result, Wrong};

/// The table that Dapr keeps its versions in.
pub(super) fn versions(written: Option<&str>) -> Result<Table, Wrong> {
    Table::parse("metadataTableName", written, "metadata")
}

/// The shape of a component's tables.
pub(super) struct Schema {
    /// The row with the number of the shape.
    pub row: String,
    /// The number of the newest shape that is known.
    pub known: u32,
    /// Makes what is missing; it changes nothing of what is there.
    pub make: String,
    /// A query that only a table of this shape answers.
    pub probe: String,
}

/// Makes what is missing of each shape. `table` is the one that messages name.
pub(super) fn prepare(
    connection: &mut Connection,
    versions: &Table,
    table: &Table,
    schemas: &[Schema],
) -> Result<()> {
    let named = |fault: Fault| {
        let plain = table.plain();
        let error = fault.of_work();
        error.map_message(|text| format!("the table `{plain}`: {text}"))
    };
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = begun.map_err(|error| named(error.into()))?;
    let order = format!(
        "CREATE TABLE IF NOT EXISTS {versions} (key text NOT NULL PRIMARY KEY, value text NOT NULL)"
    );
    let made = transaction.execute_batch(&order);
    made.map_err(|error| named(error.into()))?;
    for schema in schemas {
        let found = version(&transaction, versions, schema).map_err(named)?;
        if found > schema.known {
            return Err(Error::unavailable(format!(
                "the table `{}` has version {found}; this build reads up to {}; use the newer build that made it",
                table.plain(),
                schema.known
            )));
        }
        let made = make(&transaction, versions, schema, found);
        made.map_err(|error| named(error.into()))?;
        if let Err(error) = transaction.prepare(&schema.probe) {
            return Err(Error::invalid(format!(
                "the table `{}` is there with other columns; name another table",
                table.plain()
            ))
            .with_source(error.to_string()));
        }
    }
    transaction.commit().map_err(|error| named(error.into()))
}

fn version(connection: &Connection, versions: &Table, schema: &Schema) -> Result<u32, Fault> {
    let sql = format!("SELECT CAST(value AS text) FROM {versions} WHERE key = ?1");
    let found: Option<String> = connection
        .query_row(&sql, [&schema.row], |row| row.get(0))
        .optional()?;
    Ok(found.and_then(|text| text.parse().ok()).unwrap_or(0))
}

fn make(
    connection: &Connection,
    versions: &Table,
    schema: &Schema,
    found: u32,
) -> rusqlite::Result<()> {
    connection.execute_batch(&schema.make)?;
    if found < schema.known {
        let sql = format!("INSERT OR REPLACE INTO {versions} (key, value) VALUES (?1, ?2)");
        connection.execute(&sql, (&schema.row, schema.known.to_string()))?;
    }
    Ok(())
}
