//! Settings as the configuration type of a driver.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{component, resources};
use crate::{ByteSize, Component, Duration, Metadata, Name, Secret, Value, decode};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Config {
    redis_host: String,
    size: u16,
    #[serde(default)]
    timeout: Option<Duration>,
    #[serde(default)]
    memory: ByteSize,
    #[serde(default)]
    flag: bool,
    password: Option<Secret>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    ratio: f64,
    owner: Option<Name>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Mode {
    #[default]
    Single,
    Cluster,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing;

#[track_caller]
fn wrong(component: &Component, expected: &str) {
    let problems = decode::<Config>(component).expect_err("a mistake");
    assert_eq!(problems.to_string(), expected.trim());
}

#[test]
fn every_type() {
    let config: Config = decode(&component(
        "
    - { name: REDISHOST, value: 'localhost:6379' }
    - { name: size, value: 500 }
    - { name: timeout, value: 1m30s }
    - { name: memory, value: 4Mi }
    - { name: flag, value: Yes }
    - { name: password, value: hunter2 }
    - { name: hosts, value: 'a, b,c' }
    - { name: mode, value: cluster }
    - { name: ratio, value: 0.5 }
    - { name: owner, value: cart }
",
    ))
    .expect("a configuration");
    assert_eq!(
        (config.redis_host.as_str(), config.size, config.ratio),
        ("localhost:6379", 500, 0.5)
    );
    assert_eq!(config.timeout.map(|time| time.0.as_secs()), Some(90));
    assert_eq!(
        (config.memory.0, config.flag, config.mode),
        (4 << 20, true, Mode::Cluster)
    );
    assert_eq!(
        config.password.as_ref().map(Secret::reveal),
        Some("hunter2")
    );
    assert_eq!(config.hosts, ["a", "b", "c"]);
    assert_eq!(config.owner.as_ref().map(Name::as_str), Some("cart"));
}

#[test]
fn defaults_and_maps() {
    let small = component("    - { name: redisHost, value: a }\n    - { name: size, value: 1 }\n");
    let config: Config = decode(&small).expect("a configuration");
    assert!(config.timeout.is_none() && config.password.is_none() && config.mode == Mode::Single);
    let map: BTreeMap<String, String> = decode(&small).expect("a map");
    assert_eq!(map["redisHost"], "a");
}

#[test]
fn all_mistakes_at_once() {
    wrong(
        &component(
            "
    - { name: redisHst, value: a }
    - { name: size, value: 70000 }
    - { name: timeout, value: 5 }
    - { name: memory, value: much }
    - { name: flag, value: perhaps }
    - { name: mode, value: sentinel }
    - { name: ratio, value: half }
    - { name: owner, value: Me }
    - { name: banana, value: 1 }
",
        ),
        "
resources/a.yaml:1:1: spec.metadata: missing `redisHost`: `state.test` needs it
resources/a.yaml:8:32: spec.metadata.redisHst: unknown setting; expected one of `redisHost`, `size`, `timeout`, `memory`, `flag`, `password`, `hosts`, `mode`, `ratio`, `owner`; did you mean `redisHost`?
resources/a.yaml:9:28: spec.metadata.size: expected a whole number from 0 to 65535, found `70000`
resources/a.yaml:10:31: spec.metadata.timeout: expected a duration such as `30s`, `250ms` or `1h30m`, found `5`
resources/a.yaml:11:30: spec.metadata.memory: expected a size such as `64MiB`, `512k` or a number of bytes, found `much`
resources/a.yaml:12:28: spec.metadata.flag: expected `true` or `false`, found `perhaps`
resources/a.yaml:13:28: spec.metadata.mode: expected one of `single`, `cluster`, found `sentinel`
resources/a.yaml:14:29: spec.metadata.ratio: expected a number, found `half`
resources/a.yaml:15:29: spec.metadata.owner: `Me` is not a name: only lower case letters, digits and `-` are allowed
resources/a.yaml:16:30: spec.metadata.banana: unknown setting; expected one of `redisHost`, `size`, `timeout`, `memory`, `flag`, `password`, `hosts`, `mode`, `ratio`, `owner`",
    );
}

#[test]
fn all_that_is_missing() {
    let expected = "
resources/a.yaml:1:1: spec.metadata: missing `redisHost`: `state.test` needs it
resources/a.yaml:1:1: spec.metadata: missing `size`: `state.test` needs it";
    wrong(&component("    []\n"), expected);
}

#[test]
fn keys_of_the_block_are_taken_first() {
    let mut component = component("    - { name: keyPrefix, value: none }\n");
    let expected =
        "resources/a.yaml:7:33: spec.metadata.keyPrefix: unknown setting; this driver has none";
    assert_eq!(
        decode::<Nothing>(&component)
            .expect_err("a mistake")
            .to_string(),
        expected
    );
    assert_eq!(
        component
            .metadata
            .take("KEYPREFIX")
            .as_ref()
            .map(Value::reveal),
        Some("none")
    );
    decode::<Nothing>(&component).expect("no settings are left");
}

#[test]
fn secrets_are_not_quoted() {
    let mut text = component("    - { name: redisHost, value: a }\n");
    let hidden = || Value::Secret(Secret::new("hunter_2"));
    let settings = ["size", "owner", "mode"].map(|name| (name.to_owned(), hidden()));
    text.metadata = settings
        .into_iter()
        .chain([("redisHost".to_owned(), hidden())])
        .collect::<Metadata>();
    wrong(
        &text,
        "
resources/a.yaml: spec.metadata.size: expected a whole number, found a secret
resources/a.yaml: spec.metadata.owner: the secret is not of the form that the driver expects
resources/a.yaml: spec.metadata.mode: expected one of `single`, `cluster`, found a secret",
    );
}

#[test]
fn unresolved_references_are_told_once() {
    let text = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: a }\nspec:\n  type: state.test\n  metadata:\n    - { name: redisHost, envRef: NOBODY }\n    - { name: size, value: x }\n";
    wrong(
        &resources(text).components[0],
        "
resources/a.yaml:7:34: spec.metadata.redisHost: the value could not be looked up
resources/a.yaml:8:28: spec.metadata.size: expected a whole number, found `x`",
    );
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "Range")]
struct Checked;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    least: u64,
    max: u64,
}

impl TryFrom<Range> for Checked {
    type Error = String;

    fn try_from(range: Range) -> Result<Self, String> {
        if range.least <= range.max {
            Ok(Self)
        } else {
            Err("`least` is above `max`".to_owned())
        }
    }
}

/// The made-up `max` is zero, of which the user is told nothing.
#[test]
fn checks_of_the_whole() {
    let reported = |settings: &str| {
        decode::<Checked>(&component(settings))
            .expect_err("a mistake")
            .to_string()
    };
    let both = "    - { name: least, value: 2 }\n    - { name: max, value: 1 }\n";
    assert_eq!(
        reported(both),
        "resources/a.yaml:1:1: spec.metadata: `least` is above `max`"
    );
    let one = "    - { name: least, value: 2 }\n";
    assert_eq!(
        reported(one),
        "resources/a.yaml:1:1: spec.metadata: missing `max`: `state.test` needs it"
    );
}

#[derive(Debug)]
struct Stubborn;

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::missing_field("never"))
    }
}

#[test]
fn reading_ends() {
    let problems = decode::<Stubborn>(&component("    []\n"))
        .expect_err("a mistake")
        .to_string();
    assert_eq!(
        problems,
        "resources/a.yaml:1:1: spec.metadata: missing `never`: `state.test` needs it"
    );
}
