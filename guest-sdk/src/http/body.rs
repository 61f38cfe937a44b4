//! Bodies: bytes at hand, bytes still arriving, and bytes that a function writes.
use std::fmt;

use wasip2::http::types::{self, ErrorCode, IncomingBody, OutgoingBody};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use super::send;
use crate::{Error, Kind, Result};

/// The most bytes in memory when a body is passed on chunk by chunk.
const CHUNK: u64 = 64 << 10;

type Write = Box<dyn FnOnce(&mut Writer<'_>) -> Result<()>>;

/// The body of a request or a response.
pub struct Body {
    source: Source,
}

enum Source {
    Bytes(Vec<u8>),
    /// The stream is a child of the body, so it is the first to go.
    Incoming {
        stream: InputStream,
        _body: IncomingBody,
    },
    Written(Write),
}

impl Body {
    pub fn empty() -> Self {
        Self::from(Vec::new())
    }

    /// A body that this function writes while it is sent, never in memory as a whole.
    pub fn written(write: impl FnOnce(&mut Writer<'_>) -> Result<()> + 'static) -> Self {
        Self {
            source: Source::Written(Box::new(write)),
        }
    }

    pub(super) fn arriving(body: IncomingBody) -> Result<Self> {
        let stream = body
            .stream()
            .map_err(|()| Error::internal("the body was taken twice"))?;
        Ok(Self {
            source: Source::Incoming {
                stream,
                _body: body,
            },
        })
    }

    /// The length, where that is known before it is sent.
    pub(super) fn length(&self) -> Option<usize> {
        match &self.source {
            Source::Bytes(bytes) => Some(bytes.len()),
            Source::Incoming { .. } | Source::Written(_) => None,
        }
    }

    /// The next bytes, at least one and at most 64 KiB of what arrives. None at the end.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        match &mut self.source {
            Source::Bytes(bytes) if bytes.is_empty() => Ok(None),
            Source::Bytes(bytes) => Ok(Some(std::mem::take(bytes))),
            Source::Incoming { stream, .. } => receive(stream),
            Source::Written(_) => Err(Error::unsupported(
                "a body that is yet to be written cannot be read",
            )),
        }
    }

    /// All that is left of it; `invalid` when that is longer than `limit`.
    pub fn read(&mut self, limit: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk()? {
            if bytes.len() + chunk.len() > limit {
                return Err(Error::invalid(format!(
                    "the body is longer than {limit} bytes"
                )));
            }
            // A body often comes in one piece, which then need not be copied.
            if bytes.is_empty() {
                bytes = chunk
            } else {
                bytes.extend_from_slice(&chunk)
            }
        }
        Ok(bytes)
    }

    /// Sends all of it. A body that fails halfway is left unfinished, so that its reader sees that it broke off.
    pub(super) fn give(self, outgoing: OutgoingBody) -> Result<()> {
        let stream = outgoing
            .write()
            .map_err(|()| Error::internal("the body was taken twice"))?;
        let mut writer = Writer { stream: &stream };
        match self.source {
            Source::Written(write) => write(&mut writer)?,
            source => {
                let mut body = Self { source };
                while let Some(chunk) = body.chunk()? {
                    writer.write(&chunk)?;
                }
            }
        }
        writer.flush()?;
        drop(stream);
        OutgoingBody::finish(outgoing, None).map_err(|code| send::error(&code))
    }
}

fn receive(stream: &InputStream) -> Result<Option<Vec<u8>>> {
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) if chunk.is_empty() => {}
            Ok(chunk) => return Ok(Some(chunk)),
            Err(StreamError::Closed) => return Ok(None),
            Err(error) => return Err(stream_error(&error)),
        }
    }
}

impl<B: Into<Vec<u8>>> From<B> for Body {
    fn from(bytes: B) -> Self {
        Self {
            source: Source::Bytes(bytes.into()),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Bytes(bytes) => write!(formatter, "Body({} bytes)", bytes.len()),
            Source::Incoming { .. } => formatter.write_str("Body(arriving)"),
            Source::Written(_) => formatter.write_str("Body(to be written)"),
        }
    }
}

/// The stream that the function of a written body writes to.
#[derive(Debug)]
pub struct Writer<'a> {
    stream: &'a OutputStream,
}

impl Writer<'_> {
    /// Waits while the reader is slower than the writer.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            let room = self
                .stream
                .check_write()
                .map_err(|error| stream_error(&error))?;
            if room == 0 {
                self.stream.subscribe().block();
                continue;
            }
            let length = usize::try_from(room).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at(length);
            self.stream
                .write(now)
                .map_err(|error| stream_error(&error))?;
            rest = later;
        }
        Ok(())
    }

    /// Waits until what was written is on its way.
    pub fn flush(&mut self) -> Result<()> {
        self.stream
            .blocking_flush()
            .map_err(|error| stream_error(&error))
    }
}

fn stream_error(error: &StreamError) -> Error {
    let StreamError::LastOperationFailed(cause) = error else {
        return Error::unavailable("the other side closed the stream");
    };
    let code: Option<ErrorCode> = types::http_error_code(cause);
    let unnamed = || {
        Error::new(
            Kind::Unavailable,
            format!("the stream broke off: {}", cause.to_debug_string()),
        )
    };
    code.map_or_else(unnamed, |code| send::error(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_once_and_within_the_limit() {
        let mut body = Body::from("hello");
        assert_eq!(body.length(), Some(5));
        assert_eq!(body.read(5).unwrap(), b"hello");
        assert_eq!(body.read(5).unwrap(), b"");
        let error = Body::from("hello!").read(5).unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid: the body is longer than 5 bytes"
        );
    }

    #[test]
    fn what_is_to_be_written_cannot_be_read() {
        let mut body = Body::written(|writer| writer.write("x"));
        assert_eq!(body.length(), None);
        assert_eq!(body.chunk().unwrap_err().kind(), Kind::Unsupported);
    }
}
