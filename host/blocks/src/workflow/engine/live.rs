//! An instance in memory: what the core has of it, and its code where that has come to a wait.

mod code;

use super::{Engine, shares::Room};
use crate::{
    Result, random,
    workflow::core::{
        entry::Entry,
        item::Item,
        machine::{
            Machine,
            commit::Next,
            step::{AfterStep, Step},
        },
        meta::Meta,
    },
};
use code::Code;
use std::sync::Arc;

pub(super) struct Live {
    pub machine: Machine,
    engine: Arc<Engine>,
    code: Option<Code>,
    /// The room for the bytes of the journal.
    room: Room,
}

impl Live {
    /// `room` is for the journal's bytes.
    pub fn new(engine: Arc<Engine>, read: (Meta, String), entries: Vec<Entry>, room: Room) -> Self {
        let limits = engine.settings.limits.clone();
        Live {
            machine: Machine::new(read, entries, limits, engine.clock()),
            engine,
            code: None,
            room,
        }
    }

    /// Returns whether it is worth a place in memory: its code waits there, and its journal has room.
    pub fn is_at_work(&mut self) -> bool {
        self.code.is_some() && self.machine.may_wait() && self.has_room()
    }

    /// Takes room for what the journal has grown by, if there is some.
    fn has_room(&mut self) -> bool {
        let (app, bytes) = (&self.machine.meta.app, self.machine.meta.bytes);
        self.engine.grow_room(app, &mut self.room, bytes)
    }

    /// Takes an input into the journal, for the next flush. An error is for the sender of the input.
    pub fn accept(&mut self, item: Item) -> Result<()> {
        let accepted = self.machine.accept(item);
        self.drop_code();
        accepted
    }

    fn drop_code(&mut self) {
        if !self.machine.may_wait() {
            self.code = None;
        }
    }

    /// The digest of the app's component.
    fn digest(&self) -> Option<String> {
        let offer = self.engine.offer(&self.machine.meta.app)?;
        Some(offer.app.digest())
    }

    /// Runs the code to its next wait, if there is anything new for it.
    pub async fn advance(&mut self) -> Result<()> {
        let digest = self.digest();
        if !self.engine.is_running() || !self.machine.wants_to_run(digest.as_deref()) {
            self.drop_code();
            return Ok(());
        }
        let stored = self.machine.context.lock().entries.len();
        if !self.begin_code().await {
            return Ok(());
        }
        let step = self.run_code().await?;
        let has_ended = matches!(step, Step::Returned(_));
        let after = self.machine.stepped(stored, step, digest.as_deref());
        if has_ended {
            self.code = None;
        }
        self.drop_code();
        match after {
            AfterStep::Persist => Ok(()),
            AfterStep::Anew(input) => {
                self.flush().await?;
                let (tenant, seed) = (self.engine.tenant.as_str(), random::bytes()?);
                let seed = u128::from_be_bytes(seed);
                self.machine.begin_anew(tenant, input, seed, digest)
            }
        }
    }

    /// Keeps what is new, with the rows that it causes, and does what is to be done then.
    pub async fn flush(&mut self) -> Result<()> {
        while let Some(next) = self.machine.next()? {
            let commit = match next {
                Next::Write(commit) => commit,
                Next::Run(effects) => {
                    self.engine.run_effects(&self.machine.meta, effects);
                    continue;
                }
            };
            let trace = self.machine.meta.trace;
            let version = self.engine.persist(&commit, trace).await?;
            self.machine.committed(commit, version);
        }
        Ok(())
    }
}
