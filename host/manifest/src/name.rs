//! Names that are safe in keys, topics and host names: DNS labels for tenants and apps, dotted labels for components.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

const LABEL_LENGTH: usize = 63;
const DOTTED_LENGTH: usize = 253;

/// A text that is not a name, with the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidName(String);

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidName {}

/// The id of a tenant or an app: `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, at most 63 long.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

/// The name of a component or another resource: as [`Name`], with upper case letters, `_` and dots between the labels, at
/// most 253 long. No two of a project may differ in case alone, since they name directories.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ComponentName(Arc<str>);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether the tenant of this name has a resource of `namespace`: one without is every tenant's.
    pub fn has(&self, namespace: Option<&Name>) -> bool {
        namespace.is_none_or(|namespace| namespace == self)
    }

    /// The nearest name to any text, for defaults taken from a directory: `My_App` becomes `my-app`.
    pub(crate) fn sanitised(text: &str) -> Option<Self> {
        let safe: String = text
            .to_lowercase()
            .chars()
            .map(|c| if is_label_character(c) { c } else { '-' })
            .collect();
        let cut: String = safe.trim_matches('-').chars().take(LABEL_LENGTH).collect();
        cut.trim_matches('-').parse().ok()
    }
}

impl ComponentName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest id, for what speaks in the component's name: `order_Pub.sub` becomes `order-pub-sub`.
    pub fn as_id(&self) -> Option<Name> {
        Name::sanitised(&self.0)
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        check_label(text, is_label_character, LABEL_RULE)
            .map_err(|rule| InvalidName(format!("`{}` is not a name: {rule}", shown(text))))?;
        Ok(Self(text.into()))
    }
}

impl FromStr for ComponentName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let rule = if text.len() > DOTTED_LENGTH {
            Err("at most 253 characters are allowed, and 63")
        } else {
            text.split('.')
                .try_for_each(|label| check_label(label, is_component_character, COMPONENT_RULE))
        };
        let place = if text.contains('.') {
            " in each part between dots"
        } else {
            ""
        };
        rule.map_err(|rule| {
            InvalidName(format!(
                "`{}` is not a component name: {rule}{place}",
                shown(text)
            ))
        })?;
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl TryFrom<String> for ComponentName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.as_str().to_owned()
    }
}

impl From<ComponentName> for String {
    fn from(name: ComponentName) -> Self {
        name.as_str().to_owned()
    }
}

impl From<Name> for ComponentName {
    fn from(name: Name) -> Self {
        Self(name.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ComponentName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ComponentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const LABEL_RULE: &str = "only lower case letters, digits and `-` are allowed";
const COMPONENT_RULE: &str = "only letters, digits, `-` and `_` are allowed";

fn check_label(
    label: &str,
    is_allowed: fn(char) -> bool,
    rule: &'static str,
) -> Result<(), &'static str> {
    if label.is_empty() {
        return Err("at least one letter or digit is needed");
    }
    if label.len() > LABEL_LENGTH {
        return Err("at most 63 characters are allowed");
    }
    if !label.chars().all(is_allowed) {
        return Err(rule);
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err("`-` is not allowed at the beginning or the end");
    }
    Ok(())
}

fn is_label_character(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-'
}

/// Dapr takes any name; its own quickstarts have `order_pub_sub` and `daprConfig`.
fn is_component_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '-' || character == '_'
}

/// A text that a user wrote, short enough for a message.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
