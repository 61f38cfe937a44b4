//! The body of an answer while it comes: each byte is drawn before there is room for it.

use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wythe_blocks::{Error, Permit, Result, bindings::Request};

/// Bytes of answers that one component holds while they come.
const SHARED: usize = 256 << 20;

/// Memory that a component's answers under way may hold in all.
#[derive(Clone)]
pub(super) struct Share(Arc<Semaphore>);

impl Share {
    pub fn new() -> Self {
        Self::of(SHARED)
    }

    pub fn of(bytes: usize) -> Self {
        Share(Arc::new(Semaphore::new(bytes)))
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit> {
        let much = u32::try_from(bytes).ok();
        let taken = much.and_then(|bytes| self.0.clone().try_acquire_many_owned(bytes).ok());
        taken.ok_or_else(|| {
            Error::exhausted(format!(
                "the answers that this component gets at once hold all of its {} MiB; try again once some are \
                 through, or lower `maxDataBytes`",
                SHARED >> 20
            ))
        })
    }
}

/// Bytes that are drawn until the answer is there: of the app that asks, and of the component.
pub(super) struct Held {
    app: Option<Permit>,
    all: OwnedSemaphorePermit,
    share: Share,
}

impl Held {
    pub fn new(share: &Share, request: &Request<'_>) -> Result<Self> {
        Ok(Held {
            app: request.hold(0)?,
            all: share.take(0)?,
            share: share.clone(),
        })
    }

    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        if let Some(app) = &mut self.app {
            app.grow(bytes)?;
        }
        self.all.merge(self.share.take(bytes)?);
        Ok(())
    }
}

/// A body that has so many bytes at most.
pub(super) struct Body {
    data: Vec<u8>,
    /// Bytes that the peer has announced, or that there may be.
    max_bytes: usize,
}

impl Body {
    /// Returns none where more is announced than there may be.
    pub fn new(max_bytes: u64, announced: Option<u64>) -> Option<Self> {
        let bytes = announced.unwrap_or(max_bytes);
        (bytes <= max_bytes).then(|| Body {
            data: Vec::new(),
            max_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
        })
    }

    /// Adds this piece, and says whether it has room within what there may be. Memory grows by doubling, up to that.
    pub fn push(&mut self, piece: &[u8], held: &mut Held) -> Result<bool> {
        let needed = self.data.len().saturating_add(piece.len());
        if needed > self.max_bytes {
            return Ok(false);
        }
        let had = self.data.capacity();
        if needed > had {
            let capacity = had.saturating_mul(2).clamp(needed, self.max_bytes);
            held.grow(capacity - had)?;
            self.data.reserve_exact(capacity - self.data.len());
        }
        self.data.extend_from_slice(piece);
        Ok(true)
    }

    pub fn whole(self) -> Bytes {
        self.data.into()
    }
}
