//! A stream whose peer is measured: what it sends is looked at before anybody else sees it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bounds of what a peer may send.
pub trait Measure {
    /// Looks at bytes that came, and before each read at none; an error, in words for the log, ends the reading.
    fn pass(&mut self, bytes: &[u8]) -> Result<(), String>;
}

/// A stream from which only bytes come that its measure lets pass; it writes as it is asked to.
pub struct Measured<S, M> {
    stream: S,
    measure: M,
}

impl<S, M> Measured<S, M> {
    pub fn new(stream: S, measure: M) -> Self {
        Measured { stream, measure }
    }
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl<S: AsyncRead + Unpin, M: Measure + Unpin> AsyncRead for Measured<S, M> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.measure.pass(&[]).map_err(refused)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let passed = self.measure.pass(&buffer.filled()[before..]);
        if passed.is_err() {
            buffer.set_filled(before);
        }
        Poll::Ready(passed.map_err(refused))
    }
}

impl<S: AsyncWrite + Unpin, M: Unpin> AsyncWrite for Measured<S, M> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// Refuses what begins with an `x`.
    struct NoX;

    impl Measure for NoX {
        fn pass(&mut self, bytes: &[u8]) -> Result<(), String> {
            match bytes.starts_with(b"x") {
                true => Err("an x".to_owned()),
                false => Ok(()),
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_left_of_what_is_refused() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Measured::new(near, NoX);
        let mut read = Vec::new();
        far.write_all(b"abc").await.unwrap();
        assert_eq!(near.read_buf(&mut read).await.unwrap(), 3);
        far.write_all(b"xyz").await.unwrap();
        let error = near.read_buf(&mut read).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(
            (error.to_string().as_str(), &read[..]),
            ("an x", &b"abc"[..])
        );
        near.write_all(b"x").await.unwrap();
        assert_eq!(far.read_u8().await.unwrap(), b'x');
    }
}
