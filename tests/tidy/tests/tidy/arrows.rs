//! The arrows: which crate may know which.

use crate::REPOSITORY;
use tidy::{cargo::Package, none};

/// The crates of the product, each with those it may know.
const ARROWS: [(&str, &[&str]); 6] = [
    (
        "wythe",
        &[
            "wythe-blocks",
            "wythe-drivers",
            "wythe-manifest",
            "wythe-runtime",
        ],
    ),
    ("wythe-blocks", &["wythe-manifest"]),
    ("wythe-drivers", &["wythe-blocks", "wythe-manifest"]),
    ("wythe-manifest", &[]),
    ("wythe-runtime", &["wythe-blocks", "wythe-manifest"]),
    ("wythe-sdk", &[]),
];

fn packages() -> impl Iterator<Item = Package> {
    REPOSITORY.ending("Cargo.toml").filter_map(Package::of)
}

fn is_of_host(package: &Package) -> bool {
    package.path.starts_with("host/") || package.path.starts_with("guest-sdk/")
}

/// The packages that depend on a crate of this kind, for other eyes than those of `may`.
fn strangers(is: impl Fn(&str) -> bool, may: impl Fn(&Package) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages().filter(|package| !may(package)) {
        let wrong = package.dependencies.iter().filter(|name| is(name));
        found.extend(wrong.map(|name| format!("{}: `{name}`", package.path)));
    }
    found
}

#[test]
fn arrows_point_one_way() {
    let mut offenders = Vec::new();
    for package in packages().filter(is_of_host) {
        let Some((_, known)) = ARROWS.iter().find(|(name, _)| *name == package.name) else {
            offenders.push(format!(
                "{}: `{}` is not in `ARROWS`",
                package.path, package.name
            ));
            continue;
        };
        let own = package.dependencies.iter().filter(|name| {
            ARROWS.iter().any(|(own, _)| own == name) && !known.contains(&name.as_str())
        });
        offenders.extend(own.map(|name| format!("{} -> {name}", package.name)));
    }
    none(
        "cli -> { runtime, drivers } -> blocks -> manifest, and no other arrow",
        offenders,
    );
}

#[test]
fn only_the_runtime_depends_on_wasmtime() {
    let is = |name: &str| name == "wasmtime" || name.starts_with("wasmtime-");
    let may = |package: &Package| {
        ["host/runtime/Cargo.toml", "tests/bench/Cargo.toml"].contains(&package.path.as_str())
    };
    none(
        "only host/runtime and tests/bench know the engine",
        strangers(is, may),
    );
}

/// The command has a port for metrics, of which no block knows; a driver is a client.
#[test]
fn rules_know_no_http_library() {
    let is = |name: &str| ["hyper", "hyper-util", "hyper-rustls"].contains(&name);
    let may = |package: &Package| {
        ["wythe", "wythe-drivers", "wythe-runtime"].contains(&package.name.as_str())
            || package.path.starts_with("tests/")
    };
    none(
        "only host/runtime, host/drivers, host/cli and tests know hyper",
        strangers(is, may),
    );
}

#[test]
fn only_drivers_depend_on_a_technology() {
    let technologies = REPOSITORY.technologies();
    let is = |name: &str| technologies.iter().any(|technology| technology == name);
    let may = |package: &Package| {
        package.name == "wythe-drivers" || package.path.starts_with("tests/bench/")
    };
    none(
        "only host/drivers and tests/bench know a client crate",
        strangers(is, may),
    );
}

#[test]
fn errors_without_a_kind_stay_in_the_command_and_in_tests() {
    let may = |package: &Package| package.name == "wythe" || package.path.starts_with("tests/");
    none(
        "`anyhow` is for host/cli and tests",
        strangers(|name| name == "anyhow", may),
    );
}
