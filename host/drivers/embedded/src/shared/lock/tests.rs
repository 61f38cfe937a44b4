//! Grants under clocks of the test's own.

use super::*;
use crate::shared::clock;
use wythe_blocks::Kind;

const TTL: Duration = Duration::from_secs(10);

/// Clocks that are moved each by itself.
struct Clocks(Moment);

impl Clocks {
    fn new() -> Self {
        Clocks(Moment {
            wall: 1_000_000_000_000,
            monotonic: Instant::now(),
        })
    }

    fn pass(&mut self, time: Duration) -> Moment {
        self.0.monotonic += time;
        self.0.wall += clock::nanoseconds(time);
        self.0
    }

    fn set_wall(&mut self, by: i64) -> Moment {
        self.0.wall = self
            .0
            .wall
            .checked_add_signed(by)
            .expect("a time after 1970");
        self.0
    }
}

fn acquire(locks: &mut Locks, key: &str, now: Moment) -> Acquired {
    let order = Order::Acquire {
        key: key.into(),
        owner: "app".to_owned(),
        ttl: TTL,
    };
    match locks.apply(&order, now) {
        Ok(Answer::Acquired(acquired)) => acquired,
        other => panic!("{other:?}"),
    }
}

fn token(acquired: &Acquired) -> Option<u64> {
    match acquired {
        Acquired::Granted(grant) => Some(grant.token),
        Acquired::Held { .. } => None,
    }
}

fn expires(locks: &mut Locks, now: Moment) -> Option<u64> {
    let order = Order::Holder { key: "k".into() };
    match locks.apply(&order, now) {
        Ok(Answer::Holder(grant)) => grant.map(|grant| {
            let since = grant.expires.duration_since(std::time::UNIX_EPOCH);
            clock::nanoseconds(since.expect("after 1970"))
        }),
        other => panic!("{other:?}"),
    }
}

fn with(locks: &mut Locks, token: u64, renew: bool, now: Moment) -> Result<Answer> {
    let key = Key::from("k");
    let order = match renew {
        true => Order::Renew {
            key,
            token,
            ttl: TTL,
        },
        false => Order::Release { key, token },
    };
    locks.apply(&order, now)
}

#[test]
fn a_grant_ends_at_its_very_time() {
    let (mut locks, mut clocks) = (Locks::new(0), Clocks::new());
    let first = token(&acquire(&mut locks, "k", clocks.0));
    assert!(first.is_some());
    let last = clocks.pass(TTL - Duration::from_nanos(1));
    assert_eq!(token(&acquire(&mut locks, "k", last)), None);
    let over = clocks.pass(Duration::from_nanos(1));
    assert!(token(&acquire(&mut locks, "k", over)) > first);
    assert_eq!(locks.ends.len(), 1);
}

#[test]
fn only_the_living_grant_is_renewed_and_released() {
    let (mut locks, mut clocks) = (Locks::new(0), Clocks::new());
    let first = token(&acquire(&mut locks, "k", clocks.0)).expect("a grant");
    let now = clocks.pass(TTL / 2);
    let other = first + 1;
    let error = with(&mut locks, other, true, now).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(
        error.message(),
        format!("the grant of `k` with token {other} is over; acquire it again")
    );
    with(&mut locks, first, true, now).unwrap();
    let now = clocks.pass(TTL * 3 / 4);
    assert_eq!(token(&acquire(&mut locks, "k", now)), None);
    with(&mut locks, first, false, now).unwrap();
    assert!(with(&mut locks, first, false, now).is_err());
    assert!(token(&acquire(&mut locks, "k", now)) > Some(first));
    assert!(with(&mut locks, first, false, now).is_err());
}

#[test]
fn the_wall_clock_moves_no_end_within_a_process() {
    let hour = 3_600_000_000_000;
    for jump in [hour, -hour / 10] {
        let (mut locks, mut clocks) = (Locks::new(0), Clocks::new());
        let first = token(&acquire(&mut locks, "k", clocks.0));
        let now = clocks.set_wall(jump);
        // Told by the clock that everybody reads now.
        assert_eq!(
            expires(&mut locks, now),
            Some(now.wall + clock::nanoseconds(TTL))
        );
        let now = clocks.pass(TTL - Duration::from_nanos(1));
        assert_eq!(token(&acquire(&mut locks, "k", now)), None, "{jump}");
        let now = clocks.pass(Duration::from_nanos(1));
        assert!(token(&acquire(&mut locks, "k", now)) > first, "{jump}");
    }
}

#[test]
fn a_restart_goes_by_the_wall_clock_and_restores_a_ttl_at_most() {
    // How far the wall clock moves while nothing runs, and what is left of the ten seconds then.
    let cases = [(4, 6), (10, 0), (100, 0), (0, 10), (-50, 10)];
    for (seconds, left) in cases {
        let mut clocks = Clocks::new();
        let mut before = Locks::new(0);
        acquire(&mut before, "k", clocks.0);
        let row = before.row("k", clocks.0).unwrap();
        let now = clocks.set_wall(seconds * 1_000_000_000);
        let mut after = Locks::new(1);
        after.restore("k", &row, now);
        let found = expires(&mut after, now).map_or(0, |at| at - now.wall);
        assert_eq!(found, left * 1_000_000_000, "{seconds}");
        assert_eq!(after.row("k", now).unwrap().owner, "app");
    }
}

#[test]
fn what_is_over_is_found_in_order() {
    let (mut locks, mut clocks) = (Locks::new(0), Clocks::new());
    for key in ["b", "a", "c"] {
        acquire(&mut locks, key, clocks.0);
        clocks.pass(Duration::from_secs(1));
    }
    let now = clocks.pass(TTL - Duration::from_secs(2));
    assert_eq!(locks.over(now, 10), ["b", "a"]);
    assert_eq!(locks.over(now, 1), ["b"]);
    locks.remove("b");
    assert_eq!(locks.over(now, 10), ["a"]);
    assert_eq!((locks.held.len(), locks.ends.len()), (2, 2));
}

#[test]
fn a_ttl_without_end_is_refused_and_takes_no_token() {
    let (mut locks, clocks) = (Locks::new(0), Clocks::new());
    let order = Order::Acquire {
        key: "k".into(),
        owner: "app".into(),
        ttl: Duration::MAX,
    };
    let error = locks.apply(&order, clocks.0).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert_eq!(locks.last(), 0);
}

#[test]
fn a_token_tells_nothing_of_other_grants() {
    let mut clocks = Clocks::new();
    let (mut quiet, mut busy) = (Locks::new(0), Locks::new(0));
    for key in 0..1_000 {
        acquire(&mut busy, &key.to_string(), clocks.0);
    }
    let now = clocks.pass(Duration::from_secs(1));
    let alone = token(&acquire(&mut quiet, "k", now));
    assert!(alone.is_some());
    assert_eq!(token(&acquire(&mut busy, "k", now)), alone);
}
