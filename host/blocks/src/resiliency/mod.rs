//! The policies of a tenant's calls, which Dapr calls resiliency: how long an attempt may take, which failures are tried
//! again, and when a target is left alone. A target without a policy costs its calls no more than a look.

mod breakers;
mod core;
mod report;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use self::core::failure::{Failure, Nature, may_repeat_built_in};
pub use report::Reading;
pub(crate) use target::{Guard, Guarded, Key, Limit, Target};

use self::core::plan::Documents;
use crate::time::instant;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};
use wythe_manifest::{Aim, Name, Resiliency as Document};

/// The policies of one tenant.
pub struct Resiliency {
    tenant: Name,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    documents: Arc<Documents>,
    /// The targets that somebody calls.
    targets: BTreeMap<Key, Weak<Target>>,
}

impl Resiliency {
    /// Policies of a tenant that has none yet.
    pub fn new(tenant: Name) -> Arc<Self> {
        Arc::new(Resiliency {
            tenant,
            inner: Mutex::default(),
        })
    }

    /// Puts documents in force in place of those before, for every attempt from now on. A breaker that is written as
    /// before stays in its state.
    pub fn set(&self, documents: &[Document]) {
        let documents = Arc::new(Documents::new(&self.tenant, documents));
        let targets = {
            let mut inner = self.inner.lock();
            inner.documents = documents.clone();
            inner.targets.retain(|_, target| target.strong_count() > 0);
            inner
                .targets
                .values()
                .filter_map(Weak::upgrade)
                .collect::<Vec<_>>()
        };
        let now = instant();
        for target in targets {
            target.apply(&documents, now);
        }
    }

    /// The target of a name, for whoever calls it; `block` is that of a component.
    pub(crate) fn target(&self, aim: Aim, name: &str, block: &'static str) -> Arc<Target> {
        let key = Key {
            aim,
            name: name.to_owned(),
            block,
        };
        let mut inner = self.inner.lock();
        if let Some(known) = inner.targets.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        let target = Target::new(self.tenant.clone(), key.clone());
        target.apply(&inner.documents, instant());
        inner.targets.retain(|_, target| target.strong_count() > 0);
        inner.targets.insert(key, Arc::downgrade(&target));
        target
    }

    fn targets(&self) -> Vec<Arc<Target>> {
        let inner = self.inner.lock();
        inner.targets.values().filter_map(Weak::upgrade).collect()
    }
}
