//! SQLite: one file that the host opens itself, and that a `daprd` or the command `sqlite3` may have open at the same time.
//!
//! All of it runs on threads of its own, each with a connection: one writes, by commits that several writes share, and some
//! read. Whoever asks waits in a queue of a fixed length, and no longer than the component says.

mod configuration;
mod database;
mod fault;
mod lane;
mod location;
mod names;
mod schema;
mod settings;
mod state;
#[cfg(test)]
mod testing;

use wythe_blocks::Registry;

/// Registers the drivers, which stay within the host.
pub fn register(registry: &mut Registry) {
    registry
        .configuration
        .add_parsed("sqlite", configuration::parse, configuration::open);
    registry
        .state
        .add_parsed("sqlite", state::parse, state::open);
}
