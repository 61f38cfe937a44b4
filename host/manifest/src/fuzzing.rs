//! The texts that are read here, as targets of the fuzzer in `tests/fuzz`: no text may panic, and what can be written is
//! read back as it was.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;

use crate::terms::parse_host_file;
use crate::{
    ByteSize, ComponentName, Duration, Expression, HostPattern, Name, Problems, Secret, decode,
    mistakes, parse_manifest, parse_resources,
};

/// Settings of every form that a driver may ask for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    path: String,
    count: u64,
    small: Option<i8>,
    share: Option<f64>,
    wait: Option<Duration>,
    size: Option<ByteSize>,
    #[serde(default)]
    strict: bool,
    letter: Option<char>,
    #[serde(default)]
    names: Vec<Name>,
    mode: Option<Mode>,
    secret: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    First,
    InOrder,
}

impl Settings {
    fn bytes(&self) -> usize {
        let words = self.names.iter().map(|name| name.as_str().len());
        let mode = match self.mode {
            Some(Mode::First) => 1,
            Some(Mode::InOrder) => 2,
            None => 0,
        };
        let numbers = [
            self.count.to_string().len(),
            self.small.map_or(0, |small| small.to_string().len()),
            self.share.map_or(0, |share| share.to_string().len()),
            self.wait.map_or(0, |wait| wait.to_string().len()),
            self.size.map_or(0, |size| size.to_string().len()),
            self.letter.map_or(0, char::len_utf8),
            usize::from(self.strict),
        ];
        let secret = self.secret.as_ref().map_or(0, |one| one.reveal().len());
        let numbers: usize = numbers.iter().sum();
        self.path.len() + words.sum::<usize>() + numbers + secret + mode
    }
}

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// Writes every problem, as the command does.
fn show(problems: &Problems) {
    let shown = problems.iter().map(ToString::to_string);
    drop(shown.collect::<Vec<_>>());
}

/// `wythe.yaml`.
pub fn manifest(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let (manifest, problems) = parse_manifest(text, Path::new("/nowhere/wythe.yaml"));
    show(&problems);
    if let Some(manifest) = manifest {
        for app in &manifest.apps {
            app.grants.http("https", "api.example.com", 443);
            app.grants.publish("pubsub", "orders.new");
        }
    }
}

/// A file of resources, and the settings in it.
pub fn resources(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let (mut resources, problems) = parse_resources(text, Path::new("/nowhere/a.yaml"));
    show(&problems);
    show(&resources.resolve(&|name| (name.len() % 2 == 0).then(|| name.to_owned())));
    for component in &resources.components {
        show(&mistakes::<Settings>(component));
        show(&mistakes::<BTreeMap<String, String>>(component));
        match decode::<Settings>(component) {
            Ok(settings) => assert!(settings.bytes() < usize::MAX),
            Err(problems) => show(&problems),
        }
    }
}

/// `wythe-host.yaml`.
pub fn host_file(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let (file, problems) = parse_host_file(text, Path::new("/nowhere/wythe-host.yaml"));
    show(&problems);
    show(&file.problems());
    for tenant in ["shop", "a"] {
        let tenant = tenant.parse().expect("a name");
        show(&file.problems_of(&tenant));
        let terms = file.terms(&tenant);
        terms.allows_type("state", "in-memory", false);
        terms.allows_variable("HOME");
        assert!(terms.leaves_open(&terms) && terms.has_same_keys(&terms));
    }
}

/// The file of a signature, which no text is without the secret key.
pub fn signature(data: &[u8]) {
    const FILE: &str = "apiVersion: wythe/v1\nkind: Tenant\nspec:\n  signingKeys: [RWRw4l/h70PvgIWnrgadAVQom7DTq7M1OBlDEGuU/y1eJz7hTFiAl3a7]\n";
    let (file, _) = parse_host_file(FILE, Path::new("/nowhere/wythe-host.yaml"));
    let terms = file.terms(&"shop".parse().expect("a name"));
    let keys = terms.signing_keys.expect("a key");
    let refused = keys
        .check(b"bytes", data)
        .expect_err("another text was signed");
    assert!(!refused.to_string().contains(char::is_control));
}

/// Patterns of hosts, one a line. What a pattern covers, it grants.
pub fn host_pattern(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let lines: Vec<&str> = text.lines().take(8).collect();
    let patterns = lines.iter().filter_map(|line| read_back(line));
    let patterns: Vec<HostPattern> = patterns.collect();
    for wide in &patterns {
        assert!(wide.covers(wide), "{wide} covers itself");
        for narrow in patterns.iter().filter(|narrow| wide.covers(narrow)) {
            for host in lines.iter().chain(&["a.example.com", "127.0.0.1"]) {
                for (scheme, port) in [("http", 80), ("https", 443), ("http", 8080)] {
                    let (by_narrow, by_wide) = (
                        narrow.matches(scheme, host, port),
                        wide.matches(scheme, host, port),
                    );
                    assert!(!by_narrow || by_wide, "{wide} {narrow} {scheme} {host}");
                }
            }
        }
    }
}

/// Amounts and names.
pub fn quantity(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    read_back::<Duration>(text);
    read_back::<ByteSize>(text);
    read_back::<Name>(text);
    read_back::<ComponentName>(text);
    Name::sanitised(text);
}

/// Reads a value, which is the same once it was written and read again.
fn read_back<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    let again = value.to_string().parse().ok();
    assert_eq!(again.as_ref(), Some(&value), "{value}");
    again
}

/// Conditions over events.
pub fn expression(data: &[u8]) {
    if let Some(text) = text(data) {
        let checked = Expression::check(text);
        assert!(checked.is_ok() || !Expression::shown(text).contains(char::is_control));
    }
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn seeds_are_read() {
    replay::replay(&[
        ("expression", expression),
        ("host_file", host_file),
        ("host_pattern", host_pattern),
        ("manifest", manifest),
        ("quantity", quantity),
        ("resources", resources),
        ("signature", signature),
    ]);
}
