//! The operations of people and apps on instances: start, look, tell, hold, end, remove.

use super::{Engine, Sort, reading, work::Origin};
use crate::workflow::{
    Timestamp,
    core::{
        birth::birth,
        entry::Parent,
        item::Item,
        meta::{Meta, Status},
        names,
    },
    now,
    store::{commit, keys},
};
use crate::{Call, Error, Kind as ErrorKind, Result, Trace, random, state::Operation};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The options of a start.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// The id; absent for a random one.
    pub id: Option<String>,
    /// The time to begin; absent for a start at once.
    pub at: Option<Timestamp>,
}

/// An instance, for whoever asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    pub id: String,
    pub name: String,
    pub app: String,
    pub status: Status,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// Entries of its journal.
    pub entries: u32,
    pub custom: Option<String>,
    /// The reason why it failed, stalled or is suspended.
    pub reason: Option<String>,
    /// Absent in a list.
    pub input: Option<Bytes>,
    /// Absent in a list, and before the end.
    pub output: Option<Bytes>,
}

impl From<Meta> for Instance {
    fn from(meta: Meta) -> Self {
        Instance {
            id: meta.id,
            name: meta.name,
            app: meta.app,
            status: meta.status,
            created: meta.created,
            updated: meta.updated,
            entries: meta.next,
            custom: meta.custom,
            reason: meta.failure.or(meta.suspended),
            input: None,
            output: None,
        }
    }
}

impl Engine {
    /// Starts an instance of `name` or `app/name` and returns its id; `conflict` if an instance that has not ended has
    /// it.
    pub async fn start(
        self: &Arc<Self>,
        caller: &Call,
        name: &str,
        input: Bytes,
        start: Start,
    ) -> Result<String> {
        may(caller, name.rsplit('/').next().unwrap_or_default())?;
        let span = caller.trace().child();
        self.begin_instance(span, None, name, input, start).await
    }

    /// Begins an instance with the span `span`; `by` is the instance whose code starts a child, with its place above the
    /// new one.
    pub(super) async fn begin_instance(
        self: &Arc<Self>,
        span: Trace,
        by: Option<(&Origin, Parent)>,
        name: &str,
        input: Bytes,
        start: Start,
    ) -> Result<String> {
        let (offer, name) = self.find(Sort::Workflow, name)?;
        let app = offer.app.id().to_string();
        let depth = match &by {
            Some((by, _)) => self.depth_below(by, &app, &name).await?,
            None => 0,
        };
        self.check_payload("the input", &input)?;
        let id = start.id.map_or_else(random::name, Ok)?;
        names::check_id(&id)?;
        let status = match start.at {
            Some(at) if at > now() => Status::Pending,
            _ => Status::Running,
        };
        let meta = Meta {
            id,
            name,
            app,
            digest: offer.app.digest(),
            status,
            created: now(),
            updated: now(),
            run: 1,
            next: 0,
            hash: [0; 32],
            custom: None,
            output: None,
            failure: None,
            suspended: None,
            parent: by.map(|(_, parent)| parent),
            bytes: 0,
            tries: 0,
            idle_runs: 0,
            depth,
            trace: Some(span),
        };
        self.create(meta, input, start.at).await
    }

    /// The depth of a child, which the instance may start.
    async fn depth_below(&self, by: &Origin, app: &str, name: &str) -> Result<u32> {
        if by.app != app {
            self.may_start(by, name)?;
        }
        let parent = self.meta(&by.id).await?;
        Ok(parent.map_or(0, |(meta, _)| meta.depth) + 1)
    }

    async fn create(
        self: &Arc<Self>,
        meta: Meta,
        input: Bytes,
        at: Option<Timestamp>,
    ) -> Result<String> {
        let id = meta.id.clone();
        let (old, seed) = (self.meta(&id).await?, u128::from_be_bytes(random::bytes()?));
        let born = birth(self.tenant.as_str(), meta, old, (input, seed), at)?;
        let Some(commit) = born else {
            // Whoever began it may not have heard of that.
            self.nudge(&id);
            return Ok(id);
        };
        let engine = self.clone();
        // Whoever is cut off meanwhile has begun it all the same, or not at all.
        let begun = async move {
            let operations = commit::operations(&commit, engine.hosts.own())?;
            let begun = engine.transact_new(&commit.meta, operations).await;
            let kind = begun.as_ref().err().map(Error::kind);
            let may_be = [
                None,
                Some(ErrorKind::UnknownOutcome),
                Some(ErrorKind::Timeout),
            ];
            if may_be.contains(&kind) {
                engine.created(&commit.meta, at);
            }
            // The next try finds the child that somebody else has begun for the same parent.
            let is_again = kind == Some(ErrorKind::Conflict) && commit.meta.parent.is_some();
            match begun {
                Err(error) if is_again => Err(Error::unavailable(error.message().to_owned())),
                begun => begun.map(|()| id),
            }
        };
        self.whole(begun).await
    }

    /// Work that goes on to its end where its caller is gone before.
    pub(super) async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        self.tasks.spawn(async move {
            let _ = answer.send(work.await);
        });
        let stopped = || Error::unavailable("the host stops; try again when it runs");
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    fn created(self: &Arc<Self>, meta: &Meta, at: Option<Timestamp>) {
        if meta.run > 1 {
            self.clear(&meta.id, meta.run - 1, true);
        }
        match at {
            Some(at) if meta.status == Status::Pending => self.expect(&meta.id, at),
            _ => self.begin_later(&meta.app, &meta.id),
        }
    }

    /// Begins an instance, if its app may have one more. Somebody else may have taken the id meanwhile.
    pub(super) async fn transact_new(&self, meta: &Meta, operations: Vec<Operation>) -> Result<()> {
        let is_new = self.admit(meta)?;
        let stored = self
            .internal_store
            .transact(&self.caller_in(meta.trace), operations)
            .await;
        let Err(error) = stored else {
            return Ok(());
        };
        self.not_begun(meta, is_new, &error);
        match error.kind() {
            ErrorKind::Conflict => Err(Error::conflict(format!(
                "the instance id `{}` was taken at the same moment",
                meta.id
            ))),
            _ => Err(error),
        }
    }

    fn may_start(&self, by: &Origin, name: &str) -> Result<()> {
        match self.offer(&by.app) {
            Some(offer) if !offer.app.grants().workflow(name) => Err(Error::denied(format!(
                "app `{}` is not granted workflow `{name}`; add it to `grants: {{ workflow: [{name}] }}` at {}",
                by.app,
                offer.app.grants().source.short()
            ))),
            _ => Ok(()),
        }
    }

    pub(super) fn check_payload(&self, what: &str, payload: &Bytes) -> Result<()> {
        let (length, limit) = (payload.len(), self.settings.limits.payload);
        if length > limit {
            return Err(Error::invalid(format!(
                "{what} has {length} bytes; at most {limit} are kept in a journal"
            )));
        }
        Ok(())
    }

    pub async fn get(&self, caller: &Call, id: &str) -> Result<Option<Instance>> {
        names::check_id(id)?;
        let Some((meta, _)) = self.meta(id).await? else {
            return Ok(None);
        };
        may(caller, &meta.name)?;
        let (run, output) = (meta.run, meta.output);
        let mut instance = Instance::from(meta);
        let first = self.read_entry(id, run, 0).await?;
        instance.input = first.map(|entry| entry.payload);
        if let Some(index) = output {
            let last = self.read_entry(id, run, index).await?;
            instance.output = last.map(|entry| entry.payload);
        }
        Ok(Some(instance))
    }

    /// Sends an event, which is kept when this returns; the instance hears of it when it waits for it.
    pub async fn raise(
        self: &Arc<Self>,
        caller: &Call,
        id: &str,
        name: &str,
        data: Bytes,
    ) -> Result<()> {
        names::check_name("an event", name)?;
        self.check_payload("the event", &data)?;
        self.alive.check_room()?;
        let name = name.to_owned();
        self.order(caller, id, Item::Event { name, data }).await
    }

    /// Its code does not run until it is resumed; what it waits for goes on.
    pub async fn suspend(self: &Arc<Self>, caller: &Call, id: &str, reason: &str) -> Result<()> {
        let reason = cut(reason);
        self.order(caller, id, Item::Suspend { reason }).await
    }

    /// Resumes a suspended instance, or a stalled one, whose code then tries again.
    pub async fn resume(self: &Arc<Self>, caller: &Call, id: &str, reason: &str) -> Result<()> {
        let reason = cut(reason);
        self.order(caller, id, Item::Resume { reason }).await
    }

    pub async fn terminate(self: &Arc<Self>, caller: &Call, id: &str, output: Bytes) -> Result<()> {
        self.check_payload("the output", &output)?;
        self.order(caller, id, Item::Terminate { output }).await
    }

    async fn order(self: &Arc<Self>, caller: &Call, id: &str, item: Item) -> Result<()> {
        self.granted(caller, id).await?;
        self.deliver_item(id, item).await
    }

    pub(super) async fn granted(&self, caller: &Call, id: &str) -> Result<Meta> {
        names::check_id(id)?;
        let (meta, _) = self.meta(id).await?.ok_or_else(|| reading::unknown(id))?;
        may(caller, &meta.name)?;
        Ok(meta)
    }

    /// Removes an instance that has ended, with its journal.
    pub async fn purge(&self, caller: &Call, id: &str) -> Result<()> {
        let meta = self.granted(caller, id).await?;
        if !meta.status.has_ended() {
            return Err(Error::conflict(format!(
                "instance `{id}` is {}; terminate it before it is purged",
                meta.status
            )));
        }
        self.remove_all(&keys::works(id, meta.run)).await?;
        self.remove_all(&keys::histories(id)).await?;
        self.remove(&keys::instance(id)).await
    }

    /// Removes what nobody reads any more: rows of work of a run that is over, and its journal where another began.
    pub(super) fn clear(self: &Arc<Self>, id: &str, run: u32, with_journal: bool) {
        let (engine, id) = (self.clone(), id.to_owned());
        self.tasks.spawn(async move {
            let mut removed = engine.remove_all(&keys::works(&id, run)).await;
            if removed.is_ok() && with_journal {
                removed = engine.remove_all(&keys::history(&id, run)).await;
            }
            if let Err(error) = removed {
                tracing::debug!(instance = id, "rows of run {run} stay: {error}");
            }
        });
    }
}

pub(super) fn may(caller: &Call, name: &str) -> Result<()> {
    caller.require_grant(
        |grants| grants.workflow(name),
        format!("workflow `{}`", names::shown(name)),
        "workflow",
        name,
    )
}

/// A reason is for people.
fn cut(reason: &str) -> String {
    reason[..reason.floor_char_boundary(1_000)].to_owned()
}
