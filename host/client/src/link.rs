//! One TCP connection, with a bound on what the peer says before it answers.

use hyper_util::client::legacy::connect::{Connected, Connection};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// Bytes that a peer may send before the headers of its answer end, interim answers among them; as many in the
/// handshake of TLS.
pub const HEAD: usize = 256 << 10;
/// Interim answers before the answer.
pub const INTERIM: usize = 16;
/// Bytes read in one go before the answer.
const STEP: usize = 16 << 10;

/// A stream that ends where its peer says too much before it answers.
pub struct Link {
    stream: TcpStream,
    exchange: Exchange,
}

/// Record of what the peer has said to the request under way.
#[derive(Clone, Default)]
pub struct Exchange(Arc<State>);

#[derive(Default)]
struct State {
    answered: AtomicBool,
    /// Bytes read before the answer.
    bytes: AtomicUsize,
    interim: AtomicUsize,
}

impl Exchange {
    /// A request is about to be sent.
    pub fn begin(&self) {
        self.0.bytes.store(0, Relaxed);
        self.0.interim.store(0, Relaxed);
        self.0.answered.store(false, Relaxed);
    }

    /// An interim answer is there.
    pub fn interim(&self) {
        self.0.interim.fetch_add(1, Relaxed);
    }

    /// The headers of the answer are there.
    pub fn answered(&self) {
        self.0.answered.store(true, Relaxed);
    }

    /// Tells what the peer sent too much of, if it did.
    pub fn excess(&self) -> Option<String> {
        if self.0.interim.load(Relaxed) > INTERIM {
            return Some(format!("more than {INTERIM} interim answers"));
        }
        let many = self.0.bytes.load(Relaxed) > HEAD;
        many.then(|| format!("more than {} KiB before the end of its headers", HEAD >> 10))
    }

    fn check(&self) -> io::Result<()> {
        match self.excess() {
            Some(what) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the peer sent {what}"),
            )),
            None => Ok(()),
        }
    }
}

impl Link {
    pub fn new(stream: TcpStream) -> Self {
        Link {
            stream,
            exchange: Exchange::default(),
        }
    }
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.exchange.clone())
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.exchange.0.answered.load(Relaxed) {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        // Its client reads on for as long as there is something, so interim answers are looked at here.
        self.exchange.check()?;
        let mut piece = [0; STEP];
        let limit = buffer.remaining().min(STEP);
        let mut piece = ReadBuf::new(&mut piece[..limit]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut piece))?;
        self.exchange
            .0
            .bytes
            .fetch_add(piece.filled().len(), Relaxed);
        self.exchange.check()?;
        buffer.put_slice(piece.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Link {
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

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
