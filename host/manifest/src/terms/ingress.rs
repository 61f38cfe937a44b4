//! The names by which a tenant is reached, and patterns of the types that its components may have.

use std::fmt;
use std::str::FromStr;

use super::Allowed;
use crate::name::{Name, shown};

/// Stands for the tenant's name in a host name, or in the name of a file, that is written for all of them.
pub(super) const TENANT: &str = "{tenant}";

/// A host name in lower case, without a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostName(String);

/// A host name as the operator writes it, which may hold `{tenant}`.
#[derive(Clone, Debug)]
pub(super) struct Names(String);

/// A type of components: `state.memory`, `state.*` or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypePattern {
    block: Option<String>,
    driver: Option<String>,
}

impl HostName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.to_ascii_lowercase();
        let is_label = |label: &str| label.parse::<Name>().is_ok();
        match name.len() <= 253 && name.split('.').all(is_label) {
            true => Ok(HostName(name)),
            false => Err(format!(
                "`{}` is not a host name: expected labels of letters, digits and `-` with dots between them, without a port",
                shown(text)
            )),
        }
    }
}

impl Names {
    /// Says whether each tenant has a name of its own by it.
    pub(super) fn is_of_each(&self) -> bool {
        self.0.contains(TENANT)
    }

    fn of(&self, tenant: &Name) -> Option<HostName> {
        self.0.replace(TENANT, tenant.as_str()).parse().ok()
    }
}

impl FromStr for Names {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Any tenant does: whether it is a host name does not depend on which.
        HostName::from_str(&text.replace(TENANT, "t"))?;
        Ok(Names(text.to_owned()))
    }
}

impl Allowed<Names> {
    pub(super) fn of(&self, tenant: &Name) -> Vec<HostName> {
        let names = self.entries.iter();
        names.filter_map(|name| name.of(tenant)).collect()
    }
}

impl TypePattern {
    /// Returns whether a type is meant.
    pub fn matches(&self, block: &str, driver: &str) -> bool {
        self.block.as_ref().is_none_or(|only| only == block)
            && self.driver.as_ref().is_none_or(|only| only == driver)
    }
}

impl FromStr for TypePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let found = shown(text);
            format!("expected a type such as `state.memory`, `state.*` or `*`, found `{found}`")
        };
        if text == "*" {
            return Ok(TypePattern {
                block: None,
                driver: None,
            });
        }
        let (block, driver) = text.split_once('.').ok_or_else(wrong)?;
        let is_plain = |part: &str| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !part.is_empty() && part.bytes().all(letter)
        };
        if !is_plain(block) || !(driver == "*" || is_plain(driver)) {
            return Err(wrong());
        }
        Ok(TypePattern {
            block: Some(block.to_owned()),
            driver: (driver != "*").then(|| driver.to_owned()),
        })
    }
}
