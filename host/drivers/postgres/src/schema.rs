//! Tables that are made where they are missing, and brought up to date, once for all hosts: the version is a row of
//! Dapr's own table of versions, and whoever changes one holds a lock.

use crate::{
    client::{Lent, column},
    fault::Fault,
    names::Table,
};
use tokio_postgres::error::SqlState;
use wythe_blocks::{Error, Result, Wrong};

/// Number of the lock, of which the database knows nothing but that it is one.
const LOCK: i64 = 0x7779_7468_6500_0001;

/// The table that Dapr keeps its versions in.
pub(super) fn versions(written: Option<&str>) -> Result<Table, Wrong> {
    Table::parse("metadataTableName", written, "dapr_metadata")
}

/// The shape of a component's tables, step by step.
pub(super) struct Schema<'a> {
    /// The row with the number of steps that were taken.
    pub row: String,
    pub steps: &'a [String],
}

impl<'a> Schema<'a> {
    /// The shape of a table that Dapr has not.
    pub fn of(table: &Table, steps: &'a [String]) -> Self {
        let row = format!("wythe-{}", table.plain());
        Schema { row, steps }
    }
}

/// Takes the steps that are missing of each schema. `table` is the one that messages name.
pub(super) async fn prepare(
    lent: &Lent,
    versions: &Table,
    table: &Table,
    schemas: &[Schema<'_>],
) -> Result<()> {
    lent.begin().await.map_err(Fault::of_read)?;
    for schema in schemas {
        if let Err(problem) = step_by_step(lent, versions, schema).await {
            _ = lent.rollback().await;
            return Err(problem.named(table));
        }
    }
    lent.commit().await.map_err(Fault::of_read)
}

/// The reason why a table is not as it should be.
enum Problem {
    Fault(Fault),
    Newer { found: usize, known: usize },
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Problem::Fault(fault)
    }
}

impl Problem {
    fn named(self, table: &Table) -> Error {
        let table = table.plain();
        match self {
            Problem::Newer { found, known } => Error::unavailable(format!(
                "the table `{table}` has version {found}; this build reads up to {known}; use the newer build that made it"
            )),
            Problem::Fault(fault) => {
                let is_denied = fault.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
                let is_absent = fault.code() == Some(&SqlState::INVALID_SCHEMA_NAME);
                let error = fault.of_read();
                if is_absent {
                    return error.map_message(|_| {
                        format!("the schema of the table `{table}` is not there; create it in the database")
                    });
                }
                match is_denied {
                    true => error.map_message(|_| {
                        format!(
                            "the table `{table}` may not be created or changed by the component's user; let it CREATE in the schema \
                             (`GRANT CREATE ON SCHEMA .. TO ..`) for the first start, or start once as the owner of the schema"
                        )
                    }),
                    false => error.map_message(|text| format!("the table `{table}`: {text}")),
                }
            }
        }
    }
}

async fn step_by_step(lent: &Lent, versions: &Table, schema: &Schema<'_>) -> Result<(), Problem> {
    lent.rows("SELECT pg_advisory_xact_lock($1)", &[&LOCK], 1)
        .await?;
    if !is_there(lent, versions).await? {
        let order =
            format!("CREATE TABLE {versions} (key text NOT NULL PRIMARY KEY, value text NOT NULL)");
        lent.run(&order).await?;
    }
    let read = format!("SELECT value FROM {versions} WHERE key = $1");
    let found = lent.row(&read, &[&schema.row]).await?;
    let found: Option<String> = found.map(|row| column(&row, 0)).transpose()?;
    let taken = found.and_then(|text| text.parse().ok()).unwrap_or(0);
    let known = schema.steps.len();
    if taken > known {
        return Err(Problem::Newer {
            found: taken,
            known,
        });
    }
    if taken == known {
        return Ok(());
    }
    // Dapr's own processes take this lock.
    lent.run(&format!(
        "LOCK TABLE {versions} IN SHARE UPDATE EXCLUSIVE MODE"
    ))
    .await?;
    for step in &schema.steps[taken..] {
        lent.run(step).await?;
    }
    let write = format!(
        "INSERT INTO {versions} (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    );
    lent.execute(&write, &[&schema.row, &known.to_string()])
        .await?;
    Ok(())
}

/// Returns whether there is such a table.
pub(super) async fn is_there(lent: &Lent, table: &Table) -> Result<bool, Fault> {
    let row = lent
        .one("SELECT to_regclass($1) IS NOT NULL", &[&table.to_string()])
        .await?;
    column(&row, 0)
}

/// Returns whether a table has such a column.
pub(super) async fn has_column(lent: &Lent, table: &Table, name: &str) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2 AND NOT attisdropped)";
    let row = lent.one(sql, &[&table.to_string(), &name]).await?;
    column(&row, 0)
}
