//! Counters that many count at once, while their server is killed: what each was told fits one order.

use super::{Kinds, Test, check, run};
use conformance::{
    actors::history::{Operation, verify},
    random::Random,
};
use parking_lot::Mutex;
use servers::Server;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};
use wythe_blocks::{Backoff, Kind, state::Driver};

pub(super) const TESTS: &[(&str, Test)] = &[("state_is_linearizable", |kind, server| {
    run(counters(kind, server))
})];

const CLIENTS: u64 = 16;
const COUNTERS: u64 = 4;
const OPERATIONS: u64 = 8_000;

struct World {
    driver: Arc<dyn Driver>,
    clock: AtomicU64,
    left: AtomicU64,
    history: Mutex<Vec<Operation>>,
}

impl World {
    async fn client(&self, number: u64) {
        let mut random = Random::new(number);
        // The operations are to be left when the server is back, however long that takes.
        let mut pause = Backoff::new(Duration::from_millis(2), Duration::from_millis(500));
        while self
            .left
            .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
            .is_ok()
        {
            let (actor, is_add) = (random.below(COUNTERS), random.below(4) > 0);
            let start = self.clock.fetch_add(1, SeqCst);
            let answer = self.ask(actor, is_add).await;
            let end = self.clock.fetch_add(1, SeqCst);
            let is_unknown = matches!(&answer, Err(error) if error.kind() == Kind::UnknownOutcome);
            match &answer {
                Ok(_) => pause.reset(),
                Err(error) => {
                    check(error);
                    tokio::time::sleep(pause.fail()).await;
                }
            }
            self.history.lock().push(Operation {
                actor,
                is_add,
                start,
                end,
                reported: answer.ok(),
                is_unknown,
            });
        }
    }

    async fn ask(&self, actor: u64, is_add: bool) -> wythe_blocks::Result<u64> {
        let key = format!("counter-{actor}").into();
        let number = |text: &[u8]| String::from_utf8_lossy(text).parse().expect("a number");
        match is_add {
            true => Ok(self.driver.increment(&key, 1).await?.cast_unsigned()),
            false => Ok(self
                .driver
                .get(&key)
                .await?
                .map_or(0, |entry| number(&entry.value))),
        }
    }
}

/// Kills the server three times on the way.
fn killer(world: Arc<World>, server: Server) -> tokio::task::JoinHandle<Server> {
    tokio::task::spawn_blocking(move || {
        for part in [3, 2, 1] {
            while world.left.load(SeqCst) > OPERATIONS * part / 4 {
                std::thread::sleep(Duration::from_millis(1));
            }
            server.kill();
            server.restart();
        }
        server
    })
}

/// Checks each counter by itself.
async fn explain(world: &World, history: &[Operation]) {
    for actor in 0..COUNTERS {
        let own: Vec<_> = history
            .iter()
            .filter(|one| one.actor == actor)
            .copied()
            .collect();
        let last = loop {
            match world.ask(actor, false).await {
                Ok(last) => break last,
                Err(error) => check(&error),
            }
        };
        verify(&own, last);
    }
}

async fn counters(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let driver = kind.state(server.address(), directory.path(), "").await;
    let driver = driver.expect("it opens");
    assert!(driver.features().linearizable);
    let world = Arc::new(World {
        driver,
        clock: AtomicU64::new(0),
        left: AtomicU64::new(OPERATIONS),
        history: Mutex::default(),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let world = world.clone();
            tokio::spawn(async move { world.client(number).await })
        })
        .collect();
    let killer = killer(world.clone(), server);
    for client in clients {
        client.await.expect("a client ends well");
    }
    let _server = killer.await.expect("it was killed");
    let history = world.history.lock().clone();
    let reported = history.iter().filter(|one| one.reported.is_some()).count();
    assert!(
        reported as u64 > OPERATIONS / 2,
        "only {reported} were told"
    );
    explain(&world, &history).await;
}
