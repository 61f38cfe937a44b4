//! A connection whose client has to take what is written to it in a stated time, or is cut.

use super::Manner;
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

pub struct Outgoing<S> {
    stream: S,
    manner: Manner,
    /// A write waits, or some of an answer does.
    waits: Option<Pin<Box<Sleep>>>,
}

impl<S> Outgoing<S> {
    pub fn new(stream: S, manner: Manner) -> Self {
        Outgoing {
            stream,
            manner,
            waits: None,
        }
    }

    /// Outcome of a write: an error in place of a wait that lasts too long.
    fn within<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let patience = match self.manner {
            Manner::Web { silence } | Manner::Forwarded { silence } => silence,
            Manner::Commands { whole } => whole,
        };
        if written.is_ready() {
            if let Manner::Web { .. } | Manner::Forwarded { .. } = self.manner {
                self.waits = None;
            }
            return written;
        }
        let wait = || Box::pin(tokio::time::sleep(patience));
        ready!(self.waits.get_or_insert_with(wait).as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Outgoing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Outgoing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.within(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The server flushes once all that it has is written.
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.waits = None;
        }
        self.within(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.within(context, shut)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.within(context, written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
        time::{Instant, sleep},
    };

    const LONG: Duration = Duration::from_secs(30);

    /// Takes 16 bytes in each 20 s, ten times.
    async fn slow(mut there: DuplexStream) -> DuplexStream {
        let mut taken = [0; 16];
        for _ in 0..10 {
            sleep(Duration::from_secs(20)).await;
            there.read_exact(&mut taken).await.expect("bytes");
        }
        there
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut_and_a_slow_one_is_not() {
        let (here, there) = tokio::io::duplex(16);
        let mut stream = Outgoing::new(here, Manner::Web { silence: LONG });
        let (written, _there) = tokio::join!(stream.write_all(&[1; 160]), slow(there));
        written.expect("each write had its time");
        stream.write_all(&[1; 16]).await.expect("room is left");
        let begun = Instant::now();
        let cut = stream.write_all(&[1; 16]).await.expect_err("nobody reads");
        assert_eq!(cut.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_of_commands_has_one_time_for_all_of_an_answer() {
        let (here, there) = tokio::io::duplex(16);
        let mut stream = Outgoing::new(here, Manner::Commands { whole: LONG });
        let begun = Instant::now();
        let cut = tokio::select! {
            cut = stream.write_all(&[1; 160]) => cut.expect_err("too slow"),
            _ = slow(there) => panic!("all of it was taken"),
        };
        assert_eq!(cut.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 30);
        // What was taken in time leaves the next answer its own time.
        let (here, mut other) = tokio::io::duplex(16);
        stream = Outgoing::new(here, Manner::Commands { whole: LONG });
        for _ in 0..3 {
            let answer = async {
                stream.write_all(&[1; 32]).await?;
                stream.flush().await
            };
            let taken = async {
                sleep(Duration::from_secs(20)).await;
                other.read_exact(&mut [0; 32]).await
            };
            let (answered, taken) = tokio::join!(answer, taken);
            answered.and(taken.map(drop)).expect("all of it in time");
        }
    }
}
