//! The settings of a tenant, by which its components are opened and its apps learn what is delivered to them.

use crate::Environment;
use std::path::PathBuf;
use std::sync::Arc;
use wythe_manifest::{
    Configuration, Cors, Handler, Name, Quotas, Resiliency, Secret, SecretScope, Subscription,
    Terms,
};

/// Bytes of the log of a tenant without terms.
const LOG_BYTES: u64 = 1 << 20;

/// The settings of a tenant.
pub struct Settings {
    pub tenant: Name,
    /// The directory of the manifest, which no link below it may lead out of; empty where there is none.
    pub project: PathBuf,
    /// Embedded drivers keep their files in `<data>/<tenant>/<component>`.
    pub data: PathBuf,
    /// Bytes of a state value, unless the component says otherwise by `maxValueBytes`.
    pub max_value: u64,
    /// The process's environment.
    pub environment: Environment,
    /// The secrets that the tenant's apps may have, by store.
    pub scopes: Vec<SecretScope>,
    /// Subscriptions that are declared beside the apps.
    pub subscriptions: Vec<Subscription>,
    /// The policies of calls, of every tenant that loads the files.
    pub resiliencies: Vec<Resiliency>,
    /// The documents that say which apps may call which, of every tenant that loads the files.
    pub configurations: Vec<Configuration>,
    /// The handlers of requests from outside, in their order.
    pub handlers: Vec<Handler>,
    /// The handlers of what apps are asked; of an app the first that are for it.
    pub app_handlers: Vec<AppHandlers>,
    /// The token that requests from outside have to show; none asks for none.
    pub token: Option<Secret>,
    /// The pages of other origins whose scripts may ask.
    pub cors: Option<Cors>,
    /// The word of the operator of a host with many tenants on this one; none allows everything.
    pub terms: Option<Arc<Terms>>,
}

/// The handlers of some apps, in their order.
#[derive(Clone)]
pub struct AppHandlers {
    /// The apps; empty is all.
    pub apps: Vec<Name>,
    pub handlers: Vec<Handler>,
}

impl AppHandlers {
    pub(crate) fn is_for(&self, app: &Name) -> bool {
        self.apps.is_empty() || self.apps.contains(app)
    }
}

impl Settings {
    /// Settings of a tenant without a project: 4 MiB a state value, an empty environment, no scopes, no
    /// subscriptions, no policies.
    pub fn new(tenant: Name, data: impl Into<PathBuf>) -> Self {
        Settings {
            tenant,
            project: PathBuf::new(),
            data: data.into(),
            max_value: 4 << 20,
            environment: Environment::default(),
            scopes: Vec::new(),
            subscriptions: Vec::new(),
            resiliencies: Vec::new(),
            configurations: Vec::new(),
            handlers: Vec::new(),
            app_handlers: Vec::new(),
            token: None,
            cors: None,
            terms: None,
        }
    }

    /// The weight by which the tenant shares the CPU with others.
    pub fn cpu_weight(&self) -> u32 {
        self.quotas().unwrap_or(&Quotas::default()).cpu_weight()
    }

    /// The quotas that its operator wrote or left to their defaults; none where it has no operator.
    pub fn quotas(&self) -> Option<&Quotas> {
        self.terms.as_ref().map(|terms| &terms.quotas)
    }

    /// Bytes of the tenant's log that are kept in memory.
    pub fn log_bytes(&self) -> u64 {
        self.quotas().map_or(LOG_BYTES, Quotas::log_bytes)
    }
}
