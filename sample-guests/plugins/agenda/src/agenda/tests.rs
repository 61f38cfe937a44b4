//! The agenda against its contract, with a clock of the test's own.
use super::*;
use wythe_sdk::plugin::jobs::{FailurePolicy, Job, Misfire, Trigger};

fn row(name: &str, wake: u64) -> Row {
    Row {
        app: "app".to_owned(),
        job: Job {
            name: name.to_owned(),
            trigger: Trigger::Once(wake),
            start: None,
            end: None,
            repeats: None,
            data: vec![0; 100],
            on_failure: FailurePolicy::Drop,
            on_misfire: Misfire::One,
        },
        incarnation: 1,
        version: 1,
        due: Some(wake),
        wake: Some(wake),
        attempts: 0,
        paused: false,
        occurrences: 0,
        failure: None,
    }
}

fn agenda(rows: &[(&str, u64)]) -> Agenda {
    let mut agenda = Agenda::new(1 << 20);
    for (name, wake) in rows {
        agenda.put(row(name, *wake), false).unwrap();
    }
    agenda
}

fn names(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.job.name.as_str()).collect()
}

#[test]
fn what_is_due_is_handed_out_once_until_its_lease_is_over() {
    let mut agenda = agenda(&[("b", 10), ("a", 20), ("c", 30)]);
    assert_eq!(names(&agenda.take("app", 20, 9, 5, 100)), ["b", "a"]);
    assert_eq!(agenda.next("app", 104), Some(30));
    assert_eq!(names(&agenda.take("app", 20, 9, 5, 104)), [""; 0]);
    assert_eq!(agenda.next("app", 105), Some(10));
    assert_eq!(names(&agenda.take("app", 30, 1, 5, 105)), ["b"]);
}

#[test]
fn a_change_needs_the_version() {
    let mut agenda = agenda(&[("a", 10)]);
    let change = |version, row| Change {
        app: "app".to_owned(),
        name: "a".to_owned(),
        version,
        row,
    };
    let moved = Row {
        version: 2,
        ..row("a", 50)
    };
    assert_eq!(agenda.take("app", 10, 9, 1_000, 0).len(), 1);
    agenda.settle(change(1, Some(moved))).unwrap();
    let stale = agenda.settle(change(1, None)).unwrap_err();
    assert_eq!(stale.message(), "job `a` was changed or is gone");
    // Written is free again, and by its new time.
    assert_eq!(agenda.take("app", 49, 9, 1_000, 0).len(), 0);
    assert_eq!(agenda.take("app", 50, 9, 1_000, 0).len(), 1);
    agenda.settle(change(2, None)).unwrap();
    assert_eq!((agenda.get("app", "a"), agenda.bytes), (None, 0));
    assert!(agenda.apps.is_empty());
}

#[test]
fn a_full_agenda_refuses() {
    let mut agenda = Agenda::new(150);
    agenda.put(row("a", 1), false).unwrap();
    let full = agenda.put(row("b", 1), false).unwrap_err();
    assert_eq!(full.kind(), Kind::Exhausted);
    let taken = agenda.put(row("a", 2), false).unwrap_err();
    assert_eq!(taken.kind(), Kind::Conflict);
    agenda.put(row("a", 2), true).unwrap();
    assert_eq!(agenda.next("app", 0), Some(2));
}

#[test]
fn lists_pages_in_the_order_of_names() {
    let agenda = agenda(&[("b2", 1), ("a", 2), ("b1", 3), ("b3", 4), ("c", 5)]);
    let first = agenda.list("app", "b", None, 2);
    assert_eq!(
        (names(&first.rows), first.next.as_deref()),
        (vec!["b1", "b2"], Some("b2"))
    );
    let second = agenda.list("app", "b", Some("b2"), 2);
    assert_eq!((names(&second.rows), second.next), (vec!["b3"], None));
    assert!(agenda.list("other", "", None, 9).rows.is_empty());
}
