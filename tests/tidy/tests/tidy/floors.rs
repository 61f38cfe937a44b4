//! The floors of an engine, and where the methods of a type stand.

use crate::REPOSITORY;
use std::collections::BTreeMap;
use tidy::{File, none};

/// The engines that have floors, each with the words that its decisions may not use: they have no store, no task and no
/// clock of their own.
const ENGINES: [&str; 2] = ["host/blocks/src/actors", "host/blocks/src/workflow"];
const NOT_IN_CORE: [&str; 12] = [
    "store::",
    "engine::",
    "crate::state",
    "state::{",
    "spawn(",
    "Tasks",
    "InternalStore",
    "Instant::now",
    "SystemTime::now",
    "random::",
    "time::now",
    "tokio::time",
];

/// Types of others, and types whose methods fill two files side by side.
const ELSEWHERE: [(&str, &str); 8] = [
    ("host/blocks/src/actors/activation.rs", "Engine"),
    ("host/blocks/src/actors/mod.rs", "Hosted"),
    ("host/blocks/src/actors/outbox.rs", "Outgoing"),
    ("host/blocks/src/actors/alarms.rs", "Turn"),
    ("host/blocks/src/crypto/algorithm.rs", "WrapAlgorithm"),
    ("host/blocks/src/crypto/algorithm.rs", "SignatureAlgorithm"),
    ("host/blocks/src/crypto/transform.rs", "Key"),
    ("host/runtime/src/fields.rs", "Ctx"),
];

fn below<'a>(directory: &'a str) -> impl Iterator<Item = &'static File> + 'a {
    let files = REPOSITORY.product();
    files.filter(move |file| file.is_in(&format!("{directory}/")))
}

#[test]
fn decisions_know_no_store_and_no_engine() {
    let mut offenders = Vec::new();
    for engine in ENGINES {
        for file in below(&format!("{engine}/core")) {
            offenders.extend(file.places_of(&NOT_IN_CORE));
        }
        for file in below(&format!("{engine}/store")) {
            offenders.extend(file.places_of(&["engine::", "Engine", "InternalStore"]));
        }
    }
    none(
        "the core names no store and no engine, the store no engine",
        offenders,
    );
}

/// The type of an inherent `impl` that begins with this line.
fn inherent(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("impl")?;
    let rest = match rest.strip_prefix('<') {
        Some(generics) => generics.split_once("> ")?.1,
        None => rest.strip_prefix(' ')?,
    };
    let name = rest.split(['<', ' ', '{']).next()?;
    let is_plain = name.chars().all(|c| c.is_alphanumeric());
    (is_plain && !rest.contains(" for ")).then_some(name)
}

/// The type that a line declares.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let kinds = ["struct ", "enum ", "type "];
    let at = kinds
        .iter()
        .find_map(|kind| Some(line.find(kind)? + kind.len()))?;
    let before = line[..at].trim_end();
    let is_item = before.starts_with("pub") || before.split(' ').count() == 1;
    let name = line[at..].split(|c: char| !c.is_alphanumeric()).next()?;
    is_item.then_some(name)
}

#[test]
fn methods_stand_with_their_type() {
    let mut homes = BTreeMap::<String, Vec<String>>::new();
    for file in below("host") {
        for (_, line) in file.code() {
            if let Some(name) = declared(&line) {
                let home = homes.entry(name.to_owned()).or_default();
                home.push(file.path.clone());
            }
        }
    }
    let mut offenders = Vec::new();
    for file in below("host") {
        for (number, line) in file.code() {
            let Some(name) = inherent(&line) else {
                continue;
            };
            let own = homes.get(name).into_iter().flatten();
            let is_home = |home: &String| {
                let module = home.trim_end_matches("mod.rs").trim_end_matches("lib.rs");
                let module = module.trim_end_matches(".rs").trim_end_matches('/');
                file.path == *home || file.path.starts_with(&format!("{module}/"))
            };
            let is_known = ELSEWHERE.contains(&(file.path.as_str(), name));
            if !is_known && !own.into_iter().any(is_home) {
                offenders.push(format!("{}:{number}: `{name}`", file.path));
            }
        }
    }
    none(
        "an inherent `impl` stands in the file that declares its type, or in a child of it",
        offenders,
    );
}
