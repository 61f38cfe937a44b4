//! SQL of apps, for drivers of databases: a statement and its parameters, and rows as an array in JSON of so many bytes.

mod driver;
mod rows;

pub use driver::{Database, Sql};
pub use rows::Rows;

use super::Request;
use crate::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};
use std::io::{self, Write};

/// Bytes of a statement, and of its parameters.
const STATEMENT: usize = 1 << 20;
/// Parameters that a protocol has room for.
const PARAMS: usize = 65_535;

/// The statement in the metadata `sql`, and its parameters in `params`, an array of JSON.
fn statement<'a, P: DeserializeOwned>(request: &Request<'a>) -> Result<(&'a str, Vec<P>)> {
    let sql = request.get("sql").filter(|sql| !sql.is_empty());
    let sql =
        sql.ok_or_else(|| Error::invalid("the metadata `sql` is missing; expected a statement"))?;
    let params = request.get("params").unwrap_or_default();
    if sql.len() > STATEMENT || params.len() > STATEMENT {
        return Err(Error::invalid(format!(
            "`sql` and `params` have at most {STATEMENT} bytes each"
        )));
    }
    let params: Vec<P> = match params {
        "" => Vec::new(),
        text => serde_json::from_str(text).map_err(|_| {
            Error::invalid("the metadata `params`; expected an array of JSON, such as `[1, \"a\"]`")
        })?,
    };
    match params.len() {
        0..=PARAMS => Ok((sql, params)),
        count => Err(Error::invalid(format!(
            "{count} `params`; at most {PARAMS} are allowed"
        ))),
    }
}

/// An array in JSON, of so many bytes and no more.
pub struct Text {
    bytes: Vec<u8>,
    left: usize,
    is_full: bool,
}

impl Text {
    /// `limit` is that of what is between the brackets.
    pub fn new(limit: usize) -> Self {
        Text {
            bytes: vec![b'['],
            left: limit,
            is_full: false,
        }
    }

    /// Bytes behind the first bracket.
    pub fn len(&self) -> usize {
        self.bytes.len() - 1
    }

    /// Returns whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether something found no room.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Refuses what finds no room, before it is made.
    pub fn check(&mut self, bytes: usize) -> io::Result<()> {
        self.is_full |= bytes > self.left;
        match self.is_full {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => Ok(()),
        }
    }

    /// Writes bytes that are JSON already.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check(bytes.len())?;
        self.left -= bytes.len();
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes a value as JSON.
    pub fn json(&mut self, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
        Ok(serde_json::to_writer(self, value)?)
    }

    /// The whole array.
    pub fn close(mut self) -> Vec<u8> {
        self.bytes.push(b']');
        self.bytes
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
