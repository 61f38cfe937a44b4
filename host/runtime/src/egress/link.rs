//! One connection to the outside: counted among those of the host, closed while idle if another needs its place, and
//! bounded in what it says before it answers.

use hyper_util::client::legacy::connect::{Connected, Connection};
use parking_lot::{Mutex, MutexGuard};
use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use wythe_blocks::connections::{Permit, Work};

/// Bytes that a peer may send before the headers of its answer end, interim answers among them.
const HEAD: usize = 256 << 10;
/// Bytes read in one go before the answer.
const STEP: usize = 16 << 10;

/// A stream with its place among the host's connections.
pub struct Link {
    stream: TcpStream,
    evicted: Pin<Box<dyn Future<Output = ()> + Send>>,
    exchange: Exchange,
}

/// The request under way on a connection. It goes with the response, and is done with it.
#[derive(Clone)]
pub struct Exchange(Arc<Mutex<State>>);

struct State {
    permit: Permit,
    work: Option<Work>,
    answered: bool,
    /// Bytes read before the answer.
    before: usize,
}

impl Exchange {
    /// The headers of the answer are there.
    pub fn answered(&self) {
        self.state().answered = true;
    }

    /// The answer is through: the connection is idle.
    pub fn done(&self) {
        self.state().work = None;
    }

    fn begin(&self) {
        let mut state = self.state();
        if state.work.is_none() {
            state.work = Some(state.permit.work());
            state.answered = false;
            state.before = 0;
        }
    }

    /// Returns whether so many more bytes may come.
    fn admits(&self, bytes: usize) -> bool {
        let mut state = self.state();
        state.before = state.before.saturating_add(bytes);
        state.answered || state.before <= HEAD
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl Link {
    pub fn new(stream: TcpStream, permit: Permit, work: Work) -> Self {
        let evicted = permit.share();
        Link {
            stream,
            evicted: Box::pin(async move { evicted.evicted().await }),
            exchange: Exchange(Arc::new(Mutex::new(State {
                permit,
                work: Some(work),
                answered: false,
                before: 0,
            }))),
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
        if self.evicted.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        if self.exchange.state().answered {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let mut piece = [0; STEP];
        let limit = buffer.remaining().min(STEP);
        let mut piece = ReadBuf::new(&mut piece[..limit]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut piece))?;
        if !self.exchange.admits(piece.filled().len()) {
            let what = format!("the peer sent {HEAD} bytes and no answer");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, what)));
        }
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
        self.exchange.begin();
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
        self.exchange.begin();
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
