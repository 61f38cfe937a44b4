//! Values that are written in the environment; those in secret stores wait until the host has opened the stores.

use crate::component::Component;
use crate::metadata::{Pending, Reference, Value, problem_at};
use crate::problem::{Problem, Problems};
use crate::secret::Secret;

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Settles every reference to a variable that is set; the others stay pending and are reported.
pub(crate) fn resolve(components: &mut [Component], environment: Environment) -> Problems {
    let mut problems = Problems::default();
    for component in components {
        for pending in component.metadata.take_pending() {
            match read_variable(component, &pending, environment) {
                Some(Ok(value)) => component.metadata.settle(pending, value),
                Some(Err(problem)) => {
                    problems.0.push(problem);
                    component.metadata.postpone(pending);
                }
                None => component.metadata.postpone(pending),
            }
        }
    }
    problems
}

/// Reads the variable of a reference; absent where the reference is not to a variable.
fn read_variable(
    component: &Component,
    pending: &Pending,
    environment: Environment,
) -> Option<Result<Value, Problem>> {
    let Reference::Environment(variable) = &pending.reference else {
        return None;
    };
    let missing = || {
        let message = format!("the environment variable `{variable}` is not set");
        problem_at(
            component,
            &pending.name,
            pending.position,
            "envRef",
            message,
        )
    };
    // People keep passwords in the environment, so what comes from there is not shown either.
    let value = environment(variable).map(|text| Value::Secret(Secret::new(text)));
    Some(value.ok_or_else(missing))
}
