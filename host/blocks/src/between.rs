//! Mistakes that no component has alone: two of them want what one can have.

use crate::Error;
use std::collections::BTreeMap;
use wythe_manifest::{Component as Manifest, Value};

/// Finds those of one tenant's components; each is reported at the later of the two.
pub(crate) fn problems(components: &[Manifest]) -> Vec<Error> {
    let mut problems: Vec<_> = one_of_jobs(components).into_iter().collect();
    problems.extend(paths(components));
    problems
}

fn one_of_jobs(components: &[Manifest]) -> Option<Error> {
    let mut jobs = components.iter().filter(|c| c.block == "jobs");
    let (first, second) = (jobs.next()?, jobs.next()?);
    let message = format!(
        "component `{}`: a tenant has one jobs component; `{}` is it already",
        second.name, first.name
    );
    Some(Error::invalid(message).at(&second.source))
}

/// Webhooks are distinguished by their paths.
fn paths(components: &[Manifest]) -> Vec<Error> {
    let mut first = BTreeMap::new();
    let mut problems = Vec::new();
    let webhooks = components.iter();
    for one in webhooks.filter(|c| c.block == "bindings" && c.driver == "webhook") {
        let Some(path) = one.metadata.get("path") else {
            continue;
        };
        let Some(other) = first.get(path.reveal()) else {
            first.insert(path.reveal(), &one.name);
            continue;
        };
        let shown = match path {
            Value::Plain(text) => format!("the path `{text}`"),
            Value::Secret(_) => "its path".to_owned(),
        };
        let message = format!(
            "component `{}`: {shown} is that of bindings component `{other}`; expected another one",
            one.name
        );
        problems.push(Error::invalid(message).at(&one.position_of("path")));
    }
    problems
}
