//! Loops over calls to the host: the time passes there, and none of it in this guest's own code.
use std::hint::black_box;

use wythe_sdk::contract::app::wythe::blocks::{logging, state};
use wythe_sdk::http::Query;
use wythe_sdk::wasip2::http::types::Fields;
use wythe_sdk::wasip2::random::random::get_random_bytes;

/// Spins in the host for ever, or `count` times.
pub fn host_spin(query: &Query) -> String {
    let kind = query.get("kind").unwrap_or_default();
    let count = query.number("count").unwrap_or(u64::MAX);
    let long = "é".repeat(2 << 20);
    let fields = Fields::new();
    for n in 0..500 {
        let _ = fields.append(&format!("x-{n}"), b"0123456789");
    }
    for _ in 0..count {
        match kind {
            "random" => drop(black_box(get_random_bytes(64 << 10))),
            "log" => logging::log(logging::Level::Trace, &long, &[]),
            "name" => drop(black_box(state::Store::open(&long))),
            "fields" => drop(black_box(fields.entries())),
            _ => return format!("there is no call {kind}"),
        }
    }
    format!("called {count} times")
}

/// Asks for a store with a long name; how long the refusal is.
pub fn long_name(mib: u64) -> String {
    let name = "n".repeat(usize::try_from(mib << 20).unwrap_or(usize::MAX));
    match state::Store::open(&name) {
        Ok(_) => "opened".to_owned(),
        Err(error) => format!(
            "refused in {} bytes: {}",
            error.message.len(),
            &error.message[..40]
        ),
    }
}

/// Sends more headers than a map of them holds.
pub fn many_headers(app: &str, count: u64) -> String {
    let request = wythe_sdk::invocation::Request::new("GET", "/");
    let request = (0..count).fold(request, |request, n| {
        request.with_header(&format!("x-{n}"), "y")
    });
    match wythe_sdk::invocation::invoke(app, &request) {
        Ok(response) => format!("answered {}", response.status),
        Err(error) => format!("refused: {error}"),
    }
}
