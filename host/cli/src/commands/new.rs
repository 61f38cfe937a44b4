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
const TAKEN: [&str; 6] = ["alloc", "core", "proc-macro", "std", "test", "wythe-sdk"];

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
    if TAKEN.contains(&name.as_str()) {
        return Err(Problem::new(format!("`{name}` is the name of another crate")).into());
    }
    Ok(name)
}

fn refuse_existing(directory: &Path) -> Outcome<()> {
    let shown = directory.display();
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
        check("std", Err("`std` is the name of another crate"));
        check(
            "My_Shop",
            Err(
                "`My_Shop` is not a name: only lower case letters, digits and `-` are allowed; \
                 the directory's name is the project's",
            ),
        );
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
