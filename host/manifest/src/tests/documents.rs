//! The README beside this crate says what the crate does: keys, defaults and ranges.

use std::collections::BTreeSet;

use super::manifest;
use crate::{App, GRANTS, Grant, Limits, Reuse, limits, parse_manifest};

const README: &str = include_str!("../../README.md");

/// The cells of the table below a heading, without its head; a row of several keys is one row for each.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, after) = README
        .split_once(&format!("## {heading}\n"))
        .expect("the heading is there");
    let section = after.split("\n## ").next().unwrap_or_default();
    let lines = section.lines().skip_while(|line| !line.starts_with("|---"));
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    let rows = rows.flat_map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let keys = cells[0].split('`').skip(1).step_by(2);
        let row = |key| {
            [key]
                .into_iter()
                .chain(cells[1..].iter().copied())
                .collect()
        };
        keys.map(row).collect::<Vec<_>>()
    });
    rows.collect()
}

fn keys(table: &[Vec<&'static str>]) -> BTreeSet<&'static str> {
    table.iter().map(|row| row[0]).collect()
}

/// A value of a table as a manifest has it.
fn plain(text: &str) -> String {
    text.replace([' ', ','], "")
}

fn text(part: &str, key: &str, value: &str) -> String {
    format!(
        "version: 1\nname: a\napps: [{{ appID: a, guest: a.wasm, {part}: {{ {key}: {value} }} }}]\n"
    )
}

fn app(part: &str, key: &str, value: &str) -> App {
    manifest(&text(part, key, &plain(value))).apps.remove(0)
}

#[track_caller]
fn is_refused(part: &str, key: &str, value: &str) {
    let (_, problems) = parse_manifest(&text(part, key, value), "wythe.yaml".as_ref());
    assert!(problems.has_errors(), "`{key}: {value}` is accepted");
}

/// Checks that both ends are accepted, and what is a little beyond them is not.
#[track_caller]
fn is_range(part: &str, key: &str, range: &str) {
    let (least, max) = range.split_once(" to ").expect("a range");
    app(part, key, least);
    app(part, key, max);
    let amount = |text: &str| {
        plain(text)
            .trim_end_matches(char::is_alphabetic)
            .parse::<u64>()
    };
    let unit = |text: &str| {
        plain(text)
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .to_owned()
    };
    if let Ok(less @ 1..) = amount(least) {
        is_refused(part, key, &format!("{}{}", less - 1, unit(least)));
    }
    let more = amount(max).expect("a number") + 1;
    // Numbers beyond 32 bits are read as the largest one.
    if more <= u64::from(u32::MAX) {
        is_refused(part, key, &format!("{more}{}", unit(max)));
    }
}

#[test]
fn every_limit_has_its_default_and_its_range() {
    let table = table("Limits");
    assert_eq!(keys(&table), limits::LIMITS.into_iter().collect());
    for row in &table {
        let [key, default, range, _] = row[..] else {
            panic!("four cells in {row:?}");
        };
        assert_eq!(
            app("limits", key, default).limits,
            Limits::default(),
            "the default of `{key}`"
        );
        is_range("limits", key, range);
    }
}

#[test]
fn reuse_has_its_defaults_and_ranges() {
    let table = table("Instances");
    let known = ["idle", "maxConcurrent", "maxRequests"];
    assert_eq!(keys(&table), known.into_iter().collect());
    for row in &table {
        let [key, default, range, _] = row[..] else {
            panic!("four cells in {row:?}");
        };
        assert_eq!(
            app("reuse", key, default).reuse,
            Reuse::default(),
            "the default of `{key}`"
        );
        // Its largest value needs another `maxRequests`.
        if key != "maxConcurrent" {
            is_range("reuse", key, range);
        }
    }
}

#[test]
fn the_grants_are_those_of_the_code() {
    let row = |grant: &Grant| format!("| `{}` | {} | {} |\n", grant.key, grant.allows, grant.form);
    let rows: String = GRANTS.iter().map(row).collect();
    let (_, after) = README
        .split_once("## Grants\n")
        .expect("the heading is there");
    let (_, after) = after.split_once("|---|---|---|\n").expect("a table");
    let (table, _) = after.split_once("\n\n").expect("its end");
    assert_eq!(format!("{table}\n"), rows, "the README of the manifest");
}

#[test]
fn every_key_of_an_app_has_its_row() {
    let known = crate::app::KEYS.into_iter().collect();
    assert_eq!(keys(&table("Keys of an app")), known);
}
