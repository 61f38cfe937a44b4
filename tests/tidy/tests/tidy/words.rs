//! Words that stand only where they belong.

use crate::REPOSITORY;
use tidy::{File, Technology, none};

/// The files that name the engine beside the runtime, and why.
const ENGINE: [(&str, &str); 2] = [
    (
        "host/cli/src/args/mod.rs",
        "`wythe --version` tells the engine's version",
    ),
    (
        "host/cli/src/embedded.rs",
        "that version is read from Cargo.lock",
    ),
];

/// The homes of listeners: where they are bound, where they are served, and the trait of both kinds.
const LISTENERS: [&str; 3] = [
    "host/api/src/",
    "host/blocks/src/connections/accept.rs",
    "host/cli/src/",
];

/// Clippy sees `#[allow]` at an item, and not at the head of a file.
#[test]
fn no_file_silences_a_lint() {
    let files = REPOSITORY.rust();
    let places = files.flat_map(|file| file.places_of(&["#![allow("]));
    none(
        "a lint is silenced by `#![expect(lint, reason = \"..\")]`",
        places.collect(),
    );
}

/// A duration that is no constant may be any number.
#[test]
fn durations_are_added_to_clocks_in_one_place() {
    let adds = |line: &str| {
        let mut sums = line.split("now() + ").skip(1);
        sums.any(|more| {
            !more.starts_with(|first: char| first.is_ascii_uppercase() || first.is_ascii_digit())
        })
    };
    let places = REPOSITORY.product().flat_map(|file| {
        let lines = file.code().into_iter().filter(|(_, line)| adds(line));
        lines.map(|(number, line)| format!("{}:{number}: {}", file.path, line.trim()))
    });
    none(
        "add it by `time::Clock::after` or `time::deadline` of the blocks",
        places.collect(),
    );
}

/// The standard library's locks are poisoned by a panic, and each use would have to say what that means to it.
#[test]
fn locks_are_those_of_parking_lot() {
    let is_lock = |word: &str| matches!(word, "Mutex" | "RwLock" | "Condvar" | "PoisonError");
    let names_one = |import: &str| {
        let import = import.split(';').next().unwrap_or_default();
        let mut words = import.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(is_lock)
    };
    let files = REPOSITORY.product().filter(|file| file.is_in("host/"));
    let offenders = files.filter(|file| {
        let mut imports = file.text.split("use std::").skip(1);
        imports.any(names_one) || file.text.contains("std::sync::Mutex")
    });
    none(
        "use `parking_lot`, whose locks are not poisoned",
        offenders.map(|file| file.path.clone()).collect(),
    );
}

/// A number of a time has bounds, and each conversion would have to think of them.
#[test]
fn times_become_numbers_in_one_place() {
    let words = [
        "duration_since(UNIX_EPOCH)",
        "duration_since(SystemTime::UNIX_EPOCH)",
        "as_millis()).unwrap_or",
        "as_nanos()).unwrap_or",
        "as_millis() as u64",
        "as_nanos() as u64",
    ];
    let files = REPOSITORY.product();
    let files = files.filter(|file| file.is_in("host/") && file.path != "host/blocks/src/time.rs");
    none(
        "use `time::{now, timestamp, milliseconds, nanoseconds}` of the blocks",
        files.flat_map(|file| file.places_of(&words)).collect(),
    );
}

#[test]
fn random_numbers_and_digits_have_one_home_each() {
    let homes = ["host/blocks/src/random.rs", "host/blocks/src/text.rs"];
    let files = REPOSITORY.product();
    let files = files.filter(|file| !homes.contains(&file.path.as_str()));
    none(
        "use `random` and `text::hex` of the blocks",
        files
            .flat_map(|file| file.places_of(&["getrandom::", "{byte:02x}"]))
            .collect(),
    );
}

#[test]
fn a_technology_is_named_only_where_it_lives() {
    let mut offenders = Vec::new();
    for Technology { name, home } in REPOSITORY.products() {
        for file in REPOSITORY.product().filter(|file| !file.is_in(&home)) {
            let lines = file.lines_with(&name);
            let lines = lines.filter(|(_, line)| !is_default(file, line, &name));
            offenders.extend(lines.map(|(number, _)| format!("{}:{number}: {name}", file.path)));
        }
    }
    none(
        "a technology is named in its folder, in the lists of drivers, in Cargo.toml, documents, YAML, tests, and as the \
         default component in host/cli/src/boot.rs",
        offenders,
    );
}

/// The lists of drivers, which alone know which of them a build has.
const LISTS: [&str; 2] = [
    "host/drivers/embedded/src/lib.rs",
    "host/drivers/src/lib.rs",
];

/// The list of the types that Dapr has and no build.
const DAPR: &str = "host/drivers/src/dapr.rs";

/// Allows the lists of drivers, and the components that exist where a project declares none.
fn is_default(file: &File, line: &str, technology: &str) -> bool {
    let is_type = ["configuration", "jobs", "lock", "pubsub", "state"]
        .iter()
        .any(|block| line.contains(&format!("type: {block}.{technology}")));
    LISTS.contains(&file.path.as_str())
        || file.path == DAPR
        || file.path == "host/cli/src/boot.rs" && is_type
}

#[test]
fn wasmtime_is_named_only_in_the_runtime() {
    let homes = ["host/runtime/", "tests/bench/", "tests/tidy/"];
    let files = REPOSITORY
        .rust()
        .filter(|file| !homes.iter().any(|home| file.is_in(home)))
        .filter(|file| !is_listed(&ENGINE, file));
    let places = files.flat_map(|file| {
        let lines = file.lines_with("wasmtime");
        lines.map(|(number, _)| format!("{}:{number}", file.path))
    });
    none(
        "only host/runtime knows which engine runs a guest",
        places.collect(),
    );
}

fn is_listed(list: &[(&str, &str)], file: &File) -> bool {
    list.iter().any(|(path, _)| *path == file.path)
}

#[test]
fn features_of_cargo_are_asked_for_in_the_lists_of_drivers() {
    let files = REPOSITORY
        .product()
        .filter(|file| !LISTS.contains(&file.path.as_str()));
    let places = files.flat_map(|file| {
        file.places_of(&[
            "cfg(feature",
            "cfg(any(feature",
            "cfg(all(feature",
            "cfg(not(feature",
        ])
    });
    none(
        "`cfg(feature)` stands only in the lists of drivers: see `LISTS` in this test",
        places.collect(),
    );
}

/// A listener is bound by the command, and given to the one accept loop.
#[test]
fn only_the_room_of_http_listens() {
    let words = [
        "hyper::server",
        "hyper_util::server",
        "server::conn",
        "server::{",
        "server::graceful",
        "TcpListener",
        "UnixListener",
    ];
    let files = REPOSITORY
        .product()
        .filter(|file| !LISTENERS.iter().any(|home| file.is_in(home)));
    none(
        "only host/api serves connections, of listeners that host/cli binds",
        files.flat_map(|file| file.places_of(&words)).collect(),
    );
}

#[test]
fn the_lists_of_this_test_name_files_that_are_there() {
    let gone = ENGINE.iter().filter(|(path, _)| !REPOSITORY.has(path));
    none(
        "delete the line",
        gone.map(|(path, _)| (*path).to_owned()).collect(),
    );
}
