//! The arrows: which crate may know which.

use crate::REPOSITORY;
use tidy::{Technology, cargo::Package, none};

/// The crates of the product, each with those it may know; a crate of the street knows what [`DRIVER`] lists.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "wythe",
        &[
            "wythe-api",
            "wythe-blocks",
            "wythe-drivers",
            "wythe-export",
            "wythe-manifest",
            "wythe-runtime",
        ],
    ),
    ("wythe-api", &["wythe-blocks", "wythe-manifest"]),
    ("wythe-blocks", &["wythe-manifest"]),
    ("wythe-client", &["wythe-blocks", "wythe-manifest"]),
    ("wythe-export", &["wythe-blocks", "wythe-manifest"]),
    ("wythe-manifest", &[]),
    ("wythe-net", &["wythe-blocks", "wythe-manifest"]),
    ("wythe-runtime", &["wythe-blocks", "wythe-manifest"]),
    ("wythe-sdk", &[]),
];

/// The crates that a driver's crate may know.
const DRIVER: [&str; 4] = [
    "wythe-blocks",
    "wythe-client",
    "wythe-manifest",
    "wythe-net",
];
const LIST: &str = "wythe-drivers";
const EMBEDDED: &str = "wythe-drivers-embedded";

/// Clients that have another name than their technology, each with the crates that may know it.
const CLIENTS: &[(&str, &[&str])] = &[
    ("hyper-rustls", &[]),
    (
        "deadpool",
        &["wythe-drivers-mysql", "wythe-drivers-postgres"],
    ),
    ("lettre", &["wythe-drivers-smtp"]),
    ("tokio-postgres", &["wythe-drivers-postgres"]),
    ("tokio-rustls", &["wythe-drivers-smtp", "wythe-net"]),
    ("webpki-roots", &["wythe-net"]),
];

/// Crates that speak over a network, and that more than one crate may know.
const NETWORK: [&str; 6] = [
    "http",
    "http-body",
    "http-body-util",
    "hyper",
    "hyper-util",
    "rustls",
];

fn packages() -> impl Iterator<Item = Package> {
    REPOSITORY.ending("Cargo.toml").filter_map(Package::of)
}

/// The names of the crates of the street.
fn street() -> Vec<String> {
    let folders = REPOSITORY.street().into_iter();
    folders.map(|folder| format!("{LIST}-{folder}")).collect()
}

/// The crates that one may know; none where nothing says which.
fn known(package: &str) -> Option<Vec<String>> {
    let street = street();
    let driver = DRIVER.map(str::to_owned);
    if package == LIST {
        return Some(driver.into_iter().chain(street).collect());
    }
    if street.iter().any(|name| name == package) {
        return Some(driver.into());
    }
    let (_, known) = ARROWS.iter().find(|(name, _)| *name == package)?;
    Some(known.iter().map(|name| (*name).to_owned()).collect())
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
        let Some(known) = known(&package.name) else {
            offenders.push(format!(
                "{}: `{}` is not in `ARROWS`",
                package.path, package.name
            ));
            continue;
        };
        let own = package.dependencies.iter();
        let own = own.filter(|name| self::known(name).is_some() && !known.contains(name));
        offenders.extend(own.map(|name| format!("{} -> {name}", package.name)));
    }
    none(
        "cli -> { api, runtime, drivers, export } -> blocks -> manifest, drivers -> each driver's crate -> { client, net, blocks }, client -> blocks, net -> blocks, and no other arrow",
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

/// The room of HTTP serves; the engine's room, a driver, the exporters and the command are clients.
#[test]
fn rules_know_no_http_library() {
    let is = |name: &str| ["hyper", "hyper-util", "hyper-rustls"].contains(&name);
    let may = |package: &Package| {
        let rooms = [
            "wythe",
            "wythe-api",
            "wythe-client",
            "wythe-drivers-http",
            "wythe-export",
            "wythe-runtime",
        ];
        rooms.contains(&package.name.as_str()) || package.path.starts_with("tests/")
    };
    none(
        "only host/api, host/client, host/runtime, host/drivers/http, host/export, host/cli and tests know hyper",
        strangers(is, may),
    );
}

/// The modules of a library that make a server of it. Features are no sign: there is one set of them for all crates.
#[test]
fn only_the_room_of_http_serves() {
    let files = REPOSITORY.ending(".rs");
    let files = files.filter(|file| file.is_in("host/") && !file.is_in("host/api/"));
    let lines = files.flat_map(|file| {
        let lines = file.text.lines().zip(1..);
        let signs = [
            "hyper::server",
            "server::conn",
            "server::{conn",
            ".serve_connection(",
        ];
        let serves = move |line: &str| signs.iter().any(|sign| line.contains(sign));
        let lines = lines.filter(move |(line, _)| serves(line));
        lines.map(|(line, number)| format!("{}:{number}: {line}", file.path))
    });
    none("only host/api serves HTTP", lines.collect());
}

#[test]
fn only_its_driver_depends_on_a_technology() {
    let mut offenders = Vec::new();
    for Technology { name, home } in REPOSITORY.products() {
        let may = |package: &Package| {
            let folder = package.path.trim_end_matches("Cargo.toml");
            home.starts_with(&format!("{folder}src"))
                || package.path.starts_with("tests/bench/")
                || package.path.starts_with("sample-guests/")
        };
        offenders.extend(strangers(|dependency| dependency == name, may));
    }
    for (client, homes) in CLIENTS {
        let driver = |package: &Package| package.path.starts_with("host/drivers/");
        let may = |package: &Package| homes.contains(&package.name.as_str()) || !driver(package);
        offenders.extend(strangers(|dependency| dependency == *client, may));
    }
    none(
        "only a driver's crate knows its client, and some of tests/bench and sample-guests",
        offenders,
    );
}

/// A driver that needs a client is a crate of its own.
#[test]
fn embedded_drivers_know_no_client() {
    let is = |name: &str| NETWORK.contains(&name) || CLIENTS.iter().any(|(own, _)| *own == name);
    let may = |package: &Package| package.name != EMBEDDED;
    assert!(packages().any(|package| package.name == EMBEDDED));
    none(
        "host/drivers/embedded speaks over no network",
        strangers(is, may),
    );
}

/// A build with fewer drivers compiles, too: what is in each of them names no crate that a feature brings.
#[test]
fn optional_crates_stay_in_the_folders_of_their_features() {
    let street = "host/drivers/embedded/";
    let mut manifests = REPOSITORY.ending("Cargo.toml");
    let manifest = manifests.find(|file| file.path == format!("{street}Cargo.toml"));
    let lines = manifest
        .expect("the manifest of the embedded drivers")
        .text
        .lines();
    let features: Vec<(&str, Vec<String>)> = lines
        .filter_map(|line| line.split_once(" = ["))
        .filter(|(_, value)| value.contains("dep:"))
        .map(|(feature, value)| {
            let names = value
                .split('"')
                .filter_map(|part| part.strip_prefix("dep:"));
            let paths = names.map(|name| format!("{}::", name.replace('-', "_")));
            (feature, paths.collect())
        })
        .collect();
    assert!(!features.is_empty());
    let mut offenders = Vec::new();
    for file in REPOSITORY.product() {
        let Some(place) = file.path.strip_prefix(&format!("{street}src/")) else {
            continue;
        };
        let is_home = |feature: &str| {
            let rest = place.strip_prefix(feature);
            rest.is_some_and(|rest| rest.starts_with(['/', '.']))
        };
        let has = |path: &String| {
            features
                .iter()
                .any(|(own, all)| is_home(own) && all.contains(path))
        };
        let all = features.iter().flat_map(|(_, paths)| paths);
        let strange: Vec<&str> = all.filter(|path| !has(path)).map(String::as_str).collect();
        if place != "lib.rs" {
            offenders.extend(file.places_of(&strange));
        }
    }
    none(
        "a crate that is optional is used only by the drivers whose feature brings it",
        offenders,
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
