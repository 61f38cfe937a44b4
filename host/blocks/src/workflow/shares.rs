//! Places and room in memory: each app has a share, so that none can take what the others need.

use super::engine::Engine;
use std::sync::{Arc, atomic::Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of a unit of room.
pub(super) const ROOM: usize = 64 << 10;

impl Engine {
    /// A place in memory, of the app's share and of all; none where the host stops.
    pub(super) async fn places(&self, app: &str) -> Option<[OwnedSemaphorePermit; 2]> {
        let share = self.wait_for(self.place_shares.of(app), 1).await?;
        let place = self.wait_for(self.places.clone(), 1).await?;
        Some([share, place])
    }

    /// Room for a journal of so many bytes; none where the host stops.
    pub(super) async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = self.room_of(bytes);
        self.wait_for(self.room.clone(), units).await
    }

    /// A journal that is larger than all of the room takes all of it.
    pub(super) fn room_of(&self, bytes: usize) -> usize {
        let most = (self.settings.hot_bytes / ROOM).max(1);
        (1 + bytes / ROOM).min(most)
    }

    /// More room, if there is some now.
    pub(super) fn try_room(&self, units: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(units).ok()?;
        self.room.clone().try_acquire_many_owned(units).ok()
    }

    /// Waits for units; whoever waits is a crowd: instances that wait as well leave their places.
    async fn wait_for(&self, of: Arc<Semaphore>, units: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(units).ok()?;
        if let Ok(place) = of.clone().try_acquire_many_owned(units) {
            return Some(place);
        }
        self.crowd.fetch_add(1, Ordering::SeqCst);
        self.crowded.notify_one();
        let place = tokio::select! {
            place = of.acquire_many_owned(units) => place.ok(),
            () = async { self.stopping().cancelled().await } => None,
        };
        self.crowd.fetch_sub(1, Ordering::SeqCst);
        place
    }
}
