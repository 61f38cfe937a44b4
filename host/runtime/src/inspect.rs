//! The imports and exports of a component file, read without running or compiling any of it.

mod outline;

pub use outline::{FORMAT, Outline};

use outline::Asked;
use wythe_blocks::{
    Exports,
    interfaces::{Direction, INTERFACES, Interface, Replay, is_candidate},
};

/// The host's stance on an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Every guest may.
    Free,
    /// A guest may only with this key in the manifest's `grants`.
    Grant {
        key: &'static str,
        example: &'static str,
    },
    /// A workflow may not: it would not be told the same when its code runs again.
    NotReplayed,
    /// A component of workflows may, and no other.
    OnlyWorkflows,
    /// This host has no such interface.
    Unknown,
}

#[derive(Clone, Debug)]
pub struct Import {
    pub name: String,
    pub standing: Standing,
}

impl Import {
    /// The reason why an app with these grants may not have it; absent if it may.
    pub fn refusal(
        &self,
        app: &str,
        grants: &wythe_manifest::Grants,
    ) -> Option<wythe_blocks::Error> {
        crate::grants::refuse(app, self, grants)
    }
}

/// Everything a person wants to know before running a stranger's file.
#[derive(Clone, Debug)]
pub struct Inspection {
    pub imports: Vec<Import>,
    pub exports: Vec<String>,
    /// The exports that this host knows in an app.
    pub app: Exports,
    /// The drivers that it exports beside `lifecycle`.
    pub plugin: Vec<&'static Interface>,
}

impl From<Outline> for Inspection {
    fn from(outline: Outline) -> Self {
        let exports = outline.exports;
        let app = Exports::of(&exports);
        let has = |interface: &&Interface| exports.iter().any(|name| interface.is(name));
        let called = INTERFACES.iter().filter(has);
        let (plugin, drivers): (Vec<_>, Vec<_>) = called
            .filter(|one| matches!(one.direction, Direction::Plugin | Direction::Driver(_)))
            .partition(|one| matches!(one.direction, Direction::Plugin));
        Inspection {
            imports: imports(outline.imports, app.workflow_handler),
            app,
            // A driver alone makes no plugin.
            plugin: if plugin.is_empty() { plugin } else { drivers },
            exports,
        }
    }
}

/// Every import with its standing. An interface of which only types are used needs no grant.
fn imports(asked: Vec<Asked>, has_workflows: bool) -> Vec<Import> {
    let standing = |asked: &Asked| match has_workflows {
        _ if is_candidate(&asked.name) => Standing::Unknown,
        true => of_workflow(&asked.name),
        false if asked.calls => of_name(&asked.name),
        false => Standing::Free,
    };
    let import = |asked: Asked| Import {
        standing: standing(&asked),
        name: asked.name,
    };
    asked.into_iter().map(import).collect()
}

fn of_workflow(name: &str) -> Standing {
    match Interface::import(name).map(|interface| interface.replay) {
        None => Standing::Unknown,
        Some(Replay::Refused) => Standing::NotReplayed,
        Some(Replay::Allowed | Replay::Required) => Standing::Free,
    }
}

fn of_name(name: &str) -> Standing {
    let Some(interface) = Interface::import(name) else {
        return Standing::Unknown;
    };
    match (interface.replay, interface.grant) {
        (Replay::Required, _) => Standing::OnlyWorkflows,
        (_, Some((key, example))) => Standing::Grant { key, example },
        (_, None) => Standing::Free,
    }
}
