//! Comparison of something that is read again with what it was: where it stands in its file does not count.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::App;
use crate::component::Component;
use crate::configuration::{CallerPolicy, Configuration, Handler, Operation, SecretScope};
use crate::grants::Grants;
use crate::metadata::{Metadata, Reference};
use crate::problem::Source;
use crate::resiliency::{Named, Resiliency, Target, Written};
use crate::subscription::Subscription;
use crate::terms::{SigningKey, SigningKeys, Terms};

/// Things that are compared by what is written of them.
pub trait Same {
    /// Returns whether another one is written as this one.
    fn is_same(&self, other: &Self) -> bool;
}

/// A list, in its order.
impl<T: Same> Same for [T] {
    fn is_same(&self, other: &[T]) -> bool {
        let mut pairs = self.iter().zip(other);
        self.len() == other.len() && pairs.all(|(one, other)| one.is_same(other))
    }
}

/// An app without its component file.
impl Same for App {
    fn is_same(&self, other: &App) -> bool {
        let fixed = |app: &App| (app.id.clone(), app.guest.clone(), app.ingress.clone());
        fixed(self) == fixed(other)
            && self.project == other.project
            && self.health == other.health
            && self.limits == other.limits
            && self.reuse == other.reuse
            && self.env == other.env
            && keys(&self.signing_keys) == keys(&other.signing_keys)
            && bare(&self.grants) == bare(&other.grants)
    }
}

/// The keys, wherever they are written.
pub(crate) fn keys(signing: &Option<Arc<SigningKeys>>) -> Option<&[SigningKey]> {
    signing.as_ref().map(|keys| keys.entries.as_slice())
}

fn bare(grants: &Grants) -> Grants {
    Grants {
        source: Source::default(),
        mentions: Vec::new(),
        http_places: Vec::new(),
        closed: keys_of(&grants.closed),
        ..grants.clone()
    }
}

fn keys_of(closed: &[(&'static str, Source)]) -> Vec<(&'static str, Source)> {
    let keys = closed.iter().map(|(key, _)| *key);
    keys.map(|key| (key, Source::default())).collect()
}

/// A component as it is written: a secret that changed in its store is no change here.
impl Same for Component {
    fn is_same(&self, other: &Component) -> bool {
        let settings = |one: &Component| (one.ignore_errors, one.init_timeout);
        let texts = |one: &Component| {
            (
                one.block.clone(),
                one.driver.clone(),
                one.version.clone(),
                one.requires.clone(),
            )
        };
        self.name == other.name
            && self.namespace == other.namespace
            && self.scopes == other.scopes
            && settings(self) == settings(other)
            && texts(self) == texts(other)
            && self.source.file == other.source.file
            && self.metadata.is_same(&other.metadata)
    }
}

impl Same for Metadata {
    fn is_same(&self, other: &Metadata) -> bool {
        let values = |all: &Metadata| -> Vec<(String, String)> {
            let items = all.iter();
            let mut values: Vec<_> = items
                .map(|item| (item.name.clone(), item.value.reveal().to_owned()))
                .collect();
            values.sort();
            values
        };
        let references = |all: &Metadata| -> Vec<[String; 4]> {
            let mut references: Vec<_> = all
                .pending()
                .iter()
                .map(|one| {
                    let name = one.name.clone();
                    match &one.reference {
                        Reference::Environment(variable) => {
                            [name, variable.clone(), String::new(), String::new()]
                        }
                        Reference::Secret {
                            store,
                            name: secret,
                            key,
                        } => [name, store.clone(), secret.clone(), key.clone()],
                    }
                })
                .collect();
            references.sort();
            references
        };
        values(self) == values(other) && references(self) == references(other)
    }
}

impl Same for Subscription {
    fn is_same(&self, other: &Subscription) -> bool {
        let routes = |one: &Subscription| -> Vec<(String, String)> {
            let rules = one.rules.iter();
            rules
                .map(|rule| (rule.expression.clone(), rule.route.clone()))
                .collect()
        };
        let texts = |one: &Subscription| {
            (
                one.topic.clone(),
                one.default_route.clone(),
                one.dead_letter_topic.clone(),
                one.metadata.clone(),
            )
        };
        let names = |one: &Subscription| {
            (
                one.name.clone(),
                one.namespace.clone(),
                one.component.clone(),
                one.scopes.clone(),
            )
        };
        names(self) == names(other) && texts(self) == texts(other) && routes(self) == routes(other)
    }
}

impl Same for Resiliency {
    fn is_same(&self, other: &Resiliency) -> bool {
        let heads =
            |one: &Resiliency| (one.name.clone(), one.namespace.clone(), one.scopes.clone());
        heads(self) == heads(other)
            && are_same(&self.timeouts, &other.timeouts)
            && are_same(&self.retries, &other.retries)
            && are_same(&self.breakers, &other.breakers)
            && self.targets.is_same(&other.targets)
    }
}

fn are_same<T: PartialEq>(
    one: &BTreeMap<String, Written<T>>,
    other: &BTreeMap<String, Written<T>>,
) -> bool {
    let mut pairs = one.iter().zip(other);
    one.len() == other.len()
        && pairs.all(|((name, one), (of, other))| name == of && one.value == other.value)
}

impl Same for Target {
    fn is_same(&self, other: &Target) -> bool {
        let name = |named: &Option<Named>| named.as_ref().map(|named| named.name.clone());
        let names = |one: &Target| [name(&one.timeout), name(&one.retry), name(&one.breaker)];
        let of = |one: &Target| (one.aim, one.name.clone(), one.scope, one.cache);
        of(self) == of(other) && names(self) == names(other)
    }
}

/// The policies of calls between apps and of requests from outside, and whether metrics have Dapr's names; its other parts are
/// compared where they are used.
impl Same for Configuration {
    fn is_same(&self, other: &Configuration) -> bool {
        let access = match (&self.access, &other.access) {
            (Some(one), Some(other)) => {
                one.default_action == other.default_action && one.policies.is_same(&other.policies)
            }
            (one, other) => one.is_none() && other.is_none(),
        };
        access
            && self.metric == other.metric
            && (&self.namespace, &self.scopes) == (&other.namespace, &other.scopes)
            && self.pipeline.is_same(&other.pipeline)
            && self.app_pipeline.is_same(&other.app_pipeline)
    }
}

impl Same for Handler {
    fn is_same(&self, other: &Handler) -> bool {
        (&self.name, &self.kind, &self.version) == (&other.name, &other.kind, &other.version)
    }
}

impl Same for CallerPolicy {
    fn is_same(&self, other: &CallerPolicy) -> bool {
        self.caller == other.caller
            && self.default_action == other.default_action
            && self.operations.is_same(&other.operations)
    }
}

impl Same for Operation {
    fn is_same(&self, other: &Operation) -> bool {
        (&self.name, &self.verbs, self.action) == (&other.name, &other.verbs, other.action)
    }
}

impl Same for SecretScope {
    fn is_same(&self, other: &SecretScope) -> bool {
        self.store == other.store
            && self.default_access == other.default_access
            && self.allowed == other.allowed
            && self.denied == other.denied
    }
}

/// Files of certificates are no part of it: they are read by the host and are nothing to the project of the tenant. Whether
/// its clients are asked for one is.
impl Same for Terms {
    fn is_same(&self, other: &Terms) -> bool {
        let demand = |terms: &Terms| terms.tls.clients.as_ref().map(|one| one.is_required);
        let types = self.components.as_ref().map(|types| &types.entries);
        self.isolation == other.isolation
            && (self.by_path, &self.hosts) == (other.by_path, &other.hosts)
            && demand(self) == demand(other)
            && self.http.entries == other.http.entries
            && types == other.components.as_ref().map(|types| &types.entries)
            && self.paths.entries == other.paths.entries
            && self.environment.entries == other.environment.entries
            && keys(&self.signing_keys) == keys(&other.signing_keys)
            && self.quotas.is_same(&other.quotas)
    }
}
