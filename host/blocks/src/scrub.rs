//! A component's own secrets, taken out of what its technology says.

use wythe_manifest::{Component, Secret, Value};

/// Bytes of the shortest secret: a shorter one cannot be hidden in a text, and is no secret.
const SHORTEST: usize = 4;

/// Values that a text must not show: a technology quotes what it was given, such as an address with a password in it.
pub(crate) struct Secrets(Vec<Secret>);

impl Secrets {
    pub fn of(component: &Component) -> Self {
        let values = component.metadata.iter().map(|item| &item.value);
        let secrets = values.filter_map(|value| match value {
            Value::Secret(secret) if secret.reveal().len() >= SHORTEST => Some(secret.clone()),
            _ => None,
        });
        let mut secrets: Vec<_> = secrets.collect();
        // One may be part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.reveal().len()));
        Secrets(secrets)
    }

    pub fn hide(&self, text: String) -> String {
        let secrets = self.0.iter();
        secrets.fold(text, |text, secret| {
            text.replace(secret.reveal(), "(a secret)")
        })
    }
}
