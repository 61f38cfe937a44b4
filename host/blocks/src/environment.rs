//! The process's environment as a value: read once by the command line, and handed to whoever may look into it.

use std::{collections::BTreeMap, fmt, sync::Arc};
use wythe_manifest::Secret;

/// Variables by name. People keep passwords in them, so nothing of it can be shown.
#[derive(Clone, Default)]
pub struct Environment(Arc<BTreeMap<String, Secret>>);

impl Environment {
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// The names of the variables, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        let hidden = |(name, value): (String, String)| (name, Secret::new(value));
        Environment(Arc::new(variables.into_iter().map(hidden).collect()))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}
