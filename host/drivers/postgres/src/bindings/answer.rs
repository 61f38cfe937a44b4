//! The rows of a query as Dapr gives them: an array of arrays in JSON.

use super::{
    json::{Raw, Unreadable, is_known, value},
    param::Param,
};
use crate::fault::Fault;
use futures::TryStreamExt as _;
use std::pin::pin;
use tokio_postgres::{Client, Row};
use wythe_blocks::{
    Error, Result,
    bindings::{Rows, Text},
};

/// Reads the rows of a statement. The inner error ends the answer, and leaves the connection as it is.
pub(super) async fn read(
    client: &Client,
    sql: &str,
    params: &[Param],
    all: &mut Rows<'_>,
) -> Result<Result<()>, Fault> {
    let statement = client.prepare(sql).await?;
    for column in statement.columns() {
        if !is_known(column.type_()) {
            return Ok(Err(Error::invalid(format!(
                "the column `{}` is of the type {}, which has no form in JSON here; let the statement make it `::text`",
                column.name().escape_debug(),
                column.type_()
            ))));
        }
    }
    let mut rows = pin!(client.query_raw(&statement, params).await?);
    let mut answer = Ok(());
    while let Some(row) = rows.try_next().await? {
        // The rest is read, so that the connection can be used again.
        if answer.is_ok() {
            answer = all.add(row.raw_size_bytes(), |text| write(&row, text));
        }
    }
    Ok(answer)
}

fn write(row: &Row, text: &mut Text) -> Result<(), Unreadable> {
    text.push(if text.is_empty() { b"[" } else { b",[" })?;
    for (index, column) in row.columns().iter().enumerate() {
        if index > 0 {
            text.push(b",")?;
        }
        match row.try_get::<_, Option<Raw>>(index)? {
            Some(raw) => value(column.type_(), raw.0, text)?,
            None => text.push(b"null")?,
        }
    }
    text.push(b"]")?;
    Ok(())
}
