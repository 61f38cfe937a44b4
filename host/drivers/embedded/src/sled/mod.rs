//! sled, made honest: it is durable because of what is done around it, not by itself.
//!
//! * `flush()` of sled 0.34 ends in `sync_file_range`, which promises nothing after a power cut; so every commit is
//!   followed by an `fdatasync` of sled's own `db` file, and nothing is answered before.
//! * Pages beyond a quarter of a segment go to files in `blobs/` that are never synced; so segments are 8 MiB and
//!   values are cut into pieces so small that no page comes near that.
//! * A batch is visible before it is durable; so readers look through a view that shows the old values until the sync.
//! * `open` can panic on a damaged file; so a panic is caught and reported, and nothing is ever deleted.

mod keys;
mod open;
mod state;
mod view;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry.state.add("sled", state::open);
    registry.state.counts("sled");
}
