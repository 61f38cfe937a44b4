//! Turns whose commit has no room in the state of their tenant: nothing of them is kept, and nothing else is lost.

use super::{PATIENCE, TIMER, tenant};
use crate::{list, open::component};
use async_trait::async_trait;
use bytes::Bytes;
use conformance::{runtime, terms};
use libtest_mimic::Trial;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use wythe_blocks::{
    App, Call, Callee, Exports, Kind, Profile, Result, Settings, Shared, Tenant,
    actors::{self, Trigger, context},
    time,
};
use wythe_manifest::Metered;

pub(super) fn trials() -> Vec<Trial> {
    let hosting = list::of("state").filter(|one| one.hosts() && one.is_counted());
    let trial = |name: String| {
        Trial::test(
            format!("refused::{name}::a_commit_that_is_refused_loses_nothing"),
            move || {
                runtime()?
                    .block_on(async { tokio::time::timeout(PATIENCE, commits(&name)).await })
                    .map_err(|_| "it never ended".into())
            },
        )
    };
    hosting.map(|subject| trial(subject.name())).collect()
}

/// An app whose actors have a value, which calls look at, set and delete; a timer and a reminder go off once, and each
/// writes a large one.
#[derive(Default)]
struct Writer {
    /// Turns of timers, and of reminders.
    timers: AtomicU32,
    reminders: AtomicU32,
}

const LARGE: usize = 700 << 10;

#[async_trait]
impl Callee for Writer {
    fn exports(&self) -> Exports {
        Exports {
            actor_handler: true,
            ..Exports::default()
        }
    }

    async fn actor_types(&self, _: Call) -> Result<Vec<actors::Type>> {
        Ok(vec![actors::Type::new("writer")])
    }

    async fn actor_turn(&self, call: Call, trigger: Trigger) -> Result<Bytes> {
        let turn = context(&call)?;
        let large = || Bytes::from(vec![b'x'; LARGE]);
        match trigger {
            Trigger::Call(method, data) => match method.as_str() {
                "timer" => turn.set_timer(&call, "once", TIMER, None, Bytes::new())?,
                "remind" => {
                    let reminder = turn.set_reminder(&call, "once", TIMER, None, Bytes::new());
                    reminder.await?;
                }
                "look" => {}
                "delete" => turn.delete(&call, "value")?,
                _ => turn.put(&call, "value", data, None)?,
            },
            Trigger::Timer(..) => {
                self.timers.fetch_add(1, Relaxed);
                turn.put(&call, "timer", large(), None)?;
            }
            Trigger::Reminder(..) => {
                self.reminders.fetch_add(1, Relaxed);
                turn.put(&call, "reminder", large(), None)?;
            }
            Trigger::Activate | Trigger::Deactivate => {}
        }
        let value = turn.get(&call, "value").await?;
        Ok(value.map_or(Bytes::new(), |value| value.slice(..1)))
    }
}

async fn open(driver: &str, data: &Path, writer: Arc<Writer>) -> Arc<Tenant> {
    let settings = Settings {
        terms: Some(Arc::new(terms("stateBytes: 1MiB"))),
        ..Settings::new(tenant(), data)
    };
    let host = Tenant::new(settings, &Shared::default());
    let components = [component("state", driver, "[]")];
    let opened = host.open(&wythe_drivers::registry(), &components).await;
    opened.expect("the host opens");
    let profile = Profile {
        ledger: host.ledger.clone(),
        ..Profile::new(tenant(), "writer".parse().expect("a name"))
    };
    let app = App::new(profile, writer);
    host.admit(&app, None).await.expect("the app");
    host.start(&app).await.expect("actors");
    host
}

fn bytes(host: &Tenant) -> u64 {
    host.ledger.readings()[Metered::StateBytes as usize].used
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[track_caller]
fn is_refused(error: &wythe_blocks::Error) {
    assert_eq!(error.kind(), Kind::Exhausted);
    let message = error.message();
    let is_about_turn = message.starts_with("the turn of actor `");
    let has_quota = message.contains("`quotas.stateBytes`, which is 1048576");
    assert!(is_about_turn && has_quota, "{error}");
    assert!(error.retry_after().is_some());
}

async fn commits(driver: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let writer = Arc::<Writer>::default();
    let host = open(driver, directory.path(), writer.clone()).await;
    let operator = "operator".parse().expect("a name");
    let operator = Call::operator(tenant(), operator, time::deadline(PATIENCE));
    let call = |id: &'static str, method: &'static str, length: usize| {
        let data = Bytes::from(vec![b'v'; length]);
        host.actors.invoke(&operator, "writer", id, method, data)
    };
    let refusals = || host.ledger.readings()[Metered::StateBytes as usize].refused;

    call("a", "set", LARGE).await.expect("room");
    let before = bytes(&host);
    // The host's own rows go on; the timer's turn and the reminder's find no room, and come again.
    call("a", "timer", 0).await.expect("no room is needed");
    assert_eq!(bytes(&host), before);
    call("b", "remind", 0).await.expect("room for a reminder");
    let reminded = bytes(&host);
    assert!(
        (before + 1..before + 1_000).contains(&reminded),
        "{reminded}"
    );
    is_refused(&call("c", "set", LARGE).await.expect_err("no room"));
    assert_eq!(call("c", "look", 0).await.expect("an answer"), "");
    let grown = call("a", "set", LARGE * 2).await.expect_err("no room");
    assert_eq!(grown.kind(), Kind::Exhausted);
    until(|| writer.timers.load(Relaxed) > 0 && writer.reminders.load(Relaxed) > 0).await;
    until(|| refusals() >= 4).await;
    assert_eq!(bytes(&host), reminded);
    // The actor still has its timer, and each that waited finds room in its turn.
    call("a", "delete", 0).await.expect("a delete");
    until(|| bytes(&host) >= LARGE as u64).await;
    let wide = terms("stateBytes: 3MiB").quotas;
    host.ledger.set(Some(&wide));
    until(|| bytes(&host) >= 2 * LARGE as u64).await;
    assert!(host.close(PATIENCE).await, "no task is stuck");
}
