//! Charges against a ledger, alone and many at once.

use super::*;
use crate::Kind;
use wythe_manifest::Quotas;

const LIMIT: u64 = 1 << 30;

fn ledger() -> Arc<Ledger> {
    let ledger = Ledger::new("shop".parse().unwrap());
    ledger.set(Some(&Quotas::default()));
    ledger
}

fn used(ledger: &Ledger) -> Amount {
    let used = |quota: Metered| ledger.readings()[quota as usize].used;
    let (bytes, keys) = (used(Metered::StateBytes), used(Metered::StateKeys));
    Amount { bytes, keys }
}

fn amount(bytes: u64, keys: u64) -> Amount {
    Amount { bytes, keys }
}

/// An entry of so many bytes in place of another.
fn write(stored: &Stored, old: u64, new: u64) -> Result<()> {
    let of = |bytes: u64| amount(bytes, bytes.min(1));
    let mut charge = Charge::new(Some(stored));
    charge.admit(of(new), || Ok(of(old)))?;
    charge.replace(of(old), of(new));
    charge.settle();
    Ok(())
}

#[test]
fn the_host_s_own_rows_do_not_count() {
    assert_eq!(Amount::of("cart||a", Some(3)), amount(10, 1));
    assert_eq!(Amount::of("a", Some(0)), amount(1, 1));
    for value in [
        "||actors||entry||account||a||balance",
        "||actors||reminder||account||a||interest",
        "||actors||outbox/00||account||a",
    ] {
        assert_eq!(
            Amount::of(value, Some(4)),
            amount(value.len() as u64 + 4, 1)
        );
    }
    for key in [
        "||actors||meta||account||a",
        "||actors||due/00||a",
        "||workflow||instance||a",
        "||actors||format",
    ] {
        assert_eq!(Amount::of(key, Some(1_000)), Amount::default(), "{key}");
    }
}

#[test]
fn what_makes_no_more_is_never_refused() {
    let ledger = ledger();
    let stored = Stored::new(ledger.clone());
    write(&stored, 0, LIMIT - 10).unwrap();
    let refused = write(&stored, 0, 11).unwrap_err();
    assert_eq!(refused.kind(), Kind::Exhausted);
    assert_eq!(
        refused.message(),
        "tenant `shop` uses all of `quotas.stateBytes`, which is 1073741824; delete some, or let the operator raise it"
    );
    assert!(refused.retry_after().is_some());
    write(&stored, 0, 10).unwrap();
    assert_eq!(used(&ledger), amount(LIMIT, 2));
    write(&stored, 10, 10).unwrap();
    write(&stored, 10, 9).unwrap();
    assert!(write(&stored, 9, 11).is_err());
    write(&stored, 9, 10).unwrap();
    // More than may be, as when the quota became lower.
    stored.count(amount(LIMIT + 100, 3));
    assert!(write(&stored, 0, 1).is_err());
    write(&stored, LIMIT, LIMIT).unwrap();
    write(&stored, 50, 49).unwrap();
    write(&stored, 49, 0).unwrap();
    assert_eq!(used(&ledger), amount(LIMIT + 50, 2));
    let refusals = ledger.readings()[Metered::StateBytes as usize].refused;
    assert_eq!(refusals, 3);
}

#[test]
fn keys_are_a_quota_of_their_own() {
    let ledger = ledger();
    let stored = Stored::new(ledger.clone());
    let keys = Metered::StateKeys.default_amount();
    stored.count(amount(5, keys));
    let refused = write(&stored, 0, 1).unwrap_err();
    assert!(refused.message().contains("`quotas.stateKeys`"));
    // What was drawn of the other one is given back.
    assert_eq!(used(&ledger), amount(5, keys));
    write(&stored, 2, 4).unwrap();
    assert_eq!(used(&ledger), amount(7, keys));
}

#[test]
fn a_batch_that_is_not_kept_leaves_nothing() {
    let ledger = ledger();
    let stored = Stored::new(ledger.clone());
    stored.count(amount(100, 2));
    let mut charge = Charge::new(Some(&stored));
    for _ in 0..3 {
        charge.admit(amount(50, 1), || Ok(amount(50, 1))).unwrap();
        charge.replace(amount(50, 1), amount(50, 1));
    }
    charge.replace(amount(50, 1), Amount::default());
    assert!(used(&ledger).bytes > 100);
    drop(charge);
    assert_eq!(used(&ledger), amount(100, 2));
}

#[test]
fn a_store_that_is_closed_holds_nothing() {
    let ledger = ledger();
    let (stored, other) = (Stored::new(ledger.clone()), Stored::new(ledger.clone()));
    write(&stored, 0, 100).unwrap();
    write(&other, 0, 7).unwrap();
    let mut late = Charge::new(Some(&stored));
    late.admit(amount(3, 1), || Ok(Amount::default())).unwrap();
    late.replace(Amount::default(), amount(3, 1));
    stored.close();
    assert_eq!(used(&ledger), amount(10, 2));
    late.settle();
    stored.count(amount(9, 9));
    assert_eq!(used(&ledger), amount(7, 1));
    drop(other);
    assert_eq!(used(&ledger), Amount::default());
}

#[test]
fn many_at_once_are_no_more_than_may_be() {
    let ledger = ledger();
    let stored = Stored::new(ledger.clone());
    let written = std::thread::scope(|scope| {
        let writer = || {
            let writes = (0..100).map(|_| write(&stored, 0, LIMIT / 100));
            writes.filter(Result::is_ok).count()
        };
        let writers = [(); 4].map(|()| scope.spawn(writer));
        writers.map(|writer| writer.join().unwrap()).iter().sum()
    });
    let written: usize = written;
    assert!(written <= 100, "{written}");
    assert_eq!(used(&ledger).keys, written as u64);
    assert_eq!(used(&ledger).bytes, LIMIT / 100 * written as u64);
}
