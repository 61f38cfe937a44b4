//! The answer to a type of component that this build has not.

use super::{Drivers, Registry};
use crate::Error;
use wythe_manifest::{Component, slip_of};

/// The reason why a driver that has a name elsewhere is not in this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Dapr has a component of this type.
    OfDapr,
    /// This cargo feature brings it.
    Feature(&'static str),
    /// Dapr has it, and this is what to write in its place.
    Instead(&'static str),
}

impl Missing {
    fn hint(self) -> String {
        match self {
            Missing::OfDapr => {
                "Dapr has that type and Wythe has no driver for it: take another type, or write a plugin"
                    .to_owned()
            }
            Missing::Feature(feature) => {
                format!("build with `--features wythe-drivers/{feature}`, which brings it")
            }
            Missing::Instead(words) => words.to_owned(),
        }
    }
}

impl<D: ?Sized + 'static> Drivers<D> {
    /// Says why a driver is missing, for a message that is better than a guess. One that is registered is not missing.
    pub fn lacks(&mut self, name: &'static str, missing: Missing) {
        self.missing.insert(name, missing);
    }

    /// Error about a driver that is not there. A type that is known elsewhere is no slip; of any other one, only a
    /// letter's difference is taken for one.
    pub(super) fn unknown(&self, component: &Component) -> Error {
        let (block, driver) = (self.block, &component.driver);
        let known = self.names().map(|name| format!("{block}.{name}"));
        let known: Vec<_> = known.collect();
        let asked = format!("{block}.{driver}");
        let hint = match self.missing.get(driver.as_str()) {
            Some(missing) => Some(missing.hint()),
            None => slip_of(&asked, known.iter().map(String::as_str)),
        };
        absent(component, &asked, &known.join(", "), hint)
    }
}

impl Registry {
    /// Says why a driver of a block is missing; a block that is not here says so by itself.
    pub fn lacks(&mut self, block: &str, name: &'static str, missing: Missing) {
        match block {
            "bindings" => self.bindings.lacks(name, missing),
            "configuration" => self.configuration.lacks(name, missing),
            "crypto" => self.crypto.lacks(name, missing),
            "jobs" => self.jobs.lacks(name, missing),
            "lock" => self.lock.lacks(name, missing),
            "middleware" => self.middleware.lacks(name, missing),
            "pubsub" => self.pubsub.lacks(name, missing),
            "secretstores" => self.secrets.lacks(name, missing),
            "state" => self.state.lacks(name, missing),
            _ => {}
        }
    }
}

const BLOCKS: [&str; 9] = [
    "bindings",
    "configuration",
    "crypto",
    "jobs",
    "lock",
    "middleware",
    "pubsub",
    "secretstores",
    "state",
];

pub(crate) fn unknown_block(component: &Component) -> Error {
    let hint = slip_of(&component.block, BLOCKS);
    absent(component, &component.block, &BLOCKS.join(", "), hint)
}

/// A type or a block that this build has not.
fn absent(component: &Component, asked: &str, known: &str, hint: Option<String>) -> Error {
    let hint = hint.map_or(String::new(), |hint| format!("; {hint}"));
    Error::invalid(format!(
        "component `{}`: `{asked}` is not in this build; this build has {known}{hint}",
        component.name
    ))
    .at(&component.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(registry: &Registry, kind: &str) -> String {
        let text = format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: one }}\nspec: {{ type: {kind} }}\n"
        );
        let (resources, problems) = wythe_manifest::parse_resources(&text, "c.yaml".as_ref());
        assert!(problems.is_empty(), "{problems}");
        let error = registry.bindings.unknown(&resources.components[0]);
        error.message().to_owned()
    }

    #[test]
    fn a_type_that_is_known_elsewhere_says_so_and_is_no_slip() {
        let mut registry = Registry::default();
        let ready = |_, _| async { Err(Vec::new()) };
        registry.bindings.add_raw("telexx", ready);
        let guess = "component `one`: `bindings.telex` is not in this build; this build has bindings.telexx; did you mean `bindings.telexx`?";
        assert_eq!(unknown(&registry, "bindings.telex"), guess);
        registry.lacks("bindings", "telex", Missing::OfDapr);
        let known = "component `one`: `bindings.telex` is not in this build; this build has bindings.telexx; Dapr has that type and Wythe has no driver for it: take another type, or write a plugin";
        assert_eq!(unknown(&registry, "bindings.telex"), known);
        registry.lacks("bindings", "telex", Missing::Feature("mail"));
        let brought = "component `one`: `bindings.telex` is not in this build; this build has bindings.telexx; build with `--features wythe-drivers/mail`, which brings it";
        assert_eq!(unknown(&registry, "bindings.telex"), brought);
    }
}
