//! The commands of the workflow block, as an operator gives them.

use super::Binary;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use wythe_blocks::{
    Call, Result, Tenant,
    workflow::{self, Bulk, Engine, Filter, Start, Status},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    Start(Asked),
    Get {
        id: String,
        /// The longest wait for its end.
        wait_milliseconds: u64,
    },
    List(List),
    History {
        id: String,
        from: u32,
        limit: u32,
    },
    Raise {
        id: String,
        name: String,
        data: Binary,
    },
    Suspend {
        id: String,
        reason: String,
    },
    Resume {
        id: String,
        reason: String,
    },
    Terminate {
        id: String,
        result: Binary,
    },
    Purge {
        id: String,
    },
    Rerun {
        id: String,
        entries: u32,
        new_id: Option<String>,
    },
    /// One page of them.
    Sweep {
        what: Bulk,
        name: String,
        cursor: Option<String>,
    },
}

/// The instances that are looked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    pub name: Option<String>,
    pub status: Option<Status>,
    pub limit: u32,
    pub cursor: Option<String>,
}

/// An instance that is to begin.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub name: String,
    pub id: Option<String>,
    pub input: Binary,
    pub at: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Id(String),
    /// An instance; absent where there is none.
    Instance(Option<Box<Instance>>),
    Page {
        instances: Vec<Instance>,
        next: Option<String>,
    },
    History {
        entries: Vec<Entry>,
        /// The reason why what follows is not to be believed.
        broken: Option<String>,
        next: Option<u32>,
    },
    Done,
    Swept {
        done: usize,
        /// Ids, and why they stay.
        failed: Vec<(String, String)>,
        next: Option<String>,
    },
}

/// Times are milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Instance {
    pub id: String,
    pub name: String,
    pub app: String,
    pub status: Status,
    pub created: u64,
    pub updated: u64,
    pub entries: u32,
    pub custom_status: Option<String>,
    pub reason: Option<String>,
    pub input: Option<Binary>,
    pub output: Option<Binary>,
}

/// One line of a history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub index: u32,
    pub time: u64,
    pub kind: String,
    pub task: Option<u32>,
    /// A name, or a reason.
    pub about: String,
    pub attempts: Option<u32>,
    pub payload: Binary,
}

pub(super) async fn execute(
    tenant: &Tenant,
    caller: &Call,
    action: Action,
) -> Result<super::Answer> {
    let engine = tenant.workflows()?;
    let answer = answer(&engine, caller, action).await;
    answer.map(super::Answer::Workflow)
}

async fn answer(engine: &Arc<Engine>, caller: &Call, action: Action) -> Result<Answer> {
    let done = match action {
        Action::Start(asked) => return start(engine, caller, asked).await,
        Action::Get {
            id,
            wait_milliseconds,
        } => {
            let wait = Duration::from_millis(wait_milliseconds);
            let found = engine.wait_end(caller, &id, wait).await?;
            return Ok(Answer::Instance(found.map(|found| Box::new(found.into()))));
        }
        Action::List(asked) => return Ok(list(engine, caller, asked).await?.into()),
        Action::History { id, from, limit } => {
            let history = engine.history(&id, from, limit as usize).await?;
            return Ok(history.into());
        }
        Action::Rerun {
            id,
            entries,
            new_id,
        } => {
            let id = engine.rerun(caller, &id, entries, new_id).await?;
            return Ok(Answer::Id(id));
        }
        Action::Sweep { what, name, cursor } => {
            let swept = engine.sweep(caller, what, &name, cursor.as_deref());
            return Ok(swept.await?.into());
        }
        Action::Raise { id, name, data } => engine.raise(caller, &id, &name, data.0.into()).await,
        Action::Suspend { id, reason } => engine.suspend(caller, &id, &reason).await,
        Action::Resume { id, reason } => engine.resume(caller, &id, &reason).await,
        Action::Terminate { id, result } => engine.terminate(caller, &id, result.0.into()).await,
        Action::Purge { id } => engine.purge(caller, &id).await,
    };
    done.map(|()| Answer::Done)
}

async fn start(engine: &Arc<Engine>, caller: &Call, asked: Asked) -> Result<Answer> {
    let Asked {
        name,
        id,
        input,
        at,
    } = asked;
    let id = engine.start(caller, &name, input.0.into(), Start { id, at });
    Ok(Answer::Id(id.await?))
}

/// Walks on over instances that do not fit, until there is something to show.
async fn list(engine: &Arc<Engine>, caller: &Call, asked: List) -> Result<workflow::Page> {
    let List {
        name,
        status,
        limit,
        mut cursor,
    } = asked;
    let filter = Filter { name, status };
    loop {
        let page = engine.list(caller, &filter, cursor.as_deref(), limit);
        let page = page.await?;
        if !page.instances.is_empty() || page.next.is_none() {
            return Ok(page);
        }
        cursor = page.next;
    }
}

impl From<workflow::Swept> for Answer {
    fn from(swept: workflow::Swept) -> Self {
        let failed = swept.failed.into_iter();
        Answer::Swept {
            done: swept.done,
            failed: failed.map(|(id, error)| (id, error.to_string())).collect(),
            next: swept.next,
        }
    }
}

impl From<workflow::Page> for Answer {
    fn from(page: workflow::Page) -> Self {
        Answer::Page {
            instances: page.instances.into_iter().map(Into::into).collect(),
            next: page.next,
        }
    }
}

impl From<workflow::Instance> for Instance {
    fn from(instance: workflow::Instance) -> Self {
        Instance {
            id: instance.id,
            name: instance.name,
            app: instance.app,
            status: instance.status,
            created: instance.created,
            updated: instance.updated,
            entries: instance.entries,
            custom_status: instance.custom,
            reason: instance.reason,
            input: instance.input.map(|bytes| Binary(bytes.into())),
            output: instance.output.map(|bytes| Binary(bytes.into())),
        }
    }
}

impl From<workflow::History> for Answer {
    fn from(history: workflow::History) -> Self {
        let entry = |entry: workflow::Entry| Entry {
            index: entry.index,
            time: entry.time,
            kind: entry.kind.as_str().to_owned(),
            task: entry.kind.task(),
            about: entry.kind.detail().to_owned(),
            attempts: entry.kind.attempts(),
            payload: Binary(entry.payload.into()),
        };
        Answer::History {
            entries: history.entries.into_iter().map(entry).collect(),
            broken: history.broken,
            next: history.next,
        }
    }
}
