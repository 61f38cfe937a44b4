//! The interfaces that an app answers to.

use crate::interfaces::{Direction, INTERFACES, Interface};

/// Marks of the interfaces that an app exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exports {
    pub http: bool,
    pub invocation: bool,
    pub subscriber: bool,
    pub configuration_listener: bool,
    pub binding_listener: bool,
    pub job_runner: bool,
    pub workflow_handler: bool,
    pub activity_handler: bool,
    pub actor_handler: bool,
}

impl Exports {
    /// The exports of a component file that make it an app, by their names.
    pub fn of(names: &[String]) -> Self {
        let mut exports = Exports::default();
        for interface in INTERFACES {
            if let Direction::Export(mark) = interface.direction
                && names.iter().any(|name| interface.is(name))
            {
                *mark(&mut exports) = true;
            }
        }
        exports
    }

    /// Says whether an interface is among them.
    pub fn has(mut self, interface: &Interface) -> bool {
        match interface.direction {
            Direction::Export(mark) => *mark(&mut self),
            _ => false,
        }
    }

    /// The names of the interfaces that make a component an app.
    pub fn interfaces() -> String {
        let exports = INTERFACES.iter();
        let exports = exports.filter(|one| matches!(one.direction, Direction::Export(_)));
        let names: Vec<_> = exports.map(Interface::full_name).collect();
        match names.as_slice() {
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
            [] => String::new(),
        }
    }
}
