//! Amounts that are held, those that are refused, and the readings of both.

use super::*;
use crate::{Detail, Host, Kind, Metrics, Settings};
use bytes::Bytes;
use futures::FutureExt as _;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use std::convert::Infallible;

fn ledger() -> Arc<Ledger> {
    Ledger::new("shop".parse().unwrap())
}

fn reading(ledger: &Ledger, quota: Metered) -> Reading {
    let mut all = ledger.readings().into_iter();
    all.find(|one| one.quota == quota).unwrap()
}

#[test]
fn without_quotas_nothing_is_refused_and_what_is_held_is_counted() {
    let ledger = ledger();
    let held = ledger.hold(Metered::Memory, 1 << 50).unwrap();
    assert!((0..10_000).all(|_| ledger.pass(Metered::Publishes, 1 << 20).is_ok()));
    let memory = reading(&ledger, Metered::Memory);
    assert_eq!((memory.used, memory.limit), (1 << 50, None));
    drop(held);
    assert_eq!(reading(&ledger, Metered::Memory).used, 0);
}

#[test]
fn over_a_quota_is_refused_with_a_time_and_counted() {
    let ledger = ledger();
    ledger.set(Some(&Quotas::default()));
    let limit = Metered::Calls.default_amount();
    let mut held = ledger.hold(Metered::Calls, limit - 1).unwrap();
    held.grow(1).unwrap();
    assert!(held.grow(1).is_err());
    let refused = ledger.hold(Metered::Calls, 1).unwrap_err();
    assert_eq!(refused.kind(), Kind::Exhausted);
    assert_eq!(refused.retry_after(), Some(AGAIN));
    // A breaker does not count it, and no policy tries it again at once.
    assert_eq!(refused.detail(), Some(Detail::OverQuota));
    assert_eq!(
        refused.message(),
        "tenant `shop` uses all of `quotas.calls`, which is 256"
    );
    assert!(ledger.hold(Metered::Calls, u64::MAX).is_err());
    let calls = reading(&ledger, Metered::Calls);
    assert_eq!(
        (calls.used, calls.limit, calls.refused),
        (limit, Some(limit), 3)
    );
    // Another quota is another matter.
    assert!(ledger.hold(Metered::Instances, 1).is_ok());
    drop(held);
    assert!(ledger.hold(Metered::Calls, limit).is_ok());
}

#[test]
fn a_rate_refuses_what_is_over_and_shows_what_is_used() {
    let ledger = ledger();
    ledger.set(Some(&Quotas::default()));
    let limit = Metered::Requests.default_amount();
    let passed = (0..limit * 2).filter(|_| ledger.pass(Metered::Requests, 1).is_ok());
    assert!(passed.count() as u64 >= limit);
    let requests = reading(&ledger, Metered::Requests);
    assert!(
        requests.used > limit / 2 && requests.refused > 0,
        "{requests:?}"
    );
}

#[test]
fn the_last_quarter_is_not_for_requests_from_outside() {
    let ledger = ledger();
    ledger.set(Some(&Quotas::default()));
    let limit = Metered::Calls.default_amount();
    let mut held = ledger.hold(Metered::Calls, limit / 4 * 3 - 1).unwrap();
    assert!(ledger.leave_room(Metered::Calls).is_ok());
    held.grow(1).unwrap();
    let refused = ledger.leave_room(Metered::Calls).unwrap_err();
    assert_eq!(
        refused.message(),
        "tenant `shop` uses what requests from outside may have of `quotas.calls`, which is 256"
    );
    assert!(ledger.hold(Metered::Calls, limit / 4).is_ok());
}

#[test]
fn a_debt_at_one_rate_is_none_at_another() {
    let ledger = ledger();
    ledger.set(Some(&Quotas::default()));
    ledger.pass(Metered::Publishes, 1_000_000).unwrap();
    assert!(ledger.pass(Metered::Publishes, 1).is_err());
    ledger.set(Some(&Quotas::default()));
    assert!(ledger.pass(Metered::Publishes, 1).is_err());
    ledger.set(None);
    ledger.set(Some(&Quotas::default()));
    assert!(ledger.pass(Metered::Publishes, 1).is_ok());
}

#[test]
fn quotas_below_what_is_held_take_nothing_away() {
    let ledger = ledger();
    let held = ledger.hold(Metered::Calls, 1_000).unwrap();
    ledger.set(Some(&Quotas::default()));
    assert!(ledger.hold(Metered::Calls, 1).is_err());
    assert!(ledger.hold(Metered::Calls, 0).is_ok());
    assert_eq!(reading(&ledger, Metered::Calls).used, 1_000);
    drop(held);
    assert!(ledger.hold(Metered::Calls, 1).is_ok());
    ledger.set(None);
    assert!(ledger.hold(Metered::Calls, 1_000).is_ok());
}

#[test]
fn metrics_have_the_tenants_with_quotas() {
    let (metrics, ledger) = (Metrics::default(), ledger());
    metrics.watch(&ledger);
    assert!(!metrics.render().contains("wythe_quota"));
    ledger.set(Some(&Quotas::default()));
    let _held = ledger.hold(Metered::Instances, 3).unwrap();
    let text = metrics.render();
    for line in [
        "# TYPE wythe_quota_used gauge",
        "wythe_quota_used{tenant=\"shop\",quota=\"instances\"} 3",
        "wythe_quota_limit{tenant=\"shop\",quota=\"instances\"} 64",
        "wythe_quota_refused_total{tenant=\"shop\",quota=\"instances\"} 0",
    ] {
        assert_eq!(text.lines().filter(|one| *one == line).count(), 1, "{text}");
    }
}

#[tokio::test]
async fn a_tenant_that_comes_back_pays_for_what_still_runs() {
    let host = Host::default();
    let name: Name = "shop".parse().unwrap();
    let open = || {
        let tenant = host.open(Settings::new(name.clone(), ""));
        tenant.map(|tenant| tenant.ledger.clone())
    };
    let first = open().unwrap();
    let held = first.hold(Metered::Calls, 200).unwrap();
    let number = first.number();
    drop(first);
    // One that is refused changes nothing of the quotas of the one that is there.
    host.tenant(&name)
        .unwrap()
        .ledger
        .set(Some(&Quotas::default()));
    assert_eq!(open().unwrap_err().kind(), Kind::Conflict);
    let limit = |ledger: &Ledger| reading(ledger, Metered::Calls).limit;
    assert!(limit(&host.tenant(&name).unwrap().ledger).is_some());
    assert!(host.remove(&name, Duration::from_secs(30)).await);
    let second = open().unwrap();
    assert_eq!(second.number(), number);
    assert_eq!(limit(&second), None);
    second.set(Some(&Quotas::default()));
    assert!(second.hold(Metered::Calls, 57).is_err());
    let text = host.metrics().render();
    let used = text.matches("wythe_quota_used{tenant=\"shop\",quota=\"calls\"} 200");
    assert_eq!(used.count(), 1, "{text}");
    drop((held, second));
    assert!(host.remove(&name, Duration::from_secs(30)).await);
    let third = open().unwrap();
    assert_ne!(third.number(), number);
    assert_eq!(reading(&third, Metered::Calls).used, 0);
}

#[test]
fn what_is_there_already_counts_whatever_the_quota_says() {
    let ledger = ledger();
    ledger.set(Some(&Quotas::default()));
    let limit = Metered::Calls.default_amount();
    let mut held = ledger.hold(Metered::Calls, 1).unwrap();
    held.set(limit + 5);
    assert_eq!(reading(&ledger, Metered::Calls).used, limit + 5);
    assert!(held.grow(1).is_err());
    held.set(limit - 1);
    assert!(ledger.hold(Metered::Calls, 2).is_err());
    assert!(ledger.hold(Metered::Calls, 1).is_ok());
    drop(held);
    assert_eq!(reading(&ledger, Metered::Calls).used, 0);
}

/// A body of so many frames of a KiB.
fn body(ledger: &Arc<Ledger>, frames: usize) -> UnsyncBoxBody<Bytes, Infallible> {
    let frame = || Ok(Frame::data(Bytes::from(vec![0; 1 << 10])));
    let frames = futures::stream::iter((0..frames).map(move |_| frame()));
    ledger.paced(StreamBody::new(frames).boxed_unsync())
}

#[tokio::test]
async fn bytes_leave_at_the_rate_of_their_tenant() {
    let ledger = ledger();
    let free = body(&ledger, 3).collect().await.unwrap().to_bytes();
    assert_eq!((free.len(), ledger.owes()), (3 << 10, None));
    ledger.set(Some(&Quotas::default()));
    let quick = body(&ledger, 3).collect().await.unwrap().to_bytes();
    assert_eq!((quick.len(), ledger.owes()), (3 << 10, None));
    // Somebody else of the tenant has sent an hour's worth.
    let limit = Metered::EgressBytes.default_amount();
    ledger.pay(usize::try_from(limit * 3_600).unwrap());
    assert!(
        ledger
            .owes()
            .is_some_and(|time| time > Duration::from_secs(3_000))
    );
    let mut slow = body(&ledger, 3);
    assert!(slow.frame().now_or_never().is_none());
    assert_eq!(reading(&ledger, Metered::EgressBytes).used, limit);
    // What it waited for is no debt at another rate.
    ledger.set(None);
    ledger.set(Some(&Quotas::default()));
    assert_eq!(
        body(&ledger, 3).collect().await.unwrap().to_bytes().len(),
        3 << 10
    );
}

#[test]
fn a_host_counts_once_while_something_is_asked_of_it() {
    let ledger = ledger();
    ledger.set(Some(&Quotas::default()));
    let limit = Metered::OutgoingHosts.default_amount();
    let one = [(); 3].map(|()| ledger.reach("a.example").unwrap());
    let others: Vec<_> = (1..limit)
        .map(|number| ledger.reach(&number.to_string()).unwrap())
        .collect();
    assert_eq!(reading(&ledger, Metered::OutgoingHosts).used, limit);
    let more = ledger.reach("b.example").unwrap_err();
    assert!(more.message().contains("`quotas.outgoingHosts`"), "{more}");
    let [first, rest @ ..] = one;
    drop(rest);
    assert!(ledger.reach("a.example").is_ok() && ledger.reach("b.example").is_err());
    drop(first);
    assert!(ledger.reach("b.example").is_ok());
    drop(others);
    assert_eq!(reading(&ledger, Metered::OutgoingHosts).used, 0);
    assert!(ledger.hosts.is_empty());
}
