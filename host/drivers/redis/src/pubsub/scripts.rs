//! The scripts of streams, each one step of the server.

use crate::client::{Call, Lua};
use bytes::Bytes;
use std::sync::LazyLock;

pub(super) static PUBLISH: LazyLock<Lua> = LazyLock::new(|| {
    Lua::new(concat!(
        include_str!("trim.lua"),
        include_str!("publish.lua")
    ))
});
pub(super) static JOIN: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("join.lua")));
pub(super) static FILL: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("fill.lua")));
pub(super) static CLAIM: LazyLock<Lua> =
    LazyLock::new(|| Lua::new(concat!(include_str!("trim.lua"), include_str!("claim.lua"))));
pub(super) static HOLD: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("hold.lua")));
pub(super) static ACK: LazyLock<Lua> =
    LazyLock::new(|| Lua::new(concat!(include_str!("trim.lua"), include_str!("ack.lua"))));
pub(super) static LEAVE: LazyLock<Lua> =
    LazyLock::new(|| Lua::new(concat!(include_str!("trim.lua"), include_str!("leave.lua"))));

/// A call about one stream.
pub(super) fn call(stream: &str, arguments: impl IntoIterator<Item = String>) -> Call {
    Call {
        keys: vec![stream.to_owned().into()],
        arguments: arguments.into_iter().map(Bytes::from).collect(),
    }
}
