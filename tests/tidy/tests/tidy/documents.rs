//! The documents: what they say of the repository is there.

use crate::REPOSITORY;
use tidy::{File, none};

/// The beginnings of a path in a document, when it means a file of the repository.
const ROOTS: [&str; 7] = [
    ".cargo/",
    ".ci/",
    "guest-sdk/",
    "host/",
    "sample-guests/",
    "tests/",
    "wit/",
];

fn documents() -> impl Iterator<Item = &'static File> {
    REPOSITORY.ending(".md")
}

/// The texts between `open` and the next `close`, each with the number of its line.
fn between<'a>(file: &'a File, open: &'a str, close: char) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (line, number) in file.text.lines().zip(1..) {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once(open) {
            let Some((inside, next)) = after.split_once(close) else {
                break;
            };
            found.push((number, inside));
            rest = next;
        }
    }
    found
}

/// The names by which a link reaches a document's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let names = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let names = names.map(|name| name.replace(' ', "-"));
    names
        .map(|name| {
            name.chars()
                .filter(|c| c.is_alphanumeric() || "-_".contains(*c))
                .collect()
        })
        .collect()
}

/// A path without its `.` and `..`.
fn cleaned(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for file in documents() {
        let directory = file.path.rsplit_once('/').map_or("", |(before, _)| before);
        for (number, link) in between(file, "](", ')') {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => file.path.clone(),
                path => cleaned(&format!("{directory}/{path}")),
            };
            let is_heading = || anchors(text(&target)).iter().any(|name| name == anchor);
            if !REPOSITORY.has(&target) || !anchor.is_empty() && !is_heading() {
                broken.push(format!("{}:{number}: {link}", file.path));
            }
        }
    }
    none(
        "a link of a document leads to a file, and to a heading in it",
        broken,
    );
}

/// A path with a placeholder in it, such as `host/drivers/src/<technology>/`, is not looked up.
#[test]
fn paths_in_documents_exist() {
    let mut missing = Vec::new();
    for file in documents() {
        for (number, path) in between(file, "`", '`') {
            let is_path = ROOTS.iter().any(|root| path.starts_with(root));
            let is_plain = !path.contains(['<', '*', '{', ' ', '$', ',']);
            // Built, not kept.
            let is_built = path.contains("/target/");
            if is_path && is_plain && !is_built && !REPOSITORY.has(path) {
                missing.push(format!("{}:{number}: {path}", file.path));
            }
        }
    }
    none("a path that a document names is there", missing);
}

fn text(path: &str) -> &'static str {
    let file = REPOSITORY.files.iter().find(|file| file.path == path);
    file.map_or("", |file| file.text.as_str())
}

#[test]
fn the_changelog_knows_this_version() {
    let mut lines = text("Cargo.toml").lines();
    let version = lines.find_map(|line| line.strip_prefix("version = "));
    let heading = format!("## {}", version.unwrap_or_default().trim_matches('"'));
    assert!(
        text("CHANGELOG.md").contains(&heading),
        "CHANGELOG.md has no `{heading}`"
    );
}

#[test]
fn the_commands_of_the_readme_are_those_that_are_checked() {
    let shown = [
        "cargo run --release -- run sample-guests/shop",
        "cargo test",
    ];
    // In a script, what the command says may go to a file.
    let is = |line: &str, command: &str| {
        let rest = line.trim().strip_prefix(command);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" >"))
    };
    let has = |path, command: &str| text(path).lines().any(|line| is(line, command));
    let missing = shown
        .iter()
        .filter(|command| !has("README.md", command) || !has(".ci/run", command));
    none(
        "README.md shows it and .ci/run runs it",
        missing.map(|command| (*command).to_owned()).collect(),
    );
}

#[test]
fn the_first_component_of_the_readme_is_the_one_that_is_written() {
    let template = "host/cli/src/templates/hello";
    let code = text(&format!("{template}/src/lib.rs")).trim();
    let manifest = text(&format!("{template}/wythe.yaml"));
    let manifest = manifest
        .replace("{{name}}", "hello")
        .replace("{{crate}}", "hello");
    for (kind, block) in [("rust", code), ("yaml", manifest.trim())] {
        let fenced = format!("```{kind}\n{block}\n```");
        assert!(
            text("README.md").contains(&fenced),
            "README.md has another text than {template}:\n{block}"
        );
    }
}
