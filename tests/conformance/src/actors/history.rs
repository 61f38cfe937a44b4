//! Many operations by many clients, over hosts that are cut off in the middle of it: what each client was told fits one
//! order of all that happened.
//!
//! An actor is a counter. An `Add` that was answered with n is the n-th that was kept, and a `Sum` that was answered with n
//! came between the n-th and the next. So the order is in the answers, and only three things are left to check: no number
//! twice, nothing told before it happened or after it was over, and no more numbers missing than outcomes unknown.

use super::{Subject, puppet::Step::*, rig::Rig};
use crate::random::Random;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::sync::RwLock;
use wythe_blocks::{Kind, state::Driver};

const CLIENTS: u64 = 32;
const ACTORS: u64 = 8;
/// Hosts at once; a client goes to any of them.
const HOSTS: u64 = 2;
/// Operations of one driver; `WYTHE_ACTOR_OPERATIONS` makes it more.
const OPERATIONS: u64 = 10_000;
/// A host ends after so many.
const LIFE: u64 = 500;

/// One operation on a counter.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// The number of the counter.
    pub actor: u64,
    /// True of an `Add`, false of a `Sum`.
    pub is_add: bool,
    /// The start on a clock that only grows.
    pub start: u64,
    pub end: u64,
    pub reported: Option<u64>,
    pub is_unknown: bool,
}

pub(super) async fn check(subject: Subject) {
    let count = env::var("WYTHE_ACTOR_OPERATIONS").map_or(OPERATIONS, |text| {
        text.parse().expect("a number of operations")
    });
    let world = Arc::new(World::new(subject.driver(), count).await);
    let clients = (0..CLIENTS).map(|client| {
        let world = world.clone();
        tokio::spawn(async move { world.client(client).await })
    });
    for client in futures::future::join_all(clients).await {
        client.expect("a client ends well");
    }
    let history = world.history.lock().clone();
    let reported = history.iter().filter(|o| o.reported.is_some()).count();
    assert!(
        reported as u64 > count / 2,
        "only {reported} of {count} were told"
    );
    for actor in 0..ACTORS {
        let own: Vec<_> = history
            .iter()
            .filter(|o| o.actor == actor)
            .copied()
            .collect();
        let last = Rig::new(subject.driver()).await;
        let sum = last.one(&actor.to_string(), Sum).await.unwrap();
        verify(&own, sum.as_u64().expect("a number"));
    }
}

struct World {
    store: Arc<dyn Driver>,
    hosts: Vec<RwLock<Arc<Rig>>>,
    clock: AtomicU64,
    left: AtomicU64,
    history: Mutex<Vec<Operation>>,
}

impl World {
    async fn new(store: Arc<dyn Driver>, count: u64) -> Self {
        let mut hosts = Vec::new();
        for _ in 0..HOSTS {
            hosts.push(RwLock::new(Arc::new(Rig::new(store.clone()).await)));
        }
        World {
            store,
            hosts,
            clock: AtomicU64::new(0),
            left: AtomicU64::new(count),
            history: Mutex::default(),
        }
    }

    async fn client(&self, number: u64) {
        let mut random = Random::new(number);
        loop {
            let left = self.left.load(SeqCst);
            if left == 0 {
                return;
            }
            if self
                .left
                .compare_exchange(left, left - 1, SeqCst, SeqCst)
                .is_err()
            {
                continue;
            }
            let host = &self.hosts[random.below(HOSTS) as usize];
            if left.is_multiple_of(LIFE) {
                let mut host = host.write().await;
                host.kill();
                *host = Arc::new(Rig::new(self.store.clone()).await);
            }
            let rig = host.read().await.clone();
            let operation = self.operation(&rig, &mut random).await;
            self.history.lock().push(operation);
        }
    }

    async fn operation(&self, rig: &Rig, random: &mut Random) -> Operation {
        let (actor, is_add) = (random.below(ACTORS), random.below(4) > 0);
        let step = if is_add { Add(1) } else { Sum };
        let start = self.clock.fetch_add(1, SeqCst);
        let answer = rig.one(&actor.to_string(), step).await;
        let end = self.clock.fetch_add(1, SeqCst);
        let is_unknown = match &answer {
            Ok(_) => false,
            // A host that is dead says nothing that can be relied on.
            Err(error) => match error.kind() {
                Kind::Conflict => false,
                Kind::Unavailable => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    false
                }
                Kind::UnknownOutcome => true,
                _ => panic!("{}", error.chain()),
            },
        };
        Operation {
            actor,
            is_add,
            start,
            end,
            reported: answer.ok().and_then(|sum| sum.as_u64()),
            is_unknown,
        }
    }
}

/// Panics where no order explains what was told of one counter, which is at `last` in the end.
pub fn verify(history: &[Operation], last: u64) {
    let adds = history.iter().filter(|o| o.is_add);
    let numbers: Vec<u64> = adds.clone().filter_map(|o| o.reported).collect();
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(distinct.len(), numbers.len(), "a number was given twice");
    assert!(
        distinct.iter().all(|n| (1..=last).contains(n)),
        "kept and lost"
    );
    let missing = last - distinct.len() as u64;
    let unknown = adds.clone().filter(|o| o.is_unknown).count() as u64;
    assert!(missing <= unknown, "{missing} were kept of {unknown}");
    in_time(history);
    // A number cannot be told before its `Add` began, if that was told, too.
    let starts: BTreeMap<u64, u64> = adds.filter_map(|o| Some((o.reported?, o.start))).collect();
    for read in history.iter().filter(|o| !o.is_add) {
        let Some(reported) = read.reported else {
            continue;
        };
        assert!(reported <= last, "a sum of what was never kept");
        if let Some(start) = starts.get(&reported) {
            assert!(*start < read.end, "{read:?} came before its number");
        }
    }
}

/// Checks that what was over before an operation began is behind it in the order.
fn in_time(history: &[Operation]) {
    let mut events: Vec<(u64, bool, usize)> = Vec::new();
    for (index, operation) in history.iter().enumerate() {
        events.push((operation.start, false, index));
        events.push((operation.end, true, index));
    }
    events.sort_unstable();
    let mut highest = 0;
    let mut floors = vec![0; history.len()];
    for (_, is_end, index) in events {
        let operation = &history[index];
        let Some(reported) = operation.reported else {
            continue;
        };
        if !is_end {
            floors[index] = highest;
            continue;
        }
        let floor = floors[index] + u64::from(operation.is_add);
        assert!(reported >= floor, "{operation:?} went back behind {floor}");
        highest = highest.max(reported);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(is_add: bool, start: u64, end: u64, reported: u64) -> Operation {
        Operation {
            actor: 0,
            is_add,
            start,
            end,
            reported: Some(reported),
            is_unknown: false,
        }
    }

    fn is_good(history: &[Operation], last: u64) -> bool {
        std::panic::catch_unwind(|| verify(history, last)).is_ok()
    }

    #[test]
    fn the_checker_finds_what_is_wrong() {
        let good = [
            operation(true, 0, 3, 2),
            operation(true, 1, 2, 1),
            operation(false, 4, 5, 2),
        ];
        assert!(is_good(&good, 2));
        assert!(!is_good(&good, 3), "one more than anybody knows of");
        assert!(!is_good(&good[..2], 1), "kept and lost");
        let twice = [operation(true, 0, 1, 1), operation(true, 2, 3, 1)];
        assert!(!is_good(&twice, 1));
        let stale = [operation(true, 0, 1, 1), operation(false, 2, 3, 0)];
        assert!(!is_good(&stale, 1));
        let swapped = [operation(true, 0, 1, 2), operation(true, 2, 3, 1)];
        assert!(!is_good(&swapped, 2));
        let ahead = [operation(false, 0, 1, 1), operation(true, 2, 3, 1)];
        assert!(!is_good(&ahead, 1));
        let unknown = Operation {
            reported: None,
            is_unknown: true,
            ..operation(true, 0, 1, 0)
        };
        assert!(is_good(&[unknown, operation(true, 2, 3, 2)], 2));
    }
}
