//! An instance run again from an entry of its journal, and a journal run again to see whether the code is the same.

use super::{Engine, reading};
use crate::workflow::{
    core::{
        birth::check_free,
        context::Context,
        entry::{Entry, Kind, origin},
        machine::commit::take_up,
        meta::{Meta, Status},
        names, row,
    },
    now,
    store::{commit, keys, rows},
};
use crate::{Call, Error, Kind as ErrorKind, Result, Trace, random, state::Condition};
use std::sync::Arc;

/// Entries of one transaction.
const ENTRIES: usize = 300;

impl Engine {
    /// Begins a new instance whose journal has the first `entries` of another one, and goes on from there. What was
    /// under way at that place is begun again. The id of the new one.
    pub async fn rerun(
        self: &Arc<Self>,
        caller: &Call,
        from: &str,
        entries: u32,
        id: Option<String>,
    ) -> Result<String> {
        let source = self.granted(caller, from).await?;
        if !(1..=source.next).contains(&entries) {
            return Err(Error::invalid(format!(
                "{entries} entries of instance `{from}`; expected 1 to {}",
                source.next
            )));
        }
        let journal = self
            .journal(from, source.run, source.next, &source.hash)
            .await?;
        if let Some(reason) = journal
            .broken
            .filter(|_| journal.entries.len() < entries as usize)
        {
            return Err(Error::conflict(format!(
                "the journal of instance `{from}` cannot be copied that far: {reason}"
            )));
        }
        let id = id.map_or_else(random::name, Ok)?;
        names::check_id(&id)?;
        let mut copied: Vec<_> = journal.entries.into_iter().take(entries as usize).collect();
        copied.iter_mut().for_each(|entry| neutral(&mut entry.kind));
        let mut meta = source;
        (meta.id, meta.run, meta.next) = (id.clone(), 1, entries);
        (meta.status, meta.created, meta.updated) = (Status::Running, now(), now());
        (meta.custom, meta.output, meta.failure) = (None, None, None);
        (meta.suspended, meta.parent) = (None, None);
        (meta.tries, meta.idle_runs, meta.depth) = (0, 0, 0);
        meta.bytes = copied.iter().map(Entry::weight).sum();
        let condition = self.succeed(&mut meta).await?;
        // A run of its own: no other start under this id has entries there, and a failed copy takes only its own away.
        let [lot] = random::bytes()?;
        meta.run = meta.run.saturating_add(u32::from(lot).max(1));
        let engine = self.clone();
        self.whole(async move { engine.copy_whole(meta, copied, condition).await })
            .await?;
        Ok(id)
    }

    /// Gives the next run of an id whose instance has ended, if there is one, and what has to hold of its record.
    async fn succeed(&self, meta: &mut Meta) -> Result<Condition> {
        let Some((old, etag)) = self.meta(&meta.id).await? else {
            return Ok(Condition::Absent);
        };
        check_free(&old, meta)?;
        meta.run = old.run + 1;
        Ok(Condition::Matches(etag))
    }

    async fn copy_whole(
        self: &Arc<Self>,
        meta: Meta,
        entries: Vec<Entry>,
        condition: Condition,
    ) -> Result<()> {
        let is_new = self.admit(&meta)?;
        let (id, run) = (meta.id.clone(), meta.run);
        let copied = self.copy(&meta, entries, condition).await;
        if let Err(error) = &copied {
            self.not_begun(&meta, is_new, error);
            if !matches!(error.kind(), ErrorKind::UnknownOutcome | ErrorKind::Timeout) {
                self.clear(&id, run, true);
            }
        }
        copied
    }

    async fn copy(
        self: &Arc<Self>,
        meta: &Meta,
        entries: Vec<Entry>,
        condition: Condition,
    ) -> Result<()> {
        let (id, run) = (meta.id.clone(), meta.run);
        let mut hash = origin(self.tenant.as_str(), &id, run);
        let mut operations = Vec::new();
        for entry in &entries {
            let (value, next) = entry.encode(&hash)?;
            hash = next;
            operations.push(rows::put(keys::entry(&id, run, entry.index), value));
            if operations.len() >= ENTRIES {
                // Without a record nobody sees them yet.
                let entries = std::mem::take(&mut operations);
                self.internal_store
                    .transact(&self.caller(), entries)
                    .await?;
            }
        }
        let meta = Meta {
            hash,
            ..meta.clone()
        };
        let limits = self.settings.limits.clone();
        let context = Context::new(&id, run, limits, entries, self.clock());
        let open: Vec<_> = context.lock().task_table.open().cloned().collect();
        let changes = open.iter().filter_map(|asked| row::beginning(run, asked));
        operations.extend(changes.map(|change| commit::change(&id, &change, self.hosts.own())));
        operations.push(rows::put(keys::ready(&id), commit::ready(self.hosts.own())));
        operations.push(rows::put_if(keys::instance(&id), meta.encode()?, condition));
        self.transact_new(&meta, operations).await?;
        let effects = open.iter().filter_map(|asked| take_up(run, asked));
        self.run_effects(&meta, effects.collect());
        self.nudge(&id);
        Ok(())
    }

    /// Runs the code over the journal of an instance that has completed or failed, and writes nothing. An error says
    /// where the code and the journal differ.
    pub async fn replay(&self, id: &str) -> Result<()> {
        let (meta, _) = self.meta(id).await?.ok_or_else(|| reading::unknown(id))?;
        let journal = self.journal(id, meta.run, meta.next, &meta.hash).await?;
        if let Some(reason) = journal.broken {
            return Err(Error::conflict(reason));
        }
        let mut entries = journal.entries;
        let last = entries.pop();
        let offer = self.offer(&meta.app);
        let (Some(last), Some(offer)) = (last, offer) else {
            return Err(Error::not_found(format!(
                "app `{}` is not loaded",
                meta.app
            )));
        };
        let expected = match last.kind {
            Kind::Completed => Ok(last.payload),
            Kind::Failed { failure } => Err(failure),
            _ => {
                return Err(Error::conflict(format!(
                    "instance `{id}` is {}",
                    meta.status
                )));
            }
        };
        let (length, limits) = (entries.len(), self.settings.limits.clone());
        let input = entries.first().map(|first| first.payload.clone());
        let context = Context::new(id, meta.run, limits, entries, self.clock());
        let (span, input) = (Trace::start(), input.unwrap_or_default());
        let run = (offer.app).run_workflow(span, context.clone(), meta.name, input);
        let answer = tokio::select! {
            biased;
            answer = run => Some(answer),
            () = context.blocked() => None,
        };
        if let Some(reason) = differs(&context, length) {
            return Err(Error::conflict(reason));
        }
        match answer {
            Some(Err(error)) => Err(error),
            Some(Ok(answer)) if answer == expected => Ok(()),
            Some(Ok(_)) => Err(Error::conflict("the code now ends with another answer")),
            None => Err(Error::conflict("the code now waits, where it once ended")),
        }
    }
}

/// The point where a run differs from its journal, whose end but for the last entry is at `length`.
fn differs(context: &Context, length: usize) -> Option<String> {
    let state = context.lock();
    state.stop.clone().or_else(|| state.left()).or_else(|| {
        let more = state.entries.get(length)?.kind.command()?;
        Some(format!(
            "entry {length}: the journal ends, the code now calls {more}"
        ))
    })
}

/// A copy goes on, whatever its model was told.
fn neutral(kind: &mut Kind) {
    let reason = || "of the instance that this one is a copy of".to_owned();
    match kind {
        Kind::Started { parent, .. } => *parent = None,
        Kind::Completed | Kind::Failed { .. } | Kind::Terminated | Kind::ContinuedAsNew => {
            *kind = Kind::Resumed { reason: reason() };
        }
        _ => {}
    }
}
