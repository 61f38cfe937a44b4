//! The interfaces that this host knows, of the contract, of plugins and of WASI: what is imported by which grant, what an
//! app may export, and what drivers there are.

use crate::Exports;

/// An interface in one version.
#[derive(Debug)]
pub struct Interface {
    pub package: &'static str,
    /// The name in its package; an empty one stands for all that the package has.
    pub name: &'static str,
    pub version: &'static str,
    pub direction: Direction,
    /// The key of `grants` without which it is not there, or an export hears of nothing; and an entry as an example.
    pub grant: Option<(&'static str, &'static str)>,
    pub replay: Replay,
}

/// The side that calls.
#[derive(Clone, Copy, Debug)]
pub enum Direction {
    /// A guest calls the host.
    Import,
    /// The host calls an app, and knows by this mark that it may.
    Export(fn(&mut Exports) -> &mut bool),
    /// The host calls any plugin.
    Plugin,
    /// The host calls a plugin which a component of this type names.
    Driver(&'static str),
}

/// The stance on an import of code that is run again over its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It may not: it would not be told the same.
    Refused,
    /// It may, like all guests.
    Allowed,
    /// It may, and no other guest.
    Required,
}

const V0: &str = "0.1.0";
const V2: &str = "0.2.12";
const V3: &str = "0.3.0";

/// Every interface; those that an app exports are in the order in which they are told.
pub const INTERFACES: &[Interface] = &[
    block("types").replayed(Replay::Allowed),
    block("logging").replayed(Replay::Allowed),
    block("state").granted("state", "statestore"),
    block("pubsub").granted("publish", "pubsub"),
    block("invocation").granted("invoke", "\"*\""),
    block("secrets").granted("secrets", "STORE/SECRET"),
    block("reveal").granted("reveal", "STORE/SECRET"),
    block("configuration").granted("configuration", "configuration"),
    block("lock").granted("lock", "lockstore"),
    block("crypto").granted("crypto", "COMPONENT/KEY"),
    block("bindings").granted("bindings", "COMPONENT"),
    block("sealed-bindings").granted("bindings", "COMPONENT"),
    block("jobs").granted("jobs", "\"*\""),
    block("actors").granted("actors", "\"*\""),
    // It is there only inside a turn, which the app's own export has.
    block("actor-context"),
    block("workflow").granted("workflow", "NAME"),
    block("workflow-context").replayed(Replay::Required),
    web("incoming-handler", V2),
    web("handler", V3),
    handler("invocation-handler", |exports| &mut exports.invocation),
    handler("subscriber", |exports| &mut exports.subscriber).granted("subscribe", "pubsub"),
    handler("binding-listener", |exports| &mut exports.binding_listener)
        .granted("listen", "COMPONENT"),
    handler("configuration-listener", |exports| {
        &mut exports.configuration_listener
    }),
    handler("job-runner", |exports| &mut exports.job_runner),
    handler("actor-handler", |exports| &mut exports.actor_handler),
    handler("workflow-handler", |exports| &mut exports.workflow_handler),
    handler("activity-handler", |exports| &mut exports.activity_handler),
    plugin("lifecycle", Direction::Plugin),
    plugin(
        "configuration-driver",
        Direction::Driver("configuration.wasm"),
    ),
    plugin("crypto-driver", Direction::Driver("crypto.wasm")),
    plugin("input-binding-driver", Direction::Driver("bindings.wasm")),
    plugin("jobs-driver", Direction::Driver("jobs.wasm")),
    plugin("lock-driver", Direction::Driver("lock.wasm")),
    plugin("output-binding-driver", Direction::Driver("bindings.wasm")),
    plugin("pubsub-driver", Direction::Driver("pubsub.wasm")),
    plugin("secrets-driver", Direction::Driver("secretstores.wasm")),
    plugin("state-driver", Direction::Driver("state.wasm")),
    wasi("wasi:http", "types", V2),
    wasi("wasi:http", "types", V3),
    wasi("wasi:http", "outgoing-handler", V2).granted("http", "\"api.example.com\""),
    wasi("wasi:http", "client", V3).granted("http", "\"api.example.com\""),
    wasi("wasi:cli", "environment", V2).replayed(Replay::Allowed),
    wasi("wasi:cli", "environment", V3),
    wasi("wasi:cli", "", V2).replayed(Replay::Allowed),
    wasi("wasi:cli", "", V3),
    wasi("wasi:clocks", "monotonic-clock", V2).replayed(Replay::Allowed),
    wasi("wasi:clocks", "monotonic-clock", V3),
    wasi("wasi:clocks", "", V2).replayed(Replay::Allowed),
    wasi("wasi:clocks", "", V3),
    wasi("wasi:filesystem", "types", V2),
    wasi("wasi:filesystem", "types", V3),
    wasi("wasi:filesystem", "", V2),
    wasi("wasi:filesystem", "", V3),
    wasi("wasi:io", "streams", V2).replayed(Replay::Allowed),
    wasi("wasi:io", "", V2).replayed(Replay::Allowed),
    wasi("wasi:io", "", V3),
    wasi("wasi:random", "random", V2).replayed(Replay::Allowed),
    wasi("wasi:random", "random", V3),
    wasi("wasi:random", "", V2).replayed(Replay::Allowed),
    wasi("wasi:random", "", V3),
    wasi("wasi:sockets", "", V2),
    wasi("wasi:sockets", "", V3),
];

const fn wasi(package: &'static str, name: &'static str, version: &'static str) -> Interface {
    Interface {
        package,
        name,
        version,
        direction: Direction::Import,
        grant: None,
        replay: Replay::Refused,
    }
}

const fn block(name: &'static str) -> Interface {
    wasi("wythe:blocks", name, V0)
}

const fn handler(name: &'static str, mark: fn(&mut Exports) -> &mut bool) -> Interface {
    block(name).towards(Direction::Export(mark))
}

const fn web(name: &'static str, version: &'static str) -> Interface {
    wasi("wasi:http", name, version).towards(Direction::Export(|exports| &mut exports.http))
}

const fn plugin(name: &'static str, direction: Direction) -> Interface {
    wasi("wythe:plugin", name, V0).towards(direction)
}

impl Interface {
    const fn towards(self, direction: Direction) -> Self {
        Interface { direction, ..self }
    }

    const fn granted(self, key: &'static str, example: &'static str) -> Self {
        let grant = Some((key, example));
        Interface { grant, ..self }
    }

    const fn replayed(self, replay: Replay) -> Self {
        Interface { replay, ..self }
    }

    /// The name with its package.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.package, self.name)
    }

    pub fn is_import(&self) -> bool {
        matches!(self.direction, Direction::Import)
    }

    /// Says whether this is what a component file names, such as `wythe:blocks/state@0.1.2`: a later version of the same
    /// track serves as well, but none from before a release.
    pub fn is(&self, full: &str) -> bool {
        let (interface, version) = full.split_once('@').unwrap_or((full, ""));
        let track = &self.version[..=self.version.rfind('.').unwrap_or(0)];
        version.starts_with(track) && !is_candidate(full) && self.covers(interface)
    }

    fn covers(&self, interface: &str) -> bool {
        let name = interface.strip_prefix(self.package);
        let name = name.and_then(|name| name.strip_prefix('/'));
        name.is_some_and(|name| self.name.is_empty() || name == self.name)
    }

    /// The interface that a guest names as an import.
    pub fn import(full: &str) -> Option<&'static Interface> {
        let mut imports = INTERFACES.iter().filter(|one| one.is_import());
        imports.find(|one| one.is(full))
    }

    /// The versions in which an interface is there, as an import or as an export; absent where there is none.
    pub fn versions(interface: &str, is_import: bool) -> Option<String> {
        let named = INTERFACES.iter().filter(|one| {
            one.is_import() == is_import && !one.name.is_empty() && one.covers(interface)
        });
        let versions: Vec<_> = named.map(|one| one.version).collect();
        (!versions.is_empty()).then(|| versions.join(" and "))
    }

    /// The interface that the host calls in apps with a grant of this key.
    pub fn heard_by(grant: &str) -> Option<&'static Interface> {
        let mut exports = INTERFACES.iter().filter(|one| !one.is_import());
        exports.find(|one| one.grant.is_some_and(|(key, _)| key == grant))
    }
}

/// Says whether an interface is of a version before a release, such as `0.3.0-rc-2026-03-15`: none is what was released
/// later.
pub fn is_candidate(full: &str) -> bool {
    full.split_once('@')
        .is_some_and(|(_, version)| version.contains('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::PathBuf};
    use wythe_manifest::{GRANTS, Grants, parse_manifest};

    fn wit(path: &str) -> String {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        fs::read_to_string(file.join(path)).expect("a file of the contract")
    }

    /// The interfaces that a file of the contract declares, as `package/name@version`.
    fn declared(text: &str) -> Vec<String> {
        let words = |start: &'static str| {
            let lines = text
                .lines()
                .filter_map(move |line| line.strip_prefix(start));
            lines.map(|rest| rest.trim_end_matches([' ', '{', ';']))
        };
        let package = words("package ").next().expect("a package");
        let (package, version) = package.split_once('@').expect("a version");
        let named = |name: &str| format!("{package}/{name}@{version}");
        words("interface ").map(named).collect()
    }

    fn of_packages(package: &str) -> BTreeSet<String> {
        let rows = INTERFACES.iter().filter(|one| one.package == package);
        rows.map(|one| format!("{}@{}", one.full_name(), one.version))
            .collect()
    }

    #[test]
    fn the_contract_has_these_interfaces_and_no_others() {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let files = fs::read_dir(directory).expect("the contract");
        let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
        let files = names.filter(|name| name.ends_with(".wit"));
        // A file without the package's name is of the same package.
        let head = "package wythe:blocks@0.1.0;\n";
        let blocks: BTreeSet<_> = files
            .flat_map(|name| declared(&format!("{head}{}", wit(&name))))
            .collect();
        assert_eq!(blocks, of_packages("wythe:blocks"));
        let plugin: BTreeSet<_> = declared(&wit("plugin/plugin.wit")).into_iter().collect();
        assert_eq!(plugin, of_packages("wythe:plugin"));
    }

    #[test]
    fn the_world_of_an_app_imports_what_every_app_may() {
        let world = wit("world.wit");
        let (_, app) = world.split_once("world app {\n").expect("the world");
        let (app, _) = app.split_once('}').expect("its end");
        let imports = app.lines().map(|line| line.trim().trim_end_matches(';'));
        let imported: BTreeSet<_> = imports
            .filter_map(|line| line.strip_prefix("import "))
            .collect();
        let blocks = INTERFACES.iter().filter(|one| {
            let is_special = ["actor-context", "workflow-context"].contains(&one.name);
            one.package == "wythe:blocks" && one.is_import() && !is_special
        });
        assert_eq!(imported, blocks.map(|one| one.name).collect());
    }

    #[test]
    fn the_page_of_the_contract_names_every_interface() {
        let page = wit("README.md");
        let rows = INTERFACES
            .iter()
            .filter(|one| one.package.starts_with("wythe:"));
        let missing = rows.filter(|one| !page.contains(&format!("`{}`", one.name)));
        let missing: Vec<_> = missing.map(Interface::full_name).collect();
        assert!(missing.is_empty(), "wit/README.md lacks {missing:?}");
    }

    /// The grants of an app that has these.
    fn grants(written: &str) -> Grants {
        let app = format!("{{ appID: a, guest: a.wasm, grants: {{ {written} }} }}");
        let text = format!("version: 1\nname: a\napps: [{app}]\n");
        let (manifest, problems) = parse_manifest(&text, "wythe.yaml".as_ref());
        assert!(problems.is_empty(), "{written}: {problems}");
        manifest.expect("it has no problem").apps.remove(0).grants
    }

    #[test]
    fn every_grant_opens_an_interface_by_its_example() {
        let mut opened = BTreeSet::new();
        for (key, example) in INTERFACES.iter().filter_map(|one| one.grant) {
            assert!(grants(&format!("{key}: [{example}]")).has(key), "{key}");
            assert!(!grants("").has(key), "{key}");
            opened.insert(key);
        }
        assert_eq!(opened, GRANTS.iter().map(|grant| grant.key).collect());
    }

    #[test]
    fn a_later_version_of_a_track_is_there_and_one_before_a_release_is_not() {
        let is_there = |name: &str| Interface::import(name).is_some();
        assert!(is_there("wythe:blocks/state@0.1.7"));
        assert!(is_there("wasi:cli/stdin@0.2.0"));
        for name in [
            "wythe:blocks/state@0.2.0",
            "wythe:blocks/state@0.1.0-rc-1",
            "wythe:blocks/state",
            "wythe:blocks/stat@0.1.0",
            "wythe:blocks/subscriber@0.1.0",
            "wasi:http/handler@0.3.0",
            "wasi:clisten/stdin@0.2.0",
        ] {
            assert!(!is_there(name), "{name}");
        }
    }
}
