//! Actors of a tenant that has no room left: a refusal loses nothing, and what was refused comes later.

mod commits;

use crate::open::component;
use async_trait::async_trait;
use bytes::Bytes;
use conformance::runtime;
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wythe_blocks::{
    App, Call, Callee, Exports, Kind, Profile, Result, Settings, Shared, Tenant,
    actors::{self, Trigger, context},
    quota::{Held, Ledger},
    time,
};
use wythe_manifest::{Metered, Name, Quotas};

/// A time longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(120);
const TIMER: Duration = Duration::from_millis(10);

pub fn trials() -> Vec<Trial> {
    let run = || {
        runtime()?
            .block_on(async { tokio::time::timeout(PATIENCE, turns()).await })
            .map_err(|_| "it never ended".into())
    };
    let mut trials = vec![Trial::test(
        "refused::a_turn_that_is_refused_comes_later",
        run,
    )];
    trials.extend(commits::trials());
    trials
}

/// A turn, with all the room that there is, if the next one is to find none.
type Reported = (Trigger, Option<Held>);

/// An app that reports each turn. A call sets a timer that goes off once.
struct Reporter {
    turns: UnboundedSender<Reported>,
    ledger: Arc<Ledger>,
}

#[async_trait]
impl Callee for Reporter {
    fn exports(&self) -> Exports {
        Exports {
            actor_handler: true,
            ..Exports::default()
        }
    }

    async fn actor_types(&self, _: Call) -> Result<Vec<actors::Type>> {
        Ok(vec![actors::Type {
            lifecycle: true,
            idle: Duration::from_secs(1),
            ..actors::Type::new("reporter")
        }])
    }

    async fn actor_turn(&self, call: Call, trigger: Trigger) -> Result<Bytes> {
        if matches!(trigger, Trigger::Call(..)) {
            context(&call)?.set_timer(&call, "once", TIMER, None, Bytes::new())?;
        }
        let is_followed = matches!(trigger, Trigger::Call(..) | Trigger::Timer(..));
        let held = is_followed.then(|| full(&self.ledger));
        let _ = self.turns.send((trigger, held));
        Ok(Bytes::new())
    }
}

fn tenant() -> Name {
    "default".parse().expect("a name")
}

/// Holds as many calls as the quota has, beside those that are under way.
fn full(ledger: &Arc<Ledger>) -> Held {
    ledger.set(None);
    let held = ledger.hold(Metered::Calls, Metered::Calls.default_amount());
    ledger.set(Some(&Quotas::default()));
    held.expect("no quota")
}

/// Returns once so many calls were refused.
async fn refusals(ledger: &Ledger, count: u64) {
    while ledger.readings()[Metered::Calls as usize].refused < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn turn(turns: &mut UnboundedReceiver<Reported>) -> (&'static str, Option<Held>) {
    let (trigger, held) = turns.recv().await.expect("a turn");
    let name = match trigger {
        Trigger::Activate => "activate",
        Trigger::Call(..) => "call",
        Trigger::Timer(..) => "timer",
        Trigger::Reminder(..) => "reminder",
        Trigger::Deactivate => "deactivate",
    };
    (name, held)
}

/// A tenant with default quotas, and the app of which it reports the turns.
async fn open(data: &Path) -> (Arc<Tenant>, UnboundedReceiver<Reported>) {
    let host = Tenant::new(Settings::new(tenant(), data), &Shared::default());
    let components = [component("state", "memory", "[]")];
    let opened = host.open(&wythe_drivers::registry(), &components).await;
    opened.expect("the host opens");
    host.ledger.set(Some(&Quotas::default()));
    let (sender, turns) = unbounded_channel();
    let reporter = Reporter {
        turns: sender,
        ledger: host.ledger.clone(),
    };
    let profile = Profile {
        ledger: host.ledger.clone(),
        ..Profile::new(tenant(), "reporter".parse().expect("a name"))
    };
    let app = App::new(profile, Arc::new(reporter));
    host.admit(&app, None).await.expect("the app");
    host.start(&app).await.expect("actors");
    (host, turns)
}

async fn turns() {
    let directory = tempfile::tempdir().expect("a directory");
    let (host, mut turns) = open(directory.path()).await;
    let operator = "operator".parse().expect("a name");
    let operator = Call::operator(tenant(), operator, time::deadline(PATIENCE));
    let call = || {
        let data = Bytes::new();
        host.actors.invoke(&operator, "reporter", "a", "run", data)
    };

    let held = full(&host.ledger);
    let refused = call().await.expect_err("no room");
    assert_eq!(refused.kind(), Kind::Exhausted);
    drop(held);
    call().await.expect("room");
    assert_eq!(turn(&mut turns).await.0, "activate");
    let mut seen = turn(&mut turns).await;
    // The timer that goes off once, and after that the last turn.
    for (before, after) in [("call", "timer"), ("timer", "deactivate")] {
        let (name, held) = seen;
        assert_eq!((name, held.is_some()), (before, true));
        let refused = host.ledger.readings()[Metered::Calls as usize].refused;
        refusals(&host.ledger, refused + 1).await;
        assert!(turns.try_recv().is_err(), "a turn without room");
        drop(held);
        seen = turn(&mut turns).await;
        assert_eq!(seen.0, after);
    }
    assert!(host.close(PATIENCE).await, "no task is stuck");
}
