//! Clients of servers: one for each distinct connection of a tenant, shared by all of its components over that server.

use parking_lot::Mutex;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Weak},
};
use wythe_manifest::Name;

/// The clients of one technology. A client goes with the last driver that uses it; no two tenants have one together.
pub struct Clients<K, C> {
    by_connection: Mutex<HashMap<(Name, K), Weak<C>>>,
}

impl<K, C> Default for Clients<K, C> {
    fn default() -> Self {
        Clients {
            by_connection: Mutex::default(),
        }
    }
}

impl<K: Eq + Hash, C> Clients<K, C> {
    /// The client of a tenant's connection; `make` makes it where there is none, and connects later. The settings that
    /// tell one connection from another are in `connection`, credentials too.
    pub fn share(&self, tenant: &Name, connection: K, make: impl FnOnce() -> C) -> Arc<C> {
        let mut clients = self.by_connection.lock();
        clients.retain(|_, client| client.strong_count() > 0);
        let key = (tenant.clone(), connection);
        if let Some(client) = clients.get(&key).and_then(Weak::upgrade) {
            return client;
        }
        let client = Arc::new(make());
        clients.insert(key, Arc::downgrade(&client));
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_shared_within_a_tenant_and_goes_with_its_last_user() {
        let clients = Clients::default();
        let name = |text: &str| text.parse::<Name>().unwrap();
        let one = clients.share(&name("a"), "server", || 1);
        let same = clients.share(&name("a"), "server", || 2);
        assert!(Arc::ptr_eq(&one, &same));
        let others = [
            clients.share(&name("b"), "server", || 3),
            clients.share(&name("a"), "other", || 4),
        ];
        assert_eq!(others.map(|client| *client), [3, 4]);
        drop((one, same));
        assert_eq!(*clients.share(&name("a"), "server", || 5), 5);
        assert_eq!(clients.by_connection.lock().len(), 1, "those that are gone");
    }
}
