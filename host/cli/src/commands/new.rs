//! `wythe new`: a project that builds and runs at once, with everything that it needs from this binary.

use crate::{
    args::{Common, Format, New, Template},
    commands::wit::write,
    embedded::{self, File},
    report::{self, Outcome, Problem},
};
use anyhow::Context;
use clap::ValueEnum;
use std::{
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
};
use wythe_manifest::Name;

/// Names of crates that a project of the same name could not depend on or be.
const TAKEN: [&str; 10] = [
    "alloc",
    "core",
    "proc-macro",
    "serde",
    "serde-json",
    "std",
    "test",
    "wasip2",
    "wit-bindgen",
    "wythe-sdk",
];
/// The words of Rust 2024 that are written in lower case, those that are only reserved among them, and the name of a
/// program's own function, which cannot be a library's.
const WORDS: [&str; 52] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "main", "match", "mod", "move", "mut", "override", "priv", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];
/// Names that cargo gives the directories of a build.
const BUILD: [&str; 4] = ["build", "deps", "examples", "incremental"];
/// Files of this name have another meaning where Windows runs, whatever their ending.
const DEVICES: [&str; 22] = [
    "aux", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "con", "lpt1",
    "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9", "nul", "prn",
];

pub fn new(common: &Common, args: &New) -> Outcome {
    let name = name(&args.directory)?;
    refuse_existing(&args.directory)?;
    let template = match args.template {
        Some(template) => template,
        None => choose(args.yes)?,
    };
    let mut files = render(template, &name);
    files.extend(carried());
    for (path, text) in &files {
        write(&args.directory.join(path), text)?;
    }
    match common.output {
        Format::Json => report::print_json(&serde_json::json!({
            "name": name.as_str(),
            "directory": args.directory,
            "files": files.iter().map(|(path, _)| path).collect::<Vec<_>>(),
        })),
        Format::Text => report::note(&next_steps(&args.directory)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The name is that of the project, its app and its crate.
fn name(directory: &Path) -> Outcome<Name> {
    let last = directory.file_name().map(|name| name.to_string_lossy());
    let last = last.unwrap_or_default();
    let name: Name = last
        .parse()
        .map_err(|error| Problem::new(format!("{error}; the directory's name is the project's")))?;
    if !name
        .as_str()
        .starts_with(|first: char| first.is_ascii_lowercase())
    {
        return Err(Problem::new(format!(
            "`{name}` is not a crate's name: it begins with a letter"
        ))
        .into());
    }
    let refusals: [(&[&str], &str); 4] = [
        (&TAKEN, "is the name of another crate"),
        (&WORDS, "is a word of Rust, which no crate can be called"),
        (&BUILD, "is the name of a directory that cargo builds in"),
        (&DEVICES, "is the name of a device on Windows"),
    ];
    let refused = refusals
        .iter()
        .find(|(names, _)| names.contains(&name.as_str()));
    match refused {
        Some((_, why)) => {
            Err(Problem::new(format!("`{name}` {why}; choose another directory")).into())
        }
        None => Ok(name),
    }
}

fn refuse_existing(directory: &Path) -> Outcome<()> {
    let shown = directory.display();
    // A path that ends in `/` or `/.` would be that of what the link leads to.
    let bare: PathBuf = directory.components().collect();
    if bare.is_symlink() {
        return Err(Problem::new(format!(
            "{shown} is a link, and a project is not written through one; name the directory itself"
        ))
        .into());
    }
    match fs::read_dir(directory) {
        Ok(entries) => match entries.count() {
            0 => Ok(()),
            _ => Err(Problem::new(format!("the directory {shown} is not empty")).into()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => {
            Err(Problem::new(format!("{shown} cannot be made into a project: {error}")).into())
        }
    }
}

fn choose(yes: bool) -> Outcome<Template> {
    if yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(Template::Hello);
    }
    let templates = Template::value_variants();
    for (number, template) in (1..).zip(templates) {
        let value = template.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        let name = value.map(|value| value.get_name().to_owned());
        report::note(&format!(
            "  {number}  {:<10}  {help}",
            name.unwrap_or_default()
        ));
    }
    report::note("which template? a number or a name [hello]");
    let mut line = String::new();
    io::stdin().read_line(&mut line).context("no answer")?;
    let answer = line.trim();
    let numbered = answer
        .parse()
        .ok()
        .and_then(|number: usize| templates.get(number.wrapping_sub(1)));
    match (answer, numbered) {
        ("", _) => Ok(Template::Hello),
        (_, Some(template)) => Ok(*template),
        (name, None) => Template::from_str(name, true)
            .map_err(|_| Problem::new(format!("there is no template `{name}`")).into()),
    }
}

fn render(template: Template, name: &Name) -> Vec<(PathBuf, String)> {
    let files = match template {
        Template::Hello => embedded::HELLO,
        Template::Plugin => embedded::PLUGIN,
        Template::Subscriber => embedded::SUBSCRIBER,
    };
    let spelt = name.as_str().replace('-', "_");
    let one = |(path, text): &File| {
        // A file that is named `Cargo.toml` would make its directory in this repository a crate.
        let path = path.strip_suffix(".txt").unwrap_or(path);
        let text = text
            .replace("{{name}}", name.as_str())
            .replace("{{crate}}", &spelt);
        (PathBuf::from(path), text)
    };
    let ignored = (PathBuf::from(".gitignore"), "target/\n.wythe/\n".to_owned());
    files.iter().map(one).chain([ignored]).collect()
}

/// The SDK and the contract. The SDK finds the contract beside itself, as in the repository that it comes from.
fn carried() -> Vec<(PathBuf, String)> {
    let place = |directory: &str, (path, text): &File| {
        let path = Path::new(directory).join(path);
        (path, (*text).to_owned())
    };
    let manifest = place("sdk", &("Cargo.toml", embedded::SDK_MANIFEST));
    let sources = embedded::SDK.iter().map(|file| place("sdk/src", file));
    let contract = embedded::WIT.iter().map(|file| place("wit", file));
    sources.chain(contract).chain([manifest]).collect()
}

fn next_steps(directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "made {directory}\n\n  wythe run {directory}    builds and starts it; add --watch while you write\n\n\
         README.md there says what is what. To build it needs Rust (https://rustup.rs) with the target wasm32-wasip2,\n\
         which `wythe run` adds by itself, and the crates of the SDK, which cargo fetches once."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(directory: &str, expected: Result<&str, &str>) {
        let found = name(Path::new(directory));
        let found = found.map_err(|failure| failure.0[0].message.clone());
        let found = found.as_ref().map(|name| name.as_str());
        assert_eq!(found.map_err(String::as_str), expected);
    }

    #[test]
    fn names_are_those_of_crates_and_apps() {
        check("shop", Ok("shop"));
        check("some/where/my-shop", Ok("my-shop"));
        check(
            "7up",
            Err("`7up` is not a crate's name: it begins with a letter"),
        );
        check(
            "std",
            Err("`std` is the name of another crate; choose another directory"),
        );
        for word in ["crate", "self", "super", "fn", "async", "main", "gen"] {
            let shown = format!(
                "`{word}` is a word of Rust, which no crate can be called; choose another directory"
            );
            check(word, Err(&shown));
        }
        check(
            "some/where/deps",
            Err("`deps` is the name of a directory that cargo builds in; choose another directory"),
        );
        check(
            "nul",
            Err("`nul` is the name of a device on Windows; choose another directory"),
        );
        check("union", Ok("union"));
        check("mains", Ok("mains"));
        check(
            "My_Shop",
            Err(
                "`My_Shop` is not a name: only lower case letters, digits and `-` are allowed; \
                 the directory's name is the project's",
            ),
        );
    }

    #[test]
    fn a_link_is_no_directory_for_a_project() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let dangling = directory.path().join("dangling");
        std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
        for path in [link.join(""), link.join("."), link, dangling] {
            let failure = refuse_existing(&path).unwrap_err();
            let shown = &failure.0[0].message;
            assert!(shown.contains("is a link"), "{shown}");
        }
        assert!(refuse_existing(&real).is_ok());
        // One on the way there is the operator's.
        let beyond = directory.path().join("beyond");
        std::os::unix::fs::symlink(directory.path(), &beyond).unwrap();
        assert!(refuse_existing(&beyond.join("real")).is_ok());
    }

    #[test]
    fn every_template_is_a_good_project() {
        for template in Template::value_variants() {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path().join("my-shop");
            for (path, text) in render(*template, &"my-shop".parse().unwrap()) {
                assert!(!text.contains("{{"), "{}", path.display());
                write(&root.join(path), &text).unwrap();
            }
            let (plan, problems) = crate::boot::plan(&root)
                .map_err(|p| format!("{p:?}"))
                .unwrap();
            assert!(problems.is_empty(), "{problems:?}");
            assert_eq!(plan.manifest.apps.len(), 1);
        }
    }
}
