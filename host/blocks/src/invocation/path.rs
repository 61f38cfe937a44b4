//! The path of a call, parsed once: policies judge the value that the callee is given.

use crate::{Error, Result, error::Cut};
use bytes::Bytes;
use http::uri::{PathAndQuery, Uri};
use wythe_manifest::{path_segments, wrong_with_path};

/// Bytes of a path with its query.
const MAX_PATH: usize = 64 << 10;

/// A path with its query, which cannot be read in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(PathAndQuery);

impl Path {
    /// Parses a text; `invalid` where it is no plain path.
    pub fn parse(text: String) -> Result<Self> {
        check(&text)?;
        let bytes = Bytes::from(text);
        let parsed = PathAndQuery::from_maybe_shared(bytes.clone());
        parsed.map(Path).map_err(|error| {
            let text = String::from_utf8_lossy(&bytes);
            Error::invalid(format!("the path `{}`: {error}", Cut(text.escape_debug())))
        })
    }

    /// The path of a request; `invalid` where it is no plain one.
    pub fn of(uri: &Uri) -> Result<Self> {
        check(uri.path())?;
        let path = uri.path_and_query().cloned();
        Ok(Path(path.unwrap_or(PathAndQuery::from_static("/"))))
    }

    /// The path with its query, as it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The path without its query.
    pub(super) fn only(&self) -> &str {
        self.0.path()
    }

    /// The segments as policies know them.
    pub(super) fn segments(&self) -> Vec<String> {
        path_segments(self.only())
    }

    /// The path as part of an address.
    pub(super) fn into_inner(self) -> PathAndQuery {
        self.0
    }
}

fn check(text: &str) -> Result<()> {
    let wrong = match text.len() > MAX_PATH {
        true => Some("is longer than 64 KiB"),
        false => wrong_with_path(text),
    };
    wrong.map_or(Ok(()), |wrong| {
        Err(Error::invalid(format!(
            "the path `{}` {wrong}",
            Cut(text.escape_debug())
        )))
    })
}
