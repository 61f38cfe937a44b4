//! Keeps what is new of an instance: its entries, the rows that they cause, and its record, all or nothing.

use super::{
    ends::is_over, engine::Engine, entry::Entry, keys, live::Live, meta::Status, now, rows,
    work::Origin,
};
use crate::{
    Error, Result,
    state::{Condition, Operation},
};
use bytes::Bytes;

/// Operations, and bytes of payloads, of the entries of one transaction. The first entries of a run fit into one, with
/// the events that the run before hands on.
const OPERATIONS: usize = 700;
const BYTES: usize = 16 << 20;

/// An entry with the operations that keep its rows.
type Caused = (Entry, Vec<Operation>);

impl Live {
    /// Keeps what is new, with the rows that it causes.
    pub async fn flush(&mut self) -> Result<()> {
        self.meta.bytes = self.context.lock().bytes;
        let wants_ready = self.is_behind && self.meta.status == Status::Running;
        let is_same = self.meta == self.kept && wants_ready == self.has_ready;
        let new = self.caused();
        if new.is_empty() && self.rows.is_empty() && is_same {
            return Ok(());
        }
        let mut chunks = chunks(&new).into_iter().peekable();
        loop {
            let chunk = chunks.next().unwrap_or_default();
            let is_last = chunks.peek().is_none();
            self.write(chunk, is_last, wants_ready || !is_last).await?;
            if is_last {
                break;
            }
        }
        self.after(&new);
        Ok(())
    }

    fn caused(&self) -> Vec<Caused> {
        let (id, run) = (&self.meta.id, self.meta.run);
        let state = self.context.lock();
        let new = state.entries[self.flushed..].iter();
        new.map(|entry| (entry.clone(), rows::of_entry(id, run, entry, &state)))
            .collect()
    }

    async fn write(&mut self, new: &[Caused], is_last: bool, ready: bool) -> Result<()> {
        let mut meta = if is_last {
            self.meta.clone()
        } else {
            self.kept.clone()
        };
        meta.bytes = self.meta.bytes;
        (meta.next, meta.hash, meta.run) = (self.meta.next, self.meta.hash, self.meta.run);
        meta.updated = now().max(meta.updated);
        let (id, run) = (meta.id.clone(), meta.run);
        let mut operations = Vec::with_capacity(new.len() * 2 + 4);
        for (entry, caused) in new {
            let (value, hash) = entry.encode(&meta.hash)?;
            operations.push(rows::put(keys::entry(&id, run, entry.index), value));
            operations.extend_from_slice(caused);
            (meta.next, meta.hash) = (entry.index + 1, hash);
        }
        if is_last {
            operations.append(&mut self.rows);
            operations.extend(self.end_row());
        }
        match (ready, self.has_ready) {
            (true, _) => operations.push(rows::put(keys::ready(&id), Bytes::new())),
            (false, true) => operations.push(rows::delete(keys::ready(&id))),
            (false, false) => {}
        }
        let condition = Condition::Matches(self.etag.clone());
        operations.push(rows::put_if(keys::instance(&id), meta.encode()?, condition));
        let engine = self.engine.clone();
        let mut etags = engine
            .keeper
            .transact(&engine.caller_in(self.meta.trace), operations)
            .await?;
        let etag = etags.pop().flatten();
        self.etag = etag.ok_or_else(|| Error::internal("a put in a transaction has no etag"))?;
        self.flushed += new.len();
        self.has_ready = ready;
        (self.meta.next, self.meta.hash, self.meta.updated) = (meta.next, meta.hash, meta.updated);
        self.kept = meta;
        Ok(())
    }

    /// The row by which a parent hears of the end.
    fn end_row(&self) -> Option<Operation> {
        let parent = self.meta.parent.as_ref()?;
        let value = self.end_value()?;
        Some(rows::put(Engine::end_key(parent), value))
    }

    fn end_value(&self) -> Option<Bytes> {
        if !self.meta.status.has_ended() {
            return None;
        }
        let failure = match self.meta.status {
            Status::Terminated => Some("the child was terminated"),
            _ => self.meta.failure.as_deref(),
        };
        let mut value = vec![u8::from(failure.is_some())];
        match failure {
            Some(failure) => value.extend_from_slice(failure.as_bytes()),
            None => {
                let state = self.context.lock();
                let output = state.entries.last().map(|entry| entry.payload.clone());
                value.extend_from_slice(&output.unwrap_or_default());
            }
        }
        Some(value.into())
    }

    /// Takes up what was kept.
    fn after(&mut self, new: &[Caused]) {
        let (id, run) = (&self.meta.id, self.meta.run);
        if is_over(self.meta.status) {
            self.engine.ends.ring(id);
        }
        if self.meta.status.has_ended() {
            self.engine.alive.end(&self.meta.app, id);
            if let (Some(parent), Some(value)) = (&self.meta.parent, self.end_value()) {
                self.engine
                    .deliver_end(&Engine::end_key(parent), value, None);
            }
            return self.engine.clear(id, run, false);
        }
        let begins = new.first().is_some_and(|(first, _)| first.index == 0);
        if begins && run > 1 {
            self.engine.clear(id, run - 1, true);
        }
        let origin = Origin::of(&self.meta);
        let state = self.context.lock();
        let is_open = |entry: &&Entry| {
            let task = entry.kind.task();
            task.is_some_and(|task| state.board.is_open(task))
        };
        let entries = new.iter().map(|(entry, _)| entry);
        self.engine.take_up(&origin, run, entries.filter(is_open));
    }
}

/// Cuts the new entries into chunks that fit into a transaction each; there is one at least, which may be empty.
fn chunks(new: &[Caused]) -> Vec<&[Caused]> {
    let mut chunks = Vec::new();
    let (mut start, mut operations, mut bytes) = (0, 0, 0);
    for (place, (entry, caused)) in new.iter().enumerate() {
        let more = 1 + caused.len();
        let is_full = operations + more > OPERATIONS || bytes + entry.payload.len() > BYTES;
        if is_full && place > start {
            chunks.push(&new[start..place]);
            (start, operations, bytes) = (place, 0, 0);
        }
        operations += more;
        bytes += entry.payload.len();
    }
    chunks.push(&new[start..]);
    chunks
}
