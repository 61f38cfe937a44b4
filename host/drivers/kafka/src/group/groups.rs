//! The groups as which a component reads.

use super::Group;
use crate::{client::Client, fault::closed, names, puller::Puller, settings::Reading};
use futures::future::join_all;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use wythe_blocks::{Error, Result};

/// Groups by their names, and whether each ends with its last member.
pub(crate) struct Groups {
    client: Arc<Client>,
    reading: Reading,
    known: Mutex<HashMap<(String, bool), Arc<Group>>>,
    is_closed: AtomicBool,
}

impl Groups {
    pub fn new(client: Arc<Client>, reading: Reading) -> Self {
        Groups {
            client,
            reading,
            known: Mutex::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Joins a group for topics, and returns a puller for each.
    pub async fn join(
        &self,
        name: &str,
        topics: &[String],
        is_passing: bool,
    ) -> Result<Vec<Puller>> {
        if name.len() > names::LONGEST {
            return Err(Error::invalid(format!(
                "the consumer group `{}` has more than {} bytes",
                name.escape_debug(),
                names::LONGEST
            )));
        }
        // A topic is asked for first, as its error says more than that of a group.
        for topic in topics {
            self.client.topic(topic).await?;
        }
        loop {
            let group = self.enter(name, is_passing)?;
            let pullers = topics.iter().map(|topic| Puller::sit(&group, topic));
            let Some(pullers) = pullers.collect::<Option<Vec<_>>>() else {
                group.left().await;
                self.forget(name, is_passing, &group);
                continue;
            };
            for topic in topics {
                group.joined(topic).await?;
            }
            return Ok(pullers);
        }
    }

    /// The group as it is, or a new one.
    #[expect(
        clippy::disallowed_methods,
        reason = "the task ends with the group's last subscription, and a close waits for it"
    )]
    fn enter(&self, name: &str, is_passing: bool) -> Result<Arc<Group>> {
        let mut known = self.known.lock();
        if self.is_closed.load(Relaxed) {
            return Err(closed());
        }
        let key = (name.to_owned(), is_passing);
        if let Some(group) = known.get(&key) {
            return Ok(group.clone());
        }
        let (client, reading) = (self.client.clone(), self.reading.clone());
        let group = Arc::new(Group::new(client, key.0.clone(), reading, is_passing));
        tokio::spawn(group.clone().run());
        known.insert(key, group.clone());
        Ok(group)
    }

    /// Forgets a group that has ended, unless another one has its place.
    fn forget(&self, name: &str, is_passing: bool, group: &Arc<Group>) {
        let mut known = self.known.lock();
        let key = (name.to_owned(), is_passing);
        let found = known.get(&key);
        if found.is_some_and(|found| Arc::ptr_eq(found, group)) {
            known.remove(&key);
        }
    }

    /// Ends every group.
    pub async fn close(&self) {
        self.is_closed.store(true, Relaxed);
        let groups: Vec<_> = self.known.lock().drain().map(|(_, group)| group).collect();
        join_all(groups.iter().map(|group| group.close())).await;
    }
}
