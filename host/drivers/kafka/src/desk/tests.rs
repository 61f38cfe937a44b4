//! Messages of a partition on their way through a desk.

use super::*;
use crate::records::Record;

const SEAT: u64 = 1;

fn read(records: &[(i64, Option<&str>)], next: i64) -> Read {
    let record = |(offset, key): &(i64, Option<&str>)| {
        let record = Record {
            key: key.map(|key| key.to_owned().into()),
            value: Some(offset.to_string().into()),
            headers: Vec::new(),
        };
        (*offset, record)
    };
    Read {
        records: records.iter().map(record).collect(),
        next: Some(next),
        size: 0,
    }
}

fn desk(noted: Noted) -> Desk {
    let desk = Desk::new("topic", 100);
    assert_eq!(desk.keep(&[3]), [3]);
    desk.begin(3, noted);
    desk
}

fn give(desk: &Desk, count: usize) -> Vec<Taken> {
    match desk.give(SEAT, count).expect("no error") {
        Given::Some(given) => given,
        Given::None(_) => Vec::new(),
    }
}

fn texts(given: &[Taken]) -> Vec<String> {
    let texts = given
        .iter()
        .map(|one| one.record.value.clone().unwrap_or_default().to_vec());
    texts
        .map(|text| String::from_utf8(text).expect("a text"))
        .collect()
}

/// Has the cluster note what there is to note.
fn note(desk: &Desk) -> Option<Noted> {
    let (partition, noted) = desk.changes().pop()?;
    desk.noted(partition, &noted);
    Some(noted)
}

#[test]
fn a_place_is_behind_what_is_settled_in_order() {
    let desk = desk(Noted::read(5, ""));
    desk.add(3, 5, read(&[(5, None), (6, None), (8, None)], 9));
    let given = give(&desk, 10);
    assert_eq!(texts(&given), ["5", "6", "8"]);
    assert!(note(&desk).is_none(), "nothing is settled");
    let mut settled = desk.settle(&[given[1].receipt.clone()]);
    let mut waiting = settled.remove(0).expect("it is out");
    assert!(waiting.try_recv().is_err(), "nobody has noted it");
    let noted = note(&desk).expect("a change");
    assert_eq!(waiting.try_recv(), Ok(()));
    assert_eq!((noted.place, noted.note.end), (5, 9));
    assert_eq!(noted.note.open, [(5, 1), (8, 1)].into());
    // Another member goes on from there.
    let other = super::Desk::new("topic", 100);
    other.keep(&[3]);
    other.begin(3, Noted::read(noted.place, &noted.note.write(noted.place)));
    other.add(
        3,
        5,
        read(&[(5, None), (6, None), (8, None), (9, None)], 10),
    );
    let again = give(&other, 10);
    assert_eq!(texts(&again), ["5", "8", "9"]);
    let attempts: Vec<_> = again.iter().map(|one| one.attempt).collect();
    assert_eq!(attempts, [2, 2, 1]);
    for receipt in given.iter().map(|one| &one.receipt) {
        assert!(other.settle(std::slice::from_ref(receipt))[0].is_err());
    }
}

#[test]
fn of_a_key_the_first_is_out_alone() {
    let desk = desk(Noted::read(0, ""));
    let records = [(0, Some("a")), (1, Some("a")), (2, Some("b")), (3, None)];
    desk.add(3, 0, read(&records, 4));
    let given = give(&desk, 10);
    assert_eq!(texts(&given), ["0", "2", "3"]);
    desk.refuse(&given[0].receipt, Duration::from_secs(60))
        .expect("it is out");
    assert!(give(&desk, 10).is_empty(), "its key waits with it");
    assert!(desk.refuse(&given[0].receipt, Duration::ZERO).is_err());
    desk.settle(&[given[1].receipt.clone()]);
    assert!(give(&desk, 10).is_empty());
}

#[test]
fn a_delivery_is_settled_once_and_asked_about_again() {
    let desk = desk(Noted::read(0, ""));
    desk.add(3, 0, read(&[(0, None)], 1));
    let receipt = give(&desk, 1)[0].receipt.clone();
    let twice = desk.settle(&[receipt.clone(), receipt.clone()]);
    assert!(twice[0].is_ok() && twice[1].is_err());
    // The answer to the first was late.
    assert!(desk.settle(std::slice::from_ref(&receipt))[0].is_ok());
    note(&desk).expect("a change");
    assert!(desk.settle(&[receipt])[0].is_err());
    assert!(desk.settle(&[b"no receipt".to_vec()])[0].is_err());
}

#[test]
fn what_a_seat_had_goes_to_another_and_what_goes_away_is_over() {
    let desk = desk(Noted::new(0));
    assert_eq!(note(&desk).expect("it is new").place, 0);
    desk.add(3, 0, read(&[(0, None)], 1));
    let old = give(&desk, 1);
    assert!(desk.has_out());
    desk.take_back(SEAT);
    assert!(!desk.has_out());
    let new = give(&desk, 1);
    assert_eq!((texts(&new), new[0].attempt), (texts(&old), 2));
    assert!(desk.settle(&[old[0].receipt.clone()])[0].is_err());
    let mut waiting = desk.settle(&[new[0].receipt.clone()]);
    assert!(desk.keep(&[]).is_empty());
    let over = waiting.remove(0).expect("it was out").try_recv();
    assert_eq!(over, Err(oneshot::error::TryRecvError::Closed));
    desk.end();
    assert!(desk.give(SEAT, 1).is_err());
}

#[test]
fn a_desk_wants_no_more_than_it_has_room_for() {
    let desk = desk(Noted::read(0, ""));
    assert_eq!(desk.wants(3), Some(0));
    let many: Vec<_> = (0..100).map(|offset| (offset, None)).collect();
    desk.add(3, 0, read(&many, 100));
    assert_eq!(desk.wants(3), None);
    let given = give(&desk, 10);
    let receipts: Vec<_> = given.into_iter().map(|one| one.receipt).collect();
    desk.settle(&receipts);
    note(&desk);
    assert_eq!(desk.wants(3), Some(100));
    desk.skip(3, 500);
    assert_eq!(desk.wants(3), Some(500));
}
