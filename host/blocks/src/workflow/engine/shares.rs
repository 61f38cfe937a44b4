//! Permits and room in memory: each app has a share, so that none can take what the others need.

use super::Engine;
use std::sync::{Arc, atomic::Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of a unit of room.
pub(super) const ROOM: usize = 64 << 10;

/// Room for a journal in memory.
pub(super) struct Room {
    share: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
}

/// Units of room that one app may have; a journal that is larger has all of them.
pub(super) fn half_of_room(hot_bytes: usize) -> usize {
    (hot_bytes / ROOM / 2).max(1)
}

impl Engine {
    /// A permit to be in memory, of the app's share and of all; none where the host stops.
    pub(super) async fn permits(&self, app: &str) -> Option<[OwnedSemaphorePermit; 2]> {
        let share = self.wait_for(self.permit_shares.of(app), 1).await?;
        let permit = self.wait_for(self.permits.clone(), 1).await?;
        Some([share, permit])
    }

    /// Room for a journal of so many bytes, of the app's half and of all; none where the host stops. The app's half comes
    /// first: whoever waits for it stands in no queue of others.
    pub(super) async fn room(&self, app: &str, bytes: usize) -> Option<Room> {
        let units = self.room_of(bytes);
        let share = units.min(half_of_room(self.settings.hot_bytes));
        let share = self.wait_for(self.room_shares.of(app), share).await?;
        let all = self.wait_for(self.room.clone(), units).await?;
        Some(Room { share, all })
    }

    /// A journal that is larger than all of the room takes all of it.
    pub(super) fn room_of(&self, bytes: usize) -> usize {
        let limit = (self.settings.hot_bytes / ROOM).max(1);
        (1 + bytes / ROOM).min(limit)
    }

    /// Grows the room of a journal to so many bytes, if there is as much now.
    pub(super) fn grow_room(&self, app: &str, room: &mut Room, bytes: usize) -> bool {
        let units = self.room_of(bytes);
        let share = units.min(half_of_room(self.settings.hot_bytes));
        let grow = |of: Arc<Semaphore>, has: &OwnedSemaphorePermit, wanted: usize| {
            let more = u32::try_from(wanted.saturating_sub(has.num_permits())).ok()?;
            of.try_acquire_many_owned(more).ok()
        };
        let share = grow(self.room_shares.of(app), &room.share, share);
        let all = grow(self.room.clone(), &room.all, units);
        let (Some(share), Some(all)) = (share, all) else {
            return false;
        };
        room.share.merge(share);
        room.all.merge(all);
        true
    }

    /// Waits for units; whoever waits is a crowd: instances that wait as well leave their permits.
    async fn wait_for(&self, of: Arc<Semaphore>, units: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(units).ok()?;
        if let Ok(permit) = of.clone().try_acquire_many_owned(units) {
            return Some(permit);
        }
        self.crowd.fetch_add(1, Ordering::SeqCst);
        self.crowded.notify_one();
        let permit = tokio::select! {
            permit = of.acquire_many_owned(units) => permit.ok(),
            () = async { self.stopping().cancelled().await } => None,
        };
        self.crowd.fetch_sub(1, Ordering::SeqCst);
        permit
    }
}
