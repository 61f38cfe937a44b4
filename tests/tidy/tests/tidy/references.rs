//! A reference beside the code lists what the code has, and nothing else.

use crate::REPOSITORY;
use std::{collections::BTreeSet, fs};
use tidy::{command::Arguments, none};

const COMMAND: &str = "host/cli/README.md";

fn text(path: &str) -> &'static str {
    let file = REPOSITORY.files.iter().find(|file| file.path == path);
    file.map_or("", |file| file.text.as_str())
}

/// The part of the command's reference that is rendered, as the code has it now.
fn command() -> String {
    let files = REPOSITORY.rust();
    Arguments::read(files.filter(|file| file.is_in("host/cli/src/args/"))).markdown()
}

/// The text before the rendered part, and that part.
fn reference() -> (&'static str, &'static str) {
    let text = text(COMMAND);
    text.split_at(
        text.find("### Options of every command")
            .unwrap_or(text.len()),
    )
}

#[test]
fn the_reference_of_the_command_is_what_its_arguments_say() {
    let (expected, (_, found)) = (command(), reference());
    let lost = expected.lines().filter(|line| !found.contains(line));
    let gone = found.lines().filter(|line| !expected.contains(line));
    let missing = lost.map(|line| format!("missing: {line}"));
    let offenders: Vec<_> = missing
        .chain(gone.map(|line| format!("not in the code: {line}")))
        .collect();
    let rule = format!("`cargo test -p tidy -- --ignored` writes the reference in {COMMAND} anew");
    none(&rule, offenders);
    assert_eq!(found, expected, "{rule}");
}

#[test]
#[ignore = "writes the reference of the command anew"]
fn write_the_reference_of_the_command() {
    let text = reference().0.to_owned() + &command();
    fs::write(REPOSITORY.top.join(COMMAND), text).expect("the file can be written");
}

const DRIVERS: &str = "host/drivers/README.md";

/// The rows of the tables in a text, without their heads, each with its cells.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<_> = text.lines().collect();
    let is_head = |index: usize| {
        lines
            .get(index + 1)
            .is_some_and(|next| next.starts_with("|---"))
    };
    let rows = lines.iter().enumerate();
    let rows = rows.filter(|(index, line)| line.starts_with("| ") && !is_head(*index));
    rows.map(|(_, line)| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// The words in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The sections of the reference of drivers, each with its heading.
fn sections() -> Vec<(&'static str, &'static str)> {
    let sections = text(DRIVERS).split("\n### ").skip(1);
    let sections = sections.map(|section| section.split("\n## ").next().unwrap_or_default());
    sections
        .filter_map(|section| section.split_once('\n'))
        .collect()
}

#[test]
fn every_type_of_component_has_its_section_and_no_other_has_one() {
    let drivers = REPOSITORY
        .drivers()
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(
        !drivers.is_empty(),
        "no driver was found below host/drivers"
    );
    let types: BTreeSet<_> = drivers.iter().map(|driver| driver.kind.clone()).collect();
    let sections = sections();
    let headed = sections.iter().flat_map(|(heading, _)| quoted(heading));
    let headed = headed.filter(|kind| !kind.ends_with(".wasm"));
    let headed: BTreeSet<_> = headed.map(str::to_owned).collect();
    let odd = types.symmetric_difference(&headed).cloned().collect();
    none(
        &format!("{DRIVERS} has a section for each type that is registered"),
        odd,
    );
}

#[test]
fn every_section_of_a_type_lists_the_settings_that_it_reads() {
    let drivers = REPOSITORY
        .drivers()
        .unwrap_or_else(|error| panic!("{error}"));
    let mut offenders = Vec::new();
    for (heading, section) in sections() {
        let rows = rows(section);
        let listed: BTreeSet<_> = rows.iter().flat_map(|row| quoted(row[0])).collect();
        for driver in drivers
            .iter()
            .filter(|driver| quoted(heading).any(|kind| kind == driver.kind))
        {
            let read: BTreeSet<_> = driver
                .settings
                .iter()
                .map(|setting| setting.key.as_str())
                .collect();
            let odd = read.symmetric_difference(&listed);
            offenders.extend(odd.map(|key| format!("`{}`: `{key}`", driver.kind)));
            for (setting, default) in driver
                .settings
                .iter()
                .filter_map(|s| Some((s, s.default.as_ref()?)))
            {
                let mut rows = rows
                    .iter()
                    .filter(|row| quoted(row[0]).any(|key| key == setting.key));
                if !rows.any(|row| row[1].contains(default.as_str())) {
                    offenders.push(format!(
                        "`{}`: the default of `{}` is {default}",
                        driver.kind, setting.key
                    ));
                }
            }
        }
    }
    none(
        &format!("{DRIVERS} and the settings of a driver agree"),
        offenders,
    );
}

#[test]
fn the_section_of_plugins_lists_the_settings_of_every_plugin() {
    let code: String = text("host/runtime/src/plugin/settings.rs")
        .split_whitespace()
        .collect();
    let names = |open| {
        code.split(open)
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
    };
    let read: BTreeSet<_> = names("(component,\"").chain(names(".take(\"")).collect();
    let sections = sections();
    let plugins = sections
        .iter()
        .filter(|(heading, _)| heading.contains(".wasm`"));
    let rows: Vec<_> = plugins.flat_map(|(_, section)| rows(section)).collect();
    let listed: BTreeSet<_> = rows.iter().flat_map(|row| quoted(row[0])).collect();
    assert_eq!(
        listed, read,
        "{DRIVERS} and what the host reads of a plugin's metadata"
    );
}

#[test]
fn the_commands_of_the_socket_are_those_of_its_page() {
    let (_, after) = text("host/api/src/admin/wire.rs")
        .split_once("const COMMANDS")
        .expect("the list is there");
    let list = after.split("];\n").next().unwrap_or_default();
    let quotes = list.split('"').skip(1).step_by(2);
    let (_, page) = text("host/api/README.md")
        .split_once("\n## Commands")
        .expect("the heading is there");
    let rows = rows(page);
    let listed: Vec<_> = rows
        .iter()
        .flatten()
        .flat_map(|cell| quoted(cell))
        .collect();
    assert_eq!(listed, quotes.collect::<Vec<_>>(), "host/api/README.md");
}

#[test]
fn the_contract_and_its_page_have_the_same_kinds_of_error() {
    let (_, after) = text("wit/types.wit")
        .split_once("enum error-kind {")
        .expect("the enum is there");
    let cases = after
        .split('}')
        .next()
        .unwrap_or_default()
        .lines()
        .map(str::trim);
    let cases = cases.filter(|line| !line.starts_with("///") && !line.is_empty());
    let expected: Vec<_> = cases.map(|case| case.trim_end_matches(',')).collect();
    let (_, page) = text("wit/README.md")
        .split_once("## Kinds of error")
        .expect("the heading is there");
    let rows = rows(page.split("\n## ").next().unwrap_or_default());
    let listed: Vec<_> = rows
        .iter()
        .filter_map(|row| quoted(row[0]).next())
        .collect();
    assert_eq!(listed, expected, "wit/README.md and wit/types.wit");
}

#[test]
fn the_metrics_are_those_of_their_page() {
    const PAGE: &str = "host/blocks/README.md";
    let files = REPOSITORY.rust().filter(|file| file.is_in("host/"));
    let files = files.filter(|file| !file.path.ends_with("/tests.rs"));
    let made = files.flat_map(|file| file.text.split("Family::").skip(1));
    let name = |made: &'static str| {
        let (kind, rest) = made.split_once('(')?;
        let is_kind = ["counter", "gauge", "histogram"].contains(&kind);
        let name = rest.trim_start().strip_prefix('"')?.split('"').next()?;
        (is_kind && name.starts_with("wythe_")).then_some(name)
    };
    let names: BTreeSet<_> = made.filter_map(name).collect();
    assert!(names.contains("wythe_calls_total"), "{names:?}");
    let (_, page) = text(PAGE)
        .split_once("\n# What is measured")
        .expect("the heading is there");
    let rows = rows(page.split("\n## ").next().unwrap_or_default());
    let listed: BTreeSet<_> = rows.iter().flat_map(|row| quoted(row[0])).collect();
    assert_eq!(listed, names, "{PAGE}");
}
