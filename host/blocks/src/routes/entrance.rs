//! The ways by which a tenant is reached from outside.

use std::collections::BTreeSet;
use wythe_manifest::{HostName, Terms};

/// The ways by which a tenant is reached from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Entrance {
    /// Every request that is for no other tenant.
    #[default]
    Open,
    /// Requests to its host names, and where `by_path` is true those whose paths begin with its own name.
    Named {
        hosts: BTreeSet<HostName>,
        by_path: bool,
        clients: KnownBy,
    },
}

/// The authority that says who a tenant's clients are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KnownBy {
    /// The host's, if it has one.
    #[default]
    Host,
    /// One of the tenant's own, whose certificate each of them has where it `is_required`.
    Tenant { is_required: bool },
}

impl Entrance {
    /// The ways by which a project is reached: by everything, unless its operator says otherwise.
    pub fn of(terms: Option<&Terms>) -> Self {
        let Some(terms) = terms else {
            return Entrance::Open;
        };
        let own = terms.tls.clients.as_ref();
        Entrance::Named {
            hosts: terms.hosts.iter().cloned().collect(),
            by_path: terms.by_path,
            clients: own.map_or(KnownBy::Host, |clients| KnownBy::Tenant {
                is_required: clients.is_required,
            }),
        }
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        let hosts = match self {
            Entrance::Open => None,
            Entrance::Named { hosts, .. } => Some(hosts.iter().map(HostName::as_str)),
        };
        hosts.into_iter().flatten()
    }

    pub(super) fn clients(&self) -> KnownBy {
        match self {
            Entrance::Open => KnownBy::Host,
            Entrance::Named { clients, .. } => *clients,
        }
    }

    pub(super) fn is_by_path(&self) -> bool {
        matches!(self, Entrance::Named { by_path: true, .. })
    }
}
