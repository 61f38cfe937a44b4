//! Rows of a query as they come: within the bytes of an answer, and held in the account of the app that asks.

use super::Text;
use crate::{Error, Permit, Result, bindings::Request};
use bytes::Bytes;
use std::error::Error as StdError;

/// The rows of an answer, as an array in JSON.
pub struct Rows<'a> {
    request: &'a Request<'a>,
    text: Text,
    held: Vec<Option<Permit>>,
}

impl<'a> Rows<'a> {
    pub fn new(request: &'a Request<'a>) -> Self {
        Rows {
            request,
            // The brackets around the rows.
            text: Text::new(max_bytes(request).saturating_sub(2)),
            held: Vec::new(),
        }
    }

    /// Bytes that the rows may have.
    pub fn max_bytes(&self) -> usize {
        max_bytes(self.request)
    }

    /// Adds a row of so many bytes, which `write` writes behind those that are there. It is small before it is read, and while
    /// it is written: a few bytes of the server may be very many of text.
    pub fn add<E>(
        &mut self,
        bytes: usize,
        write: impl FnOnce(&mut Text) -> Result<(), E>,
    ) -> Result<()>
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        if bytes > self.max_bytes() {
            return Err(self.beyond());
        }
        let _raw = self.request.hold(bytes)?;
        let before = self.text.len();
        write(&mut self.text).map_err(|error| match self.text.is_full() {
            true => self.beyond(),
            false => {
                Error::internal("the database answers in an unexpected way").with_source(error)
            }
        })?;
        let beside = size_of::<Option<Permit>>();
        let held = self.request.hold(self.text.len() - before + beside)?;
        self.held.push(held);
        Ok(())
    }

    /// The error of rows that find no room.
    fn beyond(&self) -> Error {
        Error::exhausted(format!(
            "the rows have more than {} bytes; ask for fewer, or see `maxDataBytes`",
            self.request.max_bytes
        ))
    }

    pub(super) fn close(self) -> Bytes {
        self.text.close().into()
    }
}

fn max_bytes(request: &Request<'_>) -> usize {
    usize::try_from(request.max_bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Trace};

    #[test]
    fn rows_find_room_or_say_so_and_are_not_read_in_vain() {
        let request = Request {
            operation: "query",
            data: &Bytes::new(),
            metadata: &[],
            max_bytes: 10,
            trace: Trace::start(),
            account: None,
        };
        let mut rows = Rows::new(&request);
        rows.add(3, |text| text.push(b"[1]")).unwrap();
        let odd = rows.add(3, |_| Err("odd")).unwrap_err();
        assert_eq!(odd.kind(), Kind::Internal);
        let large = rows.add(11, |_| -> Result<(), String> { panic!("read") });
        assert_eq!(large.unwrap_err().kind(), Kind::Exhausted);
        rows.add(3, |text| text.push(b",[22]")).unwrap();
        let second = rows.add(3, |text| text.push(b"3"));
        assert_eq!(second.unwrap_err().kind(), Kind::Exhausted);
        assert_eq!(rows.close(), "[[1],[22]]");
    }
}
