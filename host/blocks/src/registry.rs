//! Which driver answers to which name, and how a component's metadata reaches it as a typed config.

use crate::{
    Environment, Error, Result, bindings, configuration, crypto, jobs, lock, pubsub, secrets, state,
};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, future::Future, path::PathBuf, pin::Pin, sync::Arc};
use wythe_manifest::{Component, Name};

/// Where a driver lives: its tenant, its name, and the directory that is its own.
#[derive(Clone)]
pub struct Site {
    pub tenant: Name,
    pub component: String,
    /// Not created until a driver needs it.
    pub directory: PathBuf,
    /// The directory of the resource file: what relative paths in it are relative to.
    pub beside: PathBuf,
    /// The process's environment, as the command line read it.
    pub environment: Environment,
}

type Opened<D> = Pin<Box<dyn Future<Output = Result<Arc<D>>> + Send>>;
type Open<D> = Box<dyn Fn(Component, Site) -> Opened<D> + Send + Sync>;

/// The drivers of one block.
pub struct Drivers<D: ?Sized> {
    block: &'static str,
    by_name: BTreeMap<&'static str, Open<D>>,
}

impl<D: ?Sized + 'static> Drivers<D> {
    pub fn new(block: &'static str) -> Self {
        Drivers {
            block,
            by_name: BTreeMap::new(),
        }
    }

    /// Registers a driver; the type of its config is inferred from `open`.
    pub fn add<C, F>(
        &mut self,
        name: &'static str,
        open: impl Fn(C, Site) -> F + Send + Sync + 'static,
    ) where
        C: DeserializeOwned,
        F: Future<Output = Result<Arc<D>>> + Send + 'static,
    {
        self.add_raw(name, move |component, site| -> Opened<D> {
            match wythe_manifest::decode::<C>(&component) {
                Ok(config) => Box::pin(open(config, site)),
                Err(problems) => Box::pin(async move { Err(Error::invalid(problems.to_string())) }),
            }
        });
    }

    /// Registers a driver that reads its metadata itself, as a plugin does.
    pub fn add_raw<F>(
        &mut self,
        name: &'static str,
        open: impl Fn(Component, Site) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<Arc<D>>> + Send + 'static,
    {
        self.by_name.insert(
            name,
            Box::new(move |component, site| Box::pin(open(component, site))),
        );
    }

    pub async fn open(&self, component: &Component, site: Site) -> Result<Arc<D>> {
        match self.by_name.get(component.driver.as_str()) {
            Some(open) => open(component.clone(), site).await,
            None => Err(Error::invalid(self.unknown(component))),
        }
    }

    /// Whether this build has the driver that a component names; nothing is opened.
    pub fn check(&self, component: &Component) -> Result<()> {
        match self.by_name.contains_key(component.driver.as_str()) {
            true => Ok(()),
            false => Err(Error::invalid(self.unknown(component))),
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.by_name.keys().copied()
    }

    fn unknown(&self, component: &Component) -> String {
        let known: Vec<_> = self
            .names()
            .map(|name| format!("{}.{name}", self.block))
            .collect();
        let asked = format!("{}.{}", self.block, component.driver);
        let nearest = known.iter().max_by(|a, b| {
            let score = |name: &str| strsim::jaro_winkler(&asked, name);
            score(a).total_cmp(&score(b))
        });
        let hint = nearest.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
        format!(
            "no driver `{asked}` in this build; it has: {}{hint}",
            known.join(", ")
        )
    }
}

/// Every driver of this build.
pub struct Registry {
    pub bindings: Drivers<dyn bindings::Driver>,
    pub configuration: Drivers<dyn configuration::Driver>,
    pub crypto: Drivers<dyn crypto::Driver>,
    pub jobs: Drivers<dyn jobs::Driver>,
    pub lock: Drivers<dyn lock::Driver>,
    pub pubsub: Drivers<dyn pubsub::Driver>,
    pub secrets: Drivers<dyn secrets::Driver>,
    pub state: Drivers<dyn state::Driver>,
}

impl Registry {
    /// Whether this build has the block and the driver that a component names; nothing is opened.
    pub fn check(&self, component: &Component) -> Result<()> {
        match component.block.as_str() {
            "bindings" => self.bindings.check(component),
            "configuration" => self.configuration.check(component),
            "crypto" => self.crypto.check(component),
            "jobs" => self.jobs.check(component),
            "lock" => self.lock.check(component),
            "pubsub" => self.pubsub.check(component),
            "secretstores" => self.secrets.check(component),
            "state" => self.state.check(component),
            other => Err(unknown_block(other)),
        }
    }
}

pub(crate) fn unknown_block(name: &str) -> Error {
    Error::invalid(format!(
        "no block `{name}` in this build; it has: bindings, configuration, crypto, jobs, lock, pubsub, secretstores, state"
    ))
}

impl Default for Registry {
    fn default() -> Self {
        Registry {
            bindings: Drivers::new("bindings"),
            configuration: Drivers::new("configuration"),
            crypto: Drivers::new("crypto"),
            jobs: Drivers::new("jobs"),
            lock: Drivers::new("lock"),
            pubsub: Drivers::new("pubsub"),
            secrets: Drivers::new("secretstores"),
            state: Drivers::new("state"),
        }
    }
}
