//! The rules of good keys, and the prefix that gives a caller its key space.

use crate::{Call, Error, Result};
use std::fmt;
use wythe_manifest::{Component as Manifest, ComponentName};

/// Bytes of a key.
pub const MAX_KEY: usize = 1_024;

/// Stands between the keyspace and the key, as in Dapr, so it may not be in a key.
pub(crate) const SEPARATOR: &str = "||";

/// Dapr's `keyPrefix` of a state component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KeyPrefix {
    /// Each app has its own keys.
    #[default]
    AppId,
    /// All apps that use this component share its keys.
    Name,
    /// Each app of each namespace has its own keys.
    Namespace,
    /// Keys as they are, shared by all.
    None,
    /// All apps share the keys under this word.
    Literal(String),
}

impl KeyPrefix {
    /// Reads the metadata value; any word that is no strategy is a literal prefix.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "" | "appid" => KeyPrefix::AppId,
            "name" => KeyPrefix::Name,
            "namespace" => KeyPrefix::Namespace,
            "none" => KeyPrefix::None,
            word if word.contains(SEPARATOR) || word.contains('\0') || word.len() > 256 => {
                return Err(Error::invalid(
                    "keyPrefix has `||`, NUL or more than 256 bytes; expected appid, name, namespace, none or a word",
                ));
            }
            word => KeyPrefix::Literal(word.to_owned()),
        })
    }

    /// Takes `keyPrefix` out of a component's metadata.
    pub(crate) fn take(component: &mut Manifest) -> Result<Self> {
        let prefix = component.metadata.take("keyPrefix");
        let parsed = Self::parse(prefix.as_ref().map_or("", |value| value.reveal()));
        parsed.map_err(|error| error.at(&component.position_of("keyPrefix")))
    }

    /// Refuses another prefix for what takes the place of a component: what apps wrote would be out of their reach.
    pub(crate) fn check_replacement(&self, new: &Self) -> Result<()> {
        match self == new {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "`keyPrefix` was {self} and would be {new}, by which no app would find what it wrote; remove the component first, then add it anew"
            ))),
        }
    }

    /// The prefix before the keys of this caller.
    pub(crate) fn resolve(&self, caller: &Call, component: &ComponentName) -> String {
        match self {
            KeyPrefix::AppId => format!("{}{SEPARATOR}", caller.app_id()),
            KeyPrefix::Name => format!("{component}{SEPARATOR}"),
            // Neither name holds a dot, so the pair is read in one way only.
            KeyPrefix::Namespace => format!("{}.{}{SEPARATOR}", caller.tenant(), caller.app_id()),
            KeyPrefix::None => String::new(),
            KeyPrefix::Literal(word) => format!("{word}{SEPARATOR}"),
        }
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyPrefix::AppId => "appid",
            KeyPrefix::Name => "name",
            KeyPrefix::Namespace => "namespace",
            KeyPrefix::None => "none",
            KeyPrefix::Literal(word) => word,
        })
    }
}

pub(crate) fn check(key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::invalid("the key is empty; expected 1 to 1024 bytes"));
    }
    check_prefix(key)
}

/// A prefix follows the rules of a key, and may be empty.
pub(crate) fn check_prefix(key: &str) -> Result<()> {
    if key.len() > MAX_KEY {
        return Err(Error::invalid(format!(
            "the key has {} bytes; expected 1 to {MAX_KEY}",
            key.len()
        )));
    }
    if key.contains('\0') {
        return Err(Error::invalid(
            "the key has a NUL character; expected text without NUL",
        ));
    }
    if key.contains(SEPARATOR) {
        return Err(Error::invalid(format!(
            "the key `{key}` has `||`, which separates an app's name from its keys; use another separator"
        )));
    }
    Ok(())
}
