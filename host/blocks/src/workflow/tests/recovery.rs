//! Recovery by a simulated host: of the rows that one left which died before it began, or meanwhile.

use super::{host::From, world::World};
use crate::{
    Kind, Result,
    workflow::{
        core::{attempt, item::Item},
        store::{commit, keys},
    },
};

impl World {
    /// Takes up what an earlier host left, and what one left that has gone.
    pub fn recover(&mut self, host: usize) {
        if self.hosts[host].is_recovered || self.read_fails() {
            return;
        }
        self.hosts[host].is_recovered = true;
        for (key, value) in self.store.list(&keys::all(keys::ENDED)) {
            let (id, run, task) = keys::parse_row(&key, keys::ENDED).expect("a key");
            self.deliver_end(host, id, (run, task), value);
        }
        for (key, row) in self.store.list(&keys::all(keys::WORK)) {
            match self.claim(host, &key, &row) {
                Some(Ok(true)) => self.dispatch(host, key, None),
                Some(Ok(false)) => {}
                Some(Err(_)) => {
                    self.hosts[host].is_recovered = false;
                    return;
                }
                None => return,
            }
        }
        for (key, runner) in self.store.list(&keys::all(keys::READY)) {
            let (own, runner) = (self.hosts[host].id, commit::runner(&runner));
            if runner.is_some_and(|id| id != own && self.is_alive(id)) {
                continue;
            }
            let id = keys::parse_ready(&key).expect("a key");
            self.hosts[host].post(id, Item::Run, From::Nudge);
        }
    }

    /// Makes work a host's own; false where one that lives does it. None where the host died.
    fn claim(&mut self, host: usize, key: &str, row: &[u8]) -> Option<Result<bool>> {
        let (own, mut row) = (
            self.hosts[host].id,
            attempt::Row::decode(row).expect("a row"),
        );
        match row.host {
            Some(id) if id == own => return Some(Ok(true)),
            Some(id) if self.is_alive(id) => return Some(Ok(false)),
            _ => row.host = Some(own),
        }
        let Some((_, version)) = self.store.get(key) else {
            return Some(Ok(false));
        };
        match self.write(host, &[commit::attempt(key, row, version)])? {
            Ok(_) => Some(Ok(true)),
            Err(error) if error.kind() == Kind::Conflict => Some(Ok(false)),
            Err(error) => Some(Err(error)),
        }
    }
}
