//! Counters that many count at once, while their server is killed: what each was told fits one order.

use super::{Test, check, run, state};
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
use wythe_blocks::{Kind, state::Driver};

pub(super) const TESTS: &[(&str, Test)] =
    &[("state_is_linearizable", |server| run(counters(server)))];

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
            if let Err(error) = &answer {
                check(error);
                tokio::time::sleep(Duration::from_millis(2)).await;
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

    /// Kills the server three times while they count, and brings it back.
    fn kill(&self, server: Server) -> Server {
        for part in [3, 2, 1] {
            while self.left.load(SeqCst) > OPERATIONS * part / 4 {
                std::thread::sleep(Duration::from_millis(1));
            }
            server.kill();
            server.restart();
        }
        server
    }

    /// The number of a counter in the end.
    async fn last(&self, actor: u64) -> u64 {
        loop {
            match self.ask(actor, false).await {
                Ok(last) => return last,
                Err(error) => check(&error),
            }
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

async fn counters(server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let driver = state(server.address(), directory.path(), "").await;
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
    let killing = world.clone();
    let killer = tokio::task::spawn_blocking(move || killing.kill(server));
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
    for actor in 0..COUNTERS {
        let own: Vec<_> = history
            .iter()
            .filter(|one| one.actor == actor)
            .copied()
            .collect();
        verify(&own, world.last(actor).await);
    }
}
