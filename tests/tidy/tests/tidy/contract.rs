//! One name in every room: a block of the contract has its file everywhere, and nothing else does.

use crate::REPOSITORY;
use tidy::none;

/// The rooms, each with the blocks that have no file there, and why.
const ROOMS: [(&str, &[(&str, &str)]); 4] = [
    ("guest-sdk/src", &[]),
    (
        "host/api/src/admin",
        &[("logging", "an operator reads the log itself")],
    ),
    (
        "host/blocks/src",
        &[(
            "logging",
            "it has no rules: no component, no grant, no driver",
        )],
    ),
    ("host/runtime/src/wit", &[]),
];

#[test]
fn every_block_has_its_file_in_every_room() {
    let mut missing = Vec::new();
    for block in REPOSITORY.blocks() {
        for (room, exempt) in ROOMS {
            let is_there = REPOSITORY.has(&format!("{room}/{block}.rs"))
                || REPOSITORY.has(&format!("{room}/{block}/mod.rs"));
            if !is_there && exempt.iter().all(|(name, _)| *name != block) {
                missing.push(format!("{room}/{block}.rs"));
            }
        }
    }
    none("wit/NAME.wit has a namesake in each room", missing);
}

#[test]
fn no_room_has_a_block_that_the_contract_lacks() {
    let blocks = REPOSITORY.blocks();
    let mut files = REPOSITORY.names("host/runtime/src/wit");
    files.retain(|name| name != "mod.rs" && !blocks.contains(&name.replace(".rs", "")));
    none(
        "host/runtime/src/wit holds one file for each wit/NAME.wit",
        files,
    );
}

#[test]
fn every_kind_of_driver_is_proved() {
    let mut missing = REPOSITORY.blocks();
    missing.retain(|block| {
        REPOSITORY.has(&format!("host/blocks/src/{block}/driver.rs"))
            && !REPOSITORY.has(&format!("tests/conformance/src/{block}.rs"))
    });
    none(
        "a block with drivers has its suite in tests/conformance/src",
        missing,
    );
}

#[test]
fn every_registered_driver_has_its_own_file() {
    let mut missing = Vec::new();
    for technology in REPOSITORY.technologies() {
        let Some(list) = REPOSITORY.list_of(&technology) else {
            missing.push(format!("{}: `fn register(`", technology.home));
            continue;
        };
        // A call that is long is broken into lines.
        let list: String = list.text.split_whitespace().collect();
        for block in REPOSITORY.blocks() {
            let file = format!("{}/{block}.rs", technology.home);
            if list.contains(&format!("registry.{block}.add")) && !REPOSITORY.has(&file) {
                missing.push(file);
            }
        }
    }
    none(
        "one driver is one file and one line of registration",
        missing,
    );
}

#[test]
fn every_interface_and_function_of_the_contract_is_explained() {
    let mut bare = Vec::new();
    for file in REPOSITORY.ending(".wit") {
        let lines: Vec<_> = file.text.lines().map(str::trim).collect();
        for (index, line) in lines.iter().enumerate() {
            let named = line.starts_with("interface ") || line.starts_with("resource ");
            let is_function = line.contains(": func(") || line.contains(": static func(");
            let has_words = index > 0 && lines[index - 1].starts_with("///");
            if (named || is_function) && !line.starts_with("//") && !has_words {
                bare.push(format!("{}:{}: {line}", file.path, index + 1));
            }
        }
    }
    none("`///` and a sentence before each", bare);
}

#[test]
fn every_sample_guest_has_a_test() {
    let guests = REPOSITORY
        .ending("/Cargo.toml")
        .filter(|file| file.is_in("sample-guests/"));
    let names = guests.filter_map(|file| Some(tidy::cargo::Package::of(file)?.name));
    let tested = |name: &str| {
        let mut tests = REPOSITORY.rust().filter(|file| file.is_in("tests/host/"));
        let file = name.replace('-', "_");
        tests.any(|test| {
            [name, &file]
                .iter()
                .any(|word| test.lines_with(word).next().is_some())
        })
    };
    none(
        "a sample that no test of tests/host runs will rot",
        names.filter(|name| !tested(name)).collect(),
    );
}
