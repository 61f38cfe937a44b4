//! Attacks on memory and on handles.
use std::hint::black_box;

use wythe_sdk::state::Store;
use wythe_sdk::wasip2::http::types::Fields;

const MIB: usize = 1 << 20;

/// Touches what it gets, MiB by MiB, until it has enough or gets no more.
pub fn alloc(mib: u64) -> String {
    let mut held: Vec<Vec<u8>> = Vec::new();
    while (held.len() as u64) < mib {
        let mut piece: Vec<u8> = Vec::new();
        if let Err(error) = piece.try_reserve_exact(MIB) {
            let held = give_back(held);
            return format!("allocated {held} MiB, then: {error}");
        }
        piece.resize(MIB, 1);
        held.push(black_box(piece));
    }
    format!("allocated {} MiB", give_back(held))
}

/// Gives memory back before the answer is written, which needs memory too.
fn give_back(held: Vec<Vec<u8>>) -> usize {
    held.len()
}

/// Gives the host one long string in one call.
pub fn big_string(mib: u64) -> String {
    let mut name = String::new();
    let length = usize::try_from(mib)
        .unwrap_or(usize::MAX)
        .saturating_mul(MIB);
    if let Err(error) = name.try_reserve_exact(length) {
        return format!("no memory for {mib} MiB: {error}");
    }
    // In place: `repeat` would need it all twice.
    while name.len() < length {
        name.push_str("0123456789abcdef");
    }
    match Store::open(&name) {
        Ok(_) => format!("opened a name of {mib} MiB"),
        Err(error) => format!(
            "a name of {mib} MiB is refused: {}",
            shortened(&error.to_string())
        ),
    }
}

/// `kind` is `fields`, or the name of a state component.
pub fn leak_handles(kind: &str, count: u64) -> String {
    for leaked in 0..count {
        if kind.is_empty() || kind == "fields" {
            std::mem::forget(Fields::new());
            continue;
        }
        match Store::open(kind) {
            Ok(store) => std::mem::forget(store),
            Err(error) => return format!("leaked {leaked} handles, then: {error}"),
        }
    }
    format!("leaked {count} handles")
}

/// An error that repeats what it refuses shall not make the answer as long.
fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}
