//! The commands of the workflow block, as the command line gives them.

use super::Binary;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use wythe_blocks::{
    Caller, Host, Result,
    workflow::{self, Bulk, Engine, Filter, Start, Status},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Start(Asked),
    Get {
        id: String,
        /// The longest wait for its end.
        wait: Duration,
    },
    List {
        name: Option<String>,
        status: Option<Status>,
        limit: u32,
        cursor: Option<String>,
    },
    History {
        id: String,
        from: u32,
        limit: u32,
    },
    Tell {
        id: String,
        what: Tell,
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

/// An instance that is to begin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asked {
    pub name: String,
    pub id: Option<String>,
    pub input: Binary,
    pub at: Option<u64>,
}

/// A message to an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tell {
    Event { name: String, data: Binary },
    Suspend { reason: String },
    Resume { reason: String },
    Terminate { result: Binary },
    Purge,
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

pub(super) async fn execute(host: &Host, caller: &Caller, action: Action) -> Result<super::Answer> {
    let engine = host.workflows(caller.tenant())?;
    let answer = answer(&engine, caller, action).await;
    answer.map(super::Answer::Workflow)
}

async fn answer(engine: &Arc<Engine>, caller: &Caller, action: Action) -> Result<Answer> {
    match action {
        Action::Start(asked) => start(engine, caller, asked).await,
        Action::Get { id, wait } => {
            let found = engine.wait_end(caller, &id, wait).await?;
            Ok(Answer::Instance(found.map(|found| Box::new(found.into()))))
        }
        Action::List {
            name,
            status,
            limit,
            cursor,
        } => {
            let filter = Filter { name, status };
            let page = list(engine, caller, &filter, cursor, limit);
            Ok(page.await?.into())
        }
        Action::History { id, from, limit } => {
            let history = engine.history(&id, from, limit as usize).await?;
            Ok(history.into())
        }
        Action::Rerun {
            id,
            entries,
            new_id,
        } => {
            let id = engine.rerun(caller, &id, entries, new_id).await?;
            Ok(Answer::Id(id))
        }
        Action::Sweep { what, name, cursor } => {
            let swept = engine.sweep(caller, what, &name, cursor.as_deref());
            Ok(swept.await?.into())
        }
        Action::Tell { id, what } => {
            tell(engine, caller, &id, what).await?;
            Ok(Answer::Done)
        }
    }
}

async fn start(engine: &Arc<Engine>, caller: &Caller, asked: Asked) -> Result<Answer> {
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
async fn list(
    engine: &Arc<Engine>,
    caller: &Caller,
    filter: &Filter,
    mut cursor: Option<String>,
    limit: u32,
) -> Result<workflow::Page> {
    loop {
        let page = engine.list(caller, filter, cursor.as_deref(), limit);
        let page = page.await?;
        if !page.instances.is_empty() || page.next.is_none() {
            return Ok(page);
        }
        cursor = page.next;
    }
}

async fn tell(engine: &Arc<Engine>, caller: &Caller, id: &str, what: Tell) -> Result<()> {
    match what {
        Tell::Event { name, data } => engine.raise(caller, id, &name, data.0.into()).await,
        Tell::Suspend { reason } => engine.suspend(caller, id, &reason).await,
        Tell::Resume { reason } => engine.resume(caller, id, &reason).await,
        Tell::Terminate { result } => engine.terminate(caller, id, result.0.into()).await,
        Tell::Purge => engine.purge(caller, id).await,
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
