//! The files that the binary carries for people who have nothing else: the contract, the guest SDK, and the templates.

/// A file by its path below the directory that it is written to.
pub type File = (&'static str, &'static str);

/// The contract, as in `wit/`.
pub const WIT: &[File] = &[
    ("actors.wit", include_str!("../../../wit/actors.wit")),
    ("bindings.wit", include_str!("../../../wit/bindings.wit")),
    (
        "configuration.wit",
        include_str!("../../../wit/configuration.wit"),
    ),
    ("crypto.wit", include_str!("../../../wit/crypto.wit")),
    (
        "invocation.wit",
        include_str!("../../../wit/invocation.wit"),
    ),
    ("jobs.wit", include_str!("../../../wit/jobs.wit")),
    ("lock.wit", include_str!("../../../wit/lock.wit")),
    ("logging.wit", include_str!("../../../wit/logging.wit")),
    (
        "plugin/plugin.wit",
        include_str!("../../../wit/plugin/plugin.wit"),
    ),
    ("pubsub.wit", include_str!("../../../wit/pubsub.wit")),
    ("secrets.wit", include_str!("../../../wit/secrets.wit")),
    ("state.wit", include_str!("../../../wit/state.wit")),
    ("types.wit", include_str!("../../../wit/types.wit")),
    ("workflow.wit", include_str!("../../../wit/workflow.wit")),
    ("world.wit", include_str!("../../../wit/world.wit")),
];

macro_rules! sdk {
    ($($path:literal),* $(,)?) => {
        /// The guest SDK's sources, as in `guest-sdk/src/`.
        pub const SDK: &[File] = &[$(($path, include_str!(concat!("../../../guest-sdk/src/", $path)))),*];
    };
}

sdk![
    "actors.rs",
    "actors/dispatch.rs",
    "bindings.rs",
    "configuration.rs",
    "contract.rs",
    "crypto.rs",
    "error.rs",
    "http.rs",
    "http/body.rs",
    "http/headers.rs",
    "http/query.rs",
    "http/request.rs",
    "http/response.rs",
    "http/send.rs",
    "invocation.rs",
    "jobs.rs",
    "lib.rs",
    "lock.rs",
    "logging.rs",
    "plugin.rs",
    "plugin/bindings.rs",
    "plugin/crypto.rs",
    "plugin/jobs.rs",
    "plugin/lock.rs",
    "plugin/configuration.rs",
    "plugin/secrets.rs",
    "pubsub.rs",
    "secrets.rs",
    "state.rs",
    "workflow.rs",
    "workflow/activity.rs",
    "workflow/code.rs",
    "workflow/context.rs",
];

/// The SDK's manifest without the workspace that it inherits from in this repository.
pub const SDK_MANIFEST: &str = include_str!("templates/sdk.toml");

macro_rules! template {
    ($name:ident, $directory:literal: $($path:literal),* $(,)?) => {
        /// A template: in it, `{{name}}` is the project's name and `{{crate}}` the same as Rust spells it.
        pub const $name: &[File] =
            &[$(($path, include_str!(concat!("templates/", $directory, "/", $path)))),*];
    };
}

template!(HELLO, "hello": "Cargo.toml.txt", "README.md", "src/lib.rs", "wythe.yaml");
template!(SUBSCRIBER, "subscriber": "Cargo.toml.txt", "README.md", "src/lib.rs", "wythe.yaml");
template!(
    PLUGIN, "plugin":
    "Cargo.toml.txt",
    "README.md",
    "app/Cargo.toml.txt",
    "app/src/lib.rs",
    "driver/Cargo.toml.txt",
    "driver/src/lib.rs",
    "resources/statestore.yaml",
    "wythe.yaml",
);

/// The version of wasmtime, read where cargo wrote it down, as only the runtime names wasmtime.
pub fn wasmtime_version() -> &'static str {
    let lock = include_str!("../../../Cargo.lock");
    let package = lock.split("name = \"wasmtime\"\nversion = \"").nth(1);
    package
        .and_then(|rest| rest.split('"').next())
        .unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    fn below(directory: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(directory).expect("the directory is there") {
            let entry = entry.expect("it can be read");
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                below(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }

    #[track_caller]
    fn check(files: &[File], directory: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        let mut found = BTreeSet::new();
        below(&root, "", &mut found);
        let listed: BTreeSet<String> = files.iter().map(|file| file.0.to_owned()).collect();
        assert_eq!(
            listed, found,
            "list the files of {directory} in embedded.rs"
        );
    }

    #[test]
    fn every_file_is_embedded() {
        // Its README is for readers of the repository.
        check(&[WIT, &[("README.md", "")]].concat(), "../../wit");
        check(SDK, "../../guest-sdk/src");
        check(HELLO, "src/templates/hello");
        check(SUBSCRIBER, "src/templates/subscriber");
        check(PLUGIN, "src/templates/plugin");
    }

    #[test]
    fn the_embedded_sdk_depends_on_what_the_sdk_depends_on() {
        let own = include_str!("../../../guest-sdk/Cargo.toml");
        let root = include_str!("../../../Cargo.toml");
        let inherited = own
            .lines()
            .filter_map(|line| line.strip_suffix(".workspace = true"));
        let (_, dependencies) = own.split_once("[dependencies]").expect("it has some");
        for name in inherited.filter(|name| dependencies.contains(&format!("{name}.workspace"))) {
            let wanted = format!("{name} = ");
            let line = root.lines().find(|line| line.starts_with(&wanted));
            let line = line.expect("the workspace has the dependency");
            assert!(
                SDK_MANIFEST.contains(line),
                "templates/sdk.toml lacks {line}"
            );
        }
    }

    #[test]
    fn the_version_of_wasmtime_is_known() {
        assert!(
            wasmtime_version().starts_with("48."),
            "{}",
            wasmtime_version()
        );
    }
}
