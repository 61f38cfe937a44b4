//! Doors in the host's HTTP server: which path is whose, and what a request there comes to.

use super::{Bindings, Delivery, Webhook, listening::Listening};
use crate::{Error, Origin, Result, Trace};
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use wythe_manifest::{ComponentName, Name};

/// A path with what answers there.
#[derive(Debug)]
pub struct Door {
    pub webhook: Webhook,
    tenant: Name,
    component: ComponentName,
}

/// A request at a door, with its body whole.
pub struct Knock {
    pub method: String,
    pub query: Option<String>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// Every door, by path.
#[derive(Default)]
pub(super) struct Doors {
    by_path: ArcSwap<BTreeMap<String, Arc<Door>>>,
    /// Held while a path is claimed.
    claiming: Mutex<()>,
}

impl Doors {
    /// A path has one component, over all tenants: they share the server.
    pub fn claim(&self, webhook: Webhook, tenant: &Name, component: &ComponentName) -> Result<()> {
        let _turn = self.claiming.lock().unwrap_or_else(PoisonError::into_inner);
        let mut doors = BTreeMap::clone(&self.by_path.load());
        let path = webhook.path.clone();
        if let Some(other) = doors.get(&path)
            && (&other.tenant, &other.component) != (tenant, component)
        {
            return Err(Error::conflict(format!(
                "the path `{path}` is that of bindings component `{}`; expected another one",
                other.component
            )));
        }
        let door = Door {
            webhook,
            tenant: tenant.clone(),
            component: component.clone(),
        };
        doors.insert(path, Arc::new(door));
        self.by_path.store(Arc::new(doors));
        Ok(())
    }
}

impl Bindings {
    /// The door at this path, which is matched whole.
    pub fn webhook(&self, path: &str) -> Option<Arc<Door>> {
        self.doors.by_path.load().get(path).cloned()
    }

    /// The app's answer. `denied` is a signature that does not fit; `unavailable` is no listener, or one that failed: the
    /// sender may try again.
    pub async fn call_webhook(&self, door: &Door, trace: Trace, knock: Knock) -> Result<Bytes> {
        let Some(component) = self.components.of(&door.tenant, &door.component) else {
            return Err(Error::unavailable("the component of this path is gone"));
        };
        let driver = &component.driver().driver;
        driver.admit(&knock.headers, &knock.body)?;
        let mut metadata = vec![
            ("method".to_owned(), knock.method),
            ("path".to_owned(), door.webhook.path.clone()),
        ];
        metadata.extend(knock.query.map(|query| ("query".to_owned(), query)));
        let headers = knock.headers.into_iter();
        metadata.extend(headers.map(|(name, value)| (format!("header.{name}"), value)));
        let delivery = Delivery {
            data: knock.body,
            metadata,
            attempt: 1,
        };
        let answer = Listening(component.clone())
            .deliver_in(Origin::Trace(trace), delivery)
            .await;
        answer.map_err(|error| {
            Error::unavailable("no app took this; try again later").with_source(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_component() {
        let doors = Doors::default();
        let webhook = || Webhook {
            path: "/hook".into(),
            methods: vec!["POST".into()],
            max_body: 1,
        };
        let tenant: Name = "default".parse().unwrap();
        doors
            .claim(webhook(), &tenant, &"one".parse().unwrap())
            .unwrap();
        doors
            .claim(webhook(), &tenant, &"one".parse().unwrap())
            .unwrap();
        let error = doors.claim(webhook(), &tenant, &"two".parse().unwrap());
        assert_eq!(
            error.unwrap_err().message(),
            "the path `/hook` is that of bindings component `one`; expected another one"
        );
    }
}
