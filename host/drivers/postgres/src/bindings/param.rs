//! A parameter, as JSON has it. The server reads it as a text of the type that it wants.

use bytes::{BufMut as _, BytesMut};
use serde::Deserialize;
use serde_json::Value;
use std::error::Error as StdError;
use tokio_postgres::types::{Format, IsNull, ToSql, Type};

#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Param(Value);

impl ToSql for Param {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match &self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::String(text) => out.put_slice(text.as_bytes()),
            other => out.put_slice(other.to_string().as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}
