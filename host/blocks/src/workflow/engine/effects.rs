//! Commits and effects: what the core decided is written, and then done.

use super::{
    Engine,
    work::{Order, Origin, Work},
};
use crate::{
    Error, Result, Trace,
    metrics::End,
    text::cut,
    workflow::{
        core::{
            attempt::Row,
            item::Effect,
            machine::commit::Commit,
            meta::{Meta, Status},
        },
        store::{commit, keys},
    },
};
use std::{sync::Arc, time::Duration};
use wythe_manifest::Name;

/// Bytes of a failure in the log.
const FAILURE: usize = 512;

impl Engine {
    /// Writes a commit and returns the record's version; `exhausted` where the tenant has no bytes left for its journal.
    /// After an error the instance is read again, and counted as it is then.
    pub(super) async fn persist(&self, commit: &Commit, trace: Option<Trace>) -> Result<String> {
        self.alive.grow(&commit.meta)?;
        let operations = commit::operations(commit, self.hosts.own())?;
        let caller = self.caller_in(trace);
        let mut etags = self.internal_store.transact(&caller, operations).await?;
        let etag = etags.pop().flatten();
        etag.ok_or_else(|| Error::internal("a put in a transaction has no etag"))
    }

    /// Does what an instance wants done, after the commit.
    pub(super) fn run_effects(self: &Arc<Self>, meta: &Meta, effects: Vec<Effect>) {
        let id = &meta.id;
        for effect in effects {
            match effect {
                Effect::Start { run, asked } => {
                    let row = Row {
                        entry: asked.index,
                        host: self.hosts.own(),
                        ..Row::default()
                    };
                    let task = asked.kind.task().unwrap_or_default();
                    let order = Order::new(row, &asked, Origin::of(meta));
                    self.dispatch(Work::new(keys::work(id, run, task), order));
                }
                Effect::Expect(due) => self.expect(id, due),
                Effect::Ring => {
                    self.count(meta);
                    self.ends.ring(id);
                }
                Effect::Leave => self.alive.end(&meta.app, id),
                Effect::AnswerParent(parent, value) => self.deliver_end(parent, value, None),
                Effect::Clear { run, with_journal } => self.clear(id, run, with_journal),
                Effect::Again(pause) if pause.is_zero() => self.nudge(id),
                Effect::Again(pause) => self.nudge_after(id, pause),
            }
        }
    }

    /// Counts the end of an instance, or that it has stalled, and says in the log what to do of one that failed.
    fn count(&self, meta: &Meta) {
        let end = match meta.status {
            Status::Completed => End::Completed,
            Status::Failed => End::Failed,
            Status::Terminated => End::CutShort,
            Status::Stalled => End::Stalled,
            Status::Pending | Status::Running | Status::Suspended => return,
        };
        if let Some(offer) = self.offer(&meta.app) {
            let took = Duration::from_millis(meta.updated.saturating_sub(meta.created));
            offer.app.meters().workflow_ended(end, took, meta.trace);
        }
        if end == End::Failed
            && let Some(unsaid) = self.ends.failed.allows()
        {
            warn_of_failure(&self.tenant, meta, unsaid);
        }
    }

    /// Remembers that nobody knows whether a commit of this instance is kept.
    pub(super) fn doubt(&self, id: &str) {
        let mut doubtful = self.doubtful.lock();
        doubtful.insert(id.to_owned());
    }

    /// Returns whether that is so, once.
    pub(super) fn is_doubtful(&self, id: &str) -> bool {
        let mut doubtful = self.doubtful.lock();
        doubtful.remove(id)
    }

    /// Takes up what an instance waits for, where nobody knows whether that is under way.
    pub(super) fn take_up_open(self: &Arc<Self>, meta: &Meta, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Start { run, asked } => {
                    let task = asked.kind.task().unwrap_or_default();
                    self.dispatch(Work::found(keys::work(&meta.id, run, task)));
                }
                Effect::Expect(due) => self.expect(&meta.id, due),
                _ => {}
            }
        }
    }

    /// Does what the end of an instance asks for, where nobody knows whether that was done.
    pub(super) async fn take_up_end(self: &Arc<Self>, meta: &Meta) -> Result<()> {
        self.ends.ring(&meta.id);
        self.alive.end(&meta.app, &meta.id);
        self.clear(&meta.id, meta.run, false);
        let Some(parent) = &meta.parent else {
            return Ok(());
        };
        let stored = self
            .internal_store
            .get(&self.caller(), &keys::end_of(parent))
            .await?;
        if let Some(stored) = stored {
            self.deliver_end(parent.clone(), stored.value, None);
        }
        Ok(())
    }
}

/// Says in the log that an instance failed, and what to do; so many lines about others were left out.
fn warn_of_failure(tenant: &Name, meta: &Meta, unsaid: u64) {
    let failure = meta.failure.as_deref().unwrap_or_default();
    tracing::warn!(
        %tenant,
        app = meta.app,
        workflow = meta.name,
        instance = meta.id,
        unsaid,
        "a workflow failed: {}; see `wythe workflow history {}`, and run it again by `wythe workflow rerun`",
        cut(failure, FAILURE),
        meta.id
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_lines::LogLines;
    use serde_json::json;

    #[test]
    fn a_failed_workflow_is_one_line_with_the_next_command() {
        let lines = LogLines::start();
        let meta = json!({
            "id": "order-7", "name": "ship", "app": "orders", "digest": "", "status": "failed",
            "created": 0, "updated": 0, "run": 1, "next": 0, "hash": vec![0; 32], "custom": null,
            "output": null, "failure": "no stock".to_owned() + &"!".repeat(2 * FAILURE),
            "suspended": null, "parent": null,
        });
        let meta = serde_json::from_value(meta).expect("a record");
        warn_of_failure(&"shop".parse().expect("a name"), &meta, 3);
        let found = lines.with("a workflow failed: no stock!!");
        let [line] = found.as_slice() else {
            panic!("one line in {found:?}");
        };
        for part in [
            "WARN",
            "; see `wythe workflow history order-7`, and run it again by `wythe workflow rerun`",
            "tenant=shop",
            "app=\"orders\"",
            "workflow=\"ship\"",
            "unsaid=3",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(line.len() < 2 * FAILURE, "the failure is cut: {line}");
    }
}
