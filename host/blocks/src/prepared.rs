//! A component of any block, found good and not open yet: what `validate` and `run` both come to.

use crate::{
    Error, Registry, Result, Settings, Site, Tenant, bindings, configuration, crypto, jobs, lock,
    middleware,
    opening::{self, Opening},
    pubsub,
    quota::Ledger,
    registry,
    scrub::Secrets as Scrub,
    secrets, state,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use wythe_manifest::Component as Manifest;

/// The block that is opened before the others.
pub(crate) const SECRET_STORES: &str = "secretstores";

pub(crate) enum Prepared {
    Bindings(bindings::Prepared),
    Configuration(configuration::Prepared),
    Crypto(crypto::Prepared),
    Jobs(jobs::Prepared),
    Lock(lock::Prepared),
    Middleware(middleware::Prepared),
    PubSub(pubsub::Prepared),
    Secrets(secrets::Prepared),
    State(state::Prepared),
}

impl Prepared {
    /// Reads every setting of a component; each mistake is reported with its position.
    pub async fn new(
        registry: &Registry,
        (settings, ledger): (&Settings, &Arc<Ledger>),
        component: &Manifest,
    ) -> Result<Self, Vec<Error>> {
        let allowed = registry.check_terms(settings.terms.as_deref(), component);
        allowed.map_err(|error| vec![error])?;
        let site = site(settings, ledger, component);
        let prepared = Self::of_block(registry, settings, component, site).await;
        let named = |error| named(component, error);
        prepared.map_err(|errors| errors.into_iter().map(named).collect())
    }

    async fn of_block(
        registry: &Registry,
        settings: &Settings,
        component: &Manifest,
        site: Site,
    ) -> Result<Self, Vec<Error>> {
        use opening::Prepared as One;
        Ok(match component.block.as_str() {
            "bindings" => {
                let (known, take) = (&bindings::Features::NAMES, bindings::Written::take);
                let one = One::new(&registry.bindings, component, site, known, take);
                Self::Bindings(one.await?)
            }
            "configuration" => {
                let known = &configuration::Features::NAMES;
                let one = One::new(&registry.configuration, component, site, known, nothing);
                Self::Configuration(one.await?)
            }
            "crypto" => {
                let one = One::new(&registry.crypto, component, site, &[], nothing);
                Self::Crypto(one.await?)
            }
            "jobs" => {
                let known = &jobs::Features::NAMES;
                let one = One::new(&registry.jobs, component, site, known, nothing);
                Self::Jobs(one.await?)
            }
            "middleware" => {
                let one = One::new(&registry.middleware, component, site, &[], nothing);
                Self::Middleware(one.await?)
            }
            _ => return Self::of_store(registry, settings, component, site).await,
        })
    }

    /// The blocks that keep something.
    async fn of_store(
        registry: &Registry,
        settings: &Settings,
        component: &Manifest,
        site: Site,
    ) -> Result<Self, Vec<Error>> {
        use opening::Prepared as One;
        Ok(match component.block.as_str() {
            "lock" => {
                let (known, take) = (&lock::Features::NAMES, state::KeyPrefix::take);
                Self::Lock(One::new(&registry.lock, component, site, known, take).await?)
            }
            "pubsub" => {
                let (known, take) = (&pubsub::Features::NAMES, pubsub::Written::take);
                Self::PubSub(One::new(&registry.pubsub, component, site, known, take).await?)
            }
            SECRET_STORES => {
                let known = &secrets::Features::NAMES;
                let one = One::new(&registry.secrets, component, site, known, nothing);
                Self::Secrets(one.await?)
            }
            "state" => {
                let take = |component: &mut _| state::Written::take(component, settings.max_value);
                let known = &state::Features::NAMES;
                Self::State(One::new(&registry.state, component, site, known, take).await?)
            }
            _ => return Err(vec![registry::unknown_block(component)]),
        })
    }

    /// Tells what the operator is to be warned of, each with its place.
    pub fn warnings(&self) -> impl Iterator<Item = Error> {
        let warnings = match self {
            Self::Bindings(one) => one.warnings(),
            Self::Configuration(one) => one.warnings(),
            Self::Crypto(one) => one.warnings(),
            Self::Jobs(one) => one.warnings(),
            Self::Lock(one) => one.warnings(),
            Self::Middleware(one) => one.warnings(),
            Self::PubSub(one) => one.warnings(),
            Self::Secrets(one) => one.warnings(),
            Self::State(one) => one.warnings(),
        };
        warnings.iter().map(Error::duplicate)
    }

    /// Opens it, so that apps find it.
    pub async fn open(self, tenant: &Tenant, component: &Manifest) -> Result<()> {
        let settings = tenant.settings();
        let opening = Opening {
            metrics: &tenant.metrics,
            policies: &tenant.resiliency,
            tenant: tenant.name(),
            data: &settings.data,
        };
        match self {
            Self::Bindings(one) => tenant.bindings.add(&opening, one).await,
            Self::Configuration(one) => tenant.configuration.add(&opening, one).await,
            Self::Crypto(one) => tenant.crypto.add(&opening, one).await,
            Self::Jobs(one) => tenant.jobs.add(&opening, one).await,
            Self::Lock(one) => tenant.lock.add(&opening, one).await,
            Self::Middleware(one) => tenant.middleware.add(&opening, one).await,
            Self::PubSub(one) => tenant.pubsub.add(&opening, one).await,
            Self::Secrets(one) => {
                let mut scopes = settings.scopes.iter();
                let scope = scopes.find(|scope| scope.store == component.name).cloned();
                tenant.secrets.add(&opening, one, scope).await
            }
            Self::State(one) => tenant.state.add(&opening, one).await,
        }
    }
}

/// Reads nothing, for blocks that read no setting themselves.
fn nothing(_: &mut Manifest) -> Result<()> {
    Ok(())
}

fn site(settings: &Settings, ledger: &Arc<Ledger>, component: &Manifest) -> Site {
    let beside = component.source.file.parent().unwrap_or(Path::new(""));
    let is_here = settings
        .project
        .components()
        .all(|part| part == std::path::Component::CurDir);
    let inside = beside.starts_with(&settings.project) || (is_here && beside.is_relative());
    let root = match inside {
        true => settings.project.clone(),
        false => beside.to_path_buf(),
    };
    let own = settings.data.join(settings.tenant.as_str());
    Site {
        tenant: settings.tenant.clone(),
        component: component.name.to_string(),
        directory: own.join(component.name.as_str()),
        beside: PathBuf::from(beside),
        root,
        environment: settings.environment.clone(),
        terms: settings.terms.clone(),
        ledger: settings.terms.as_ref().map(|_| ledger.clone()),
    }
}

/// The error with the component's name and place, unless it has a nearer one, and without the component's secrets.
pub(crate) fn named(component: &Manifest, error: Error) -> Error {
    let is_placed = error.position().is_some();
    let text = Scrub::of(component).hide(error.chain());
    let text = match is_placed {
        true => text,
        false => format!("component `{}`: {text}", component.name),
    };
    let place = error.position().unwrap_or(&component.source);
    Error::new(error.kind(), text).at(place)
}
