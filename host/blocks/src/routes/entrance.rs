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

/// The authority that says who a tenant's clients are; a later one is the stricter one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
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

    /// The same ways for fewer clients: for those that this one and the other one let in.
    #[must_use]
    pub fn narrowed(self, other: &Entrance) -> Self {
        match self {
            Entrance::Open => Entrance::Open,
            Entrance::Named {
                hosts,
                by_path,
                clients,
            } => Entrance::Named {
                hosts,
                by_path,
                clients: clients.max(other.clients()),
            },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_word_on_clients_is_that_of_either() {
        let of = |clients, by_path| Entrance::Named {
            hosts: BTreeSet::new(),
            by_path,
            clients,
        };
        let [optional, required] = [false, true].map(|is_required| KnownBy::Tenant { is_required });
        for (one, other, expected) in [
            (KnownBy::Host, required, required),
            (required, KnownBy::Host, required),
            (required, optional, required),
            (optional, required, required),
            (KnownBy::Host, optional, optional),
            (optional, KnownBy::Host, optional),
            (KnownBy::Host, KnownBy::Host, KnownBy::Host),
        ] {
            let found = of(one, true).narrowed(&of(other, false));
            assert_eq!(found, of(expected, true), "{one:?} {other:?}");
        }
        let open = Entrance::Open.narrowed(&of(required, true));
        assert_eq!(open, Entrance::Open);
    }
}
