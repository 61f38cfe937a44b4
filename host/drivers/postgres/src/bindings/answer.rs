//! The rows of a query as Dapr gives them: an array of arrays in JSON.

use super::{
    json::{Raw, Unreadable, is_known, value},
    param::Param,
};
use crate::fault::Fault;
use bytes::Bytes;
use futures::TryStreamExt as _;
use std::pin::pin;
use tokio_postgres::{Client, Row};
use wythe_blocks::{
    Error, Permit, Result,
    bindings::{Request, Text},
};

pub(super) struct Answer<'a> {
    request: &'a Request<'a>,
    text: Text,
    held: Vec<Option<Permit>>,
    /// The reason for which reading ended early.
    ended: Option<Error>,
}

impl<'a> Answer<'a> {
    pub fn new(request: &'a Request<'a>) -> Self {
        let limit = usize::try_from(request.max_bytes).unwrap_or(usize::MAX);
        Answer {
            request,
            // The brackets around the rows.
            text: Text::new(limit.saturating_sub(2)),
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
        let before = self.text.len();
        // A row is small before it is read, and while it is written: a few bytes of the server may be very many of text.
        let written = match row.raw_size_bytes() as u64 > self.request.max_bytes {
            true => Err(self.beyond()),
            false => self.write(row).map_err(|error| match self.text.is_full() {
                true => self.beyond(),
                false => {
                    Error::internal("the database answers in an unexpected way").with_source(error)
                }
            }),
        };
        written?;
        let beside = size_of::<Option<Permit>>();
        let held = self.request.hold(self.text.len() - before + beside)?;
        self.held.push(held);
        Ok(())
    }

    fn beyond(&self) -> Error {
        Error::exhausted(format!(
            "the rows have more than {} bytes; ask for fewer, or see `maxDataBytes`",
            self.request.max_bytes
        ))
    }

    fn write(&mut self, row: &Row) -> Result<(), Unreadable> {
        let text = &mut self.text;
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

    pub fn finish(self) -> Result<Bytes> {
        match self.ended {
            Some(error) => Err(error),
            None => Ok(self.text.close().into()),
        }
    }
}
