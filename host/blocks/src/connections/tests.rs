//! Places of connections: who gets one, who loses one, and when an idle one ends.

use super::*;
use futures::FutureExt;
use wythe_manifest::Quotas;

const ALICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const BOB: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

fn connections(all: usize, peer: usize) -> Arc<Connections> {
    Connections::new("test", Allowed { all, peer })
}

fn is_evicted(permit: &Permit) -> bool {
    permit.evicted().now_or_never().is_some()
}

#[test]
fn the_oldest_idle_one_makes_room() {
    let permits = connections(3, 3);
    let admit = || permits.admit(Some(ALICE)).expect("a place");
    let (first, second, third) = (admit(), admit(), admit());
    let busy = first.work();
    drop(second.work());
    let fourth = admit();
    assert!(
        is_evicted(&third),
        "it has been idle for longer than the second"
    );
    assert!(!is_evicted(&first) && !is_evicted(&second) && !is_evicted(&fourth));
    assert_eq!(permits.open(), 3);
    drop((third, second, fourth, busy, first));
    assert_eq!(permits.open(), 0);
}

#[test]
fn where_all_are_busy_nobody_goes() {
    let permits = connections(2, 2);
    let stored = [permits.admit(Some(ALICE)), permits.admit(Some(BOB))].map(Option::unwrap);
    let _work = stored.each_ref().map(Permit::work);
    assert!(permits.admit(Some(BOB)).is_none());
    assert!(!permits.make_room());
    assert!(!stored.iter().any(is_evicted));
}

#[test]
fn a_peer_that_has_its_share_loses_its_own() {
    let permits = connections(10, 2);
    let other = permits.admit(Some(BOB)).expect("a place");
    let own = [permits.admit(Some(ALICE)), permits.admit(Some(ALICE))].map(Option::unwrap);
    let more = permits.admit(Some(ALICE)).expect("a place of its own");
    assert!(is_evicted(&own[0]) && !is_evicted(&own[1]) && !is_evicted(&other));
    let _work = [own[1].work(), more.work()];
    assert!(permits.admit(Some(ALICE)).is_none());
    assert!(permits.admit(Some(BOB)).is_some());
}

#[test]
fn a_network_of_ipv6_is_one_peer() {
    let peer = |text: &str| Peer::of(text.parse().expect("an address"));
    assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:2"));
    assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
    assert_eq!(peer("::ffff:192.0.2.1"), Peer(ALICE));
}

#[tokio::test(start_paused = true)]
async fn an_idle_one_ends_and_a_busy_one_does_not() {
    let permits = connections(9, 9);
    let (silent, busy) = (permits.admit(None).unwrap(), permits.admit(None).unwrap());
    let work = busy.work();
    let begun = tokio::time::Instant::now();
    silent.idled().await;
    assert_eq!(begun.elapsed().as_secs(), FIRST_REQUEST.as_secs());
    let longer = tokio::time::timeout(IDLE * 10, busy.idled()).await;
    assert!(longer.is_err(), "a request was under way");
    drop(work);
    let ended = tokio::time::timeout(IDLE * 3, busy.idled()).await;
    assert!(ended.is_ok() && busy.is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_has_its_quota_loses_its_own() {
    let ledger = |name: &str| {
        let ledger = Ledger::new(name.parse().expect("a name"));
        ledger.set(Some(&Quotas::default()));
        ledger
    };
    let (shop, bank) = (ledger("shop"), ledger("bank"));
    let used = |ledger: &Ledger| ledger.readings()[Metered::Connections as usize].used;
    let limit = Metered::Connections.default_amount();
    let all = connections(1_000, 1_000);
    let ask = |permit: &Permit, ledger| {
        let _work = permit.work();
        permit.ask(ledger)
    };
    let admit = || all.admit(Some(ALICE)).expect("a place");
    let (silent, other) = (admit(), admit());
    ask(&other, &bank).expect("a place");
    let own: Vec<_> = (0..limit).map(|_| admit()).collect();
    for permit in &own {
        ask(permit, &shop).expect("a place");
        ask(permit, &shop).expect("it has one");
    }
    assert_eq!((used(&shop), used(&bank)), (limit, 1));
    // The oldest of its own makes room, and none of anybody else.
    let more = admit();
    ask(&more, &shop).expect("the place of another one");
    assert!(is_evicted(&own[0]) && !is_evicted(&own[1]));
    assert!(!is_evicted(&silent) && !is_evicted(&other));
    assert_eq!(used(&shop), limit);
    // Where all are busy, the one that asks has to go.
    let busy: Vec<_> = own.iter().chain([&more]).map(Permit::work).collect();
    let refused = admit();
    let error = ask(&refused, &shop).expect_err("it is full");
    assert!(error.message().contains("`quotas.connections`"), "{error}");
    assert!(refused.idled().now_or_never().is_some() && other.idled().now_or_never().is_none());
    // One that asks another tenant is that one's.
    ask(&more, &bank).expect("a place");
    assert_eq!((used(&shop), used(&bank)), (limit - 1, 2));
    ask(&admit(), &shop).expect("a place");
    drop((busy, own, more, other, refused, silent));
    assert_eq!((used(&shop), used(&bank), all.open()), (0, 0, 0));
    assert!(all.table().tenants.is_empty());
}
