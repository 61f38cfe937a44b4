//! Dapr's topic scopes of a pub/sub component: who may publish and subscribe to what.

use crate::{Error, Result};
use std::collections::{HashMap, HashSet};
use wythe_manifest::{Component, Name};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Publish,
    Subscribe,
}

/// Read from `publishingScopes`, `subscriptionScopes`, `allowedTopics` and `protectedTopics`.
#[derive(Default)]
pub(crate) struct Scopes {
    publishing: HashMap<String, HashSet<String>>,
    subscription: HashMap<String, HashSet<String>>,
    allowed: HashSet<String>,
    protected: HashSet<String>,
}

impl Scopes {
    /// Takes the scope keys out of the metadata; what is left is the driver's.
    pub fn take(component: &mut Component) -> Result<Self> {
        let mut text = |name: &str| {
            let value = component.metadata.take(name);
            value.map_or(String::new(), |value| value.reveal().to_owned())
        };
        let (publishing, subscription) = (text("publishingScopes"), text("subscriptionScopes"));
        let (allowed, protected) = (text("allowedTopics"), text("protectedTopics"));
        let by_app = |key: &str, text: &str| {
            by_app(key, text).map_err(|error| error.at(&component.position_of(key)))
        };
        Ok(Scopes {
            publishing: by_app("publishingScopes", &publishing)?,
            subscription: by_app("subscriptionScopes", &subscription)?,
            allowed: topics(&allowed),
            protected: topics(&protected),
        })
    }

    /// An app without an entry may use every topic that is not protected; an app with one, just what it lists.
    pub fn allows(&self, access: Access, app: &Name, topic: &str) -> bool {
        if !self.allowed.is_empty() && !self.allowed.contains(topic) {
            return false;
        }
        let scopes = match access {
            Access::Publish => &self.publishing,
            Access::Subscribe => &self.subscription,
        };
        match scopes.get(app.as_str()) {
            Some(listed) => listed.contains(topic),
            None => !self.protected.contains(topic),
        }
    }
}

fn topics(text: &str) -> HashSet<String> {
    let names = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// `app1=t1,t2;app2=`
fn by_app(key: &str, text: &str) -> Result<HashMap<String, HashSet<String>>> {
    let entries = text
        .split(';')
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    let pair = |entry: &str| match entry.split_once('=') {
        Some((app, listed)) => Ok((app.trim().to_owned(), topics(listed))),
        None => Err(Error::invalid(format!(
            "{key} has `{entry}`; expected `app=topic1,topic2;app2=`"
        ))),
    };
    entries.map(pair).collect()
}
