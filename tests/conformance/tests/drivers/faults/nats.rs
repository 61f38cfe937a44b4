//! NATS: what it says, and what of it is not as it should be.

use super::{Kinds, Test, run};
use crate::open::{component, site};
use servers::{Nats, Server};
use std::net::SocketAddr;
use wythe_blocks::{
    Error, Kind,
    pubsub::{Message, SubscribeOptions},
    state::Put,
};

pub(super) const TESTS: &[(&str, Test)] = &[
    ("a_wrong_login_says_so", |kind, _| wrong_login(kind)),
    ("a_server_without_jetstream_says_so", |kind, _| plain(kind)),
    ("a_bucket_with_a_history_is_refused", |kind, server| {
        run(history(kind, server))
    }),
    ("a_stream_that_is_not_there_says_so", |kind, server| {
        run(no_stream(kind, server))
    }),
    ("letters_wait_for_the_first_group", |kind, server| {
        run(letters(kind, server))
    }),
];

pub(super) fn metadata(block: &str, address: SocketAddr) -> String {
    let bucket = match block {
        "pubsub" => "",
        _ => ", { name: bucket, value: rows }",
    };
    let synced = Nats::syncs();
    format!(
        "{{ name: natsURL, value: \"nats://{address}\" }}, {{ name: syncAlways, value: {synced} }}{bucket}"
    )
}
