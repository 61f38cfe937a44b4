//! A schedule: what happens next, which writes fail, who dies, and what must be so at the end.

use super::{clients::Clients, host::Host, random::Random, store::Store};
use crate::{
    Error, Result,
    state::Operation,
    workflow::{Timestamp, core::Clock, core::meta::Status, core::peers::HostId},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

pub(super) const HOSTS: usize = 2;
/// Things that happen before everybody is well again, and rounds until all must have ended.
const ACTIONS: u64 = 150;
const ROUNDS: u64 = 400;
const START: Timestamp = 1_000_000;

pub(super) struct World {
    pub random: Random,
    pub store: Store,
    pub hosts: Vec<Host>,
    pub clients: Clients,
    /// Writes of hosts that are dead, on their way.
    late: Vec<Vec<Operation>>,
    time: Arc<AtomicU64>,
    deaths: u64,
    /// Says that no host dies: what the store does to those that live is not mended by a start.
    is_immortal: bool,
    /// The store and the hosts fail.
    pub is_wild: bool,
    pub faults: Vec<String>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        World {
            random: Random::new(seed),
            store: Store::default(),
            hosts: (0..HOSTS as u64).map(|id| Host::down(HostId(id))).collect(),
            clients: Clients::default(),
            late: Vec::new(),
            time: Arc::new(AtomicU64::new(START)),
            deaths: 0,
            is_immortal: seed.is_multiple_of(3),
            is_wild: true,
            faults: Vec::new(),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.time.load(SeqCst)
    }

    pub fn clock(&self) -> Clock {
        let time = self.time.clone();
        Arc::new(move || time.load(SeqCst))
    }

    pub fn pass(&self, milliseconds: u64) {
        self.time.fetch_add(milliseconds, SeqCst);
    }

    pub fn run(mut self) -> std::result::Result<(), String> {
        for _ in 0..ACTIONS {
            self.take_step();
            self.check()?;
        }
        self.calm();
        for round in 0..ROUNDS {
            self.round(round);
            self.check()?;
            if self.is_over() {
                return self.judge();
            }
        }
        let left: Vec<_> = self.left().collect();
        Err(format!("these never end: {}", left.join(", ")))
    }

    fn check(&self) -> std::result::Result<(), String> {
        let first = self.store.faults.iter().chain(&self.faults).next();
        first.map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Something happens.
    fn take_step(&mut self) {
        let host = self.random.below(HOSTS as u64) as usize;
        let dice = self.random.below(100);
        if !self.hosts[host].is_up {
            if dice < 30 {
                self.boot(host);
            }
            return self.pass(10);
        }
        match dice {
            0..12 => self.client_starts(host),
            12..24 => self.client_raises(host),
            24..60 => self.work(host),
            60..80 => self.go_on(host),
            80..84 => self.fire_timers(host),
            84..87 => self.recover(host),
            87..90 => self.forget(host),
            90..92 if !self.is_immortal => self.kill(host),
            92..94 => self.arrive(),
            94..96 => self.client_holds(host),
            _ => {
                let milliseconds = self.random.below(1_500);
                self.pass(milliseconds);
            }
        }
    }

    fn kill(&mut self, host: usize) {
        self.deaths += 1;
        self.hosts[host] = Host::down(self.hosts[host].id);
        for other in &mut self.hosts {
            // It sees that one has gone.
            other.is_recovered = false;
        }
    }

    /// Starts a host, as the one that it was or as another one.
    fn boot(&mut self, host: usize) {
        let mut id = self.hosts[host].id;
        if self.random.one_in(2) {
            id.0 += HOSTS as u64;
        }
        self.hosts[host] = Host::down(id);
        self.hosts[host].is_up = true;
    }

    /// One of the hosts that are there.
    pub fn living(&mut self) -> usize {
        let up = (0..HOSTS).filter(|host| self.hosts[*host].is_up);
        let up: Vec<_> = up.collect();
        *self.random.pick(&up).expect("not all are dead")
    }

    /// Returns whether a host counts as one that lives. One that is slow may be taken for dead.
    pub fn is_alive(&mut self, id: HostId) -> bool {
        let is_up = self.hosts.iter().any(|host| host.id == id && host.is_up);
        is_up && !(self.is_wild && self.random.one_in(10))
    }

    /// A late write arrives, or is lost.
    fn arrive(&mut self) {
        if let Some(operations) = self.late.pop()
            && !self.random.one_in(4)
        {
            // Whoever wrote it hears nothing of it any more.
            let _ = self.store.transact(&operations);
        }
    }

    /// Ends all failures: of hosts that are dead one at least is started.
    fn calm(&mut self) {
        while !self.late.is_empty() {
            self.arrive();
        }
        self.is_wild = false;
        let is_any_up = self.hosts.iter().any(|host| host.is_up);
        let stays_dead = self
            .random
            .one_in(2)
            .then(|| self.random.below(HOSTS as u64) as usize);
        for host in 0..HOSTS {
            if !(self.hosts[host].is_up || is_any_up && stays_dead == Some(host)) {
                self.boot(host);
            }
        }
        if self.deaths > 0 {
            // A late write of one that has died may have come since.
            for host in &mut self.hosts {
                host.is_recovered = false;
            }
        }
    }

    fn round(&mut self, round: u64) {
        for host in 0..HOSTS {
            if !self.hosts[host].is_up {
                continue;
            }
            self.recover(host);
            self.fire_timers(host);
            self.forget(host);
            for _ in 0..20 {
                self.work(host);
                self.go_on(host);
            }
        }
        self.client_resumes();
        if round.is_multiple_of(3) {
            self.client_feeds();
        }
        self.pass(400);
    }

    fn is_over(&self) -> bool {
        let quiet = self.hosts.iter().all(Host::is_quiet);
        quiet && self.left().next().is_none()
    }

    /// Instances that have not ended.
    fn left(&self) -> impl Iterator<Item = String> + '_ {
        self.metas()
            .filter(|meta| !meta.status.has_ended())
            .map(|meta| {
                let (id, name, status) = (meta.id, meta.name, meta.status);
                let reason = meta.failure.unwrap_or_default();
                format!("`{id}` of {name}, which is {status} {reason}")
            })
    }

    /// Does a write of a host, if nothing comes in between. None where the host died.
    pub fn write(&mut self, host: usize, operations: &[Operation]) -> Option<Result<String>> {
        let unknown = || Error::unknown_outcome("the answer is lost");
        let dice = if self.is_wild {
            self.random.below(100)
        } else {
            100
        };
        match dice {
            11..16 if self.is_immortal => Some(self.store.transact(operations)),
            0..4 => Some(Err(Error::unavailable("the store is away"))),
            4..8 => Some(self.store.transact(operations).and(Err(unknown()))),
            8..11 => Some(Err(unknown())),
            11..16 => {
                match dice {
                    11..13 => {}
                    13..14 => {
                        // The host is dead whatever comes of it.
                        let _ = self.store.transact(operations);
                    }
                    _ => self.late.push(operations.to_vec()),
                }
                self.kill(host);
                None
            }
            _ => Some(self.store.transact(operations)),
        }
    }

    /// Returns whether a read fails now.
    pub fn read_fails(&mut self) -> bool {
        self.is_wild && self.random.one_in(25)
    }

    pub fn metas(&self) -> impl Iterator<Item = crate::workflow::core::meta::Meta> + '_ {
        let rows = self.store.list("||workflow||instance||").into_iter();
        rows.map(|(key, _)| {
            let id = key.rsplit("||").next().unwrap_or_default();
            self.store.meta(id).expect("it was listed").0
        })
    }

    pub fn has_ended(&self, id: &str) -> bool {
        let meta = self.store.meta(id);
        meta.is_some_and(|(meta, _)| meta.status.has_ended() || meta.status == Status::Stalled)
    }
}
