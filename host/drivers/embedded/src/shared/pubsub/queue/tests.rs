//! Order, attempts and due times of one queue, on a clock that stands still.

use super::*;
use wythe_blocks::Kind;

fn message(sequence: u64, key: Option<&str>, delay: u64) -> Waiting {
    let due = Instant::now() + Duration::from_secs(delay);
    Waiting {
        sequence,
        due,
        attempts: 0,
        lane: key.map(lane),
        bytes: 7,
        message: None,
    }
}

/// Deliveries that a member is given now: sequence and attempt.
fn taken(queue: &Queue, member: u64) -> Vec<(u64, u32, Receipt)> {
    let deliveries = queue
        .state()
        .take(member, 100, Instant::now())
        .unwrap_or_default();
    deliveries
        .into_iter()
        .map(|delivery| (delivery.sequence, delivery.attempt, delivery.receipt))
        .collect()
}

fn numbers(taken: &[(u64, u32, Receipt)]) -> Vec<(u64, u32)> {
    taken
        .iter()
        .map(|(sequence, attempt, _)| (*sequence, *attempt))
        .collect()
}

fn settle(queue: &Queue, receipt: &Receipt) {
    let held = queue.hold(receipt).unwrap();
    queue.finish(held.sequence);
}

#[tokio::test(start_paused = true)]
async fn one_message_of_a_key_is_out_at_a_time() {
    let queue = Queue::default();
    let member = queue.join();
    queue.add(vec![
        message(1, Some("a"), 0),
        message(2, Some("a"), 0),
        message(3, Some("b"), 0),
        message(4, None, 0),
    ]);
    let first = taken(&queue, member);
    assert_eq!(numbers(&first), [(1, 1), (3, 1), (4, 1)]);
    settle(&queue, &first[1].2);
    assert!(taken(&queue, member).is_empty());
    settle(&queue, &first[0].2);
    assert_eq!(numbers(&taken(&queue, member)), [(2, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_keeps_its_place_in_the_key() {
    let queue = Queue::default();
    let member = queue.join();
    queue.add(vec![message(1, Some("a"), 0), message(2, Some("a"), 0)]);
    let first = taken(&queue, member);
    queue.hold(&first[0].2).unwrap();
    queue.retry(1, Duration::from_secs(5));
    assert!(taken(&queue, member).is_empty());
    tokio::time::advance(Duration::from_secs(5)).await;
    let second = taken(&queue, member);
    assert_eq!(numbers(&second), [(1, 2)]);
    settle(&queue, &second[0].2);
    assert_eq!(numbers(&taken(&queue, member)), [(2, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_message_holds_up_its_key() {
    let queue = Queue::default();
    let member = queue.join();
    queue.add(vec![
        message(1, Some("a"), 3),
        message(2, Some("a"), 0),
        message(3, None, 0),
    ]);
    assert_eq!(numbers(&taken(&queue, member)), [(3, 1)]);
    let started = Instant::now();
    let pulled = queue.pull(member, 10).await;
    assert_eq!((pulled.len(), pulled[0].sequence), (1, 1));
    assert!(started.elapsed() >= Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_member_that_leaves_gives_back_what_it_holds() {
    let queue = Queue::default();
    let (first, second) = (queue.join(), queue.join());
    queue.add(vec![
        message(1, Some("a"), 0),
        message(2, Some("a"), 0),
        message(3, None, 0),
    ]);
    let out = taken(&queue, first);
    queue.leave(first);
    assert_eq!(numbers(&taken(&queue, second)), [(1, 2), (3, 2)]);
    assert_eq!(queue.hold(&out[0].2).unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn what_is_being_settled_is_not_given_back() {
    let queue = Queue::default();
    let (first, second) = (queue.join(), queue.join());
    queue.add(vec![message(1, None, 0)]);
    let out = taken(&queue, first);
    queue.hold(&out[0].2).unwrap();
    queue.leave(first);
    assert!(taken(&queue, second).is_empty());
    // The verdict was lost and so is the member: somebody else gets it.
    queue.resume(1);
    assert_eq!(numbers(&taken(&queue, second)), [(1, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_settled_once() {
    let queue = Queue::default();
    let member = queue.join();
    queue.add(vec![message(1, None, 0)]);
    let out = taken(&queue, member);
    settle(&queue, &out[0].2);
    let error = queue.hold(&out[0].2).unwrap_err();
    assert_eq!(
        error.message(),
        "the delivery is over: it was settled, or the message went out again"
    );
    let error = queue.hold(&[1, 2]).unwrap_err();
    assert_eq!(
        error.message(),
        "a receipt of 2 bytes; expected the 16 bytes of a delivery"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_is_dropped_takes_nothing() {
    let queue = Queue::default();
    let member = queue.join();
    let waiting = tokio::time::timeout(Duration::from_secs(1), queue.pull(member, 1)).await;
    assert!(waiting.is_err());
    queue.add(vec![message(1, None, 0)]);
    assert_eq!(queue.pull(member, 1).await[0].attempt, 1);
}

#[test]
fn lanes_are_the_same_in_every_build() {
    assert_eq!(lane("a"), 0xaf63_dc4c_8601_ec8c);
    assert_ne!(lane("a"), lane("b"));
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_is_being_written_down_is_neither_given_twice_nor_over() {
    let queue = Queue::default();
    let member = queue.join();
    queue.add(vec![message(1, None, 0)]);
    let out = taken(&queue, member);
    let held = queue.hold(&out[0].2).unwrap();
    let error = queue.hold(&out[0].2).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    queue.resume(held.sequence);
    settle(&queue, &out[0].2);
    assert_eq!(queue.hold(&out[0].2).unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_held_keeps_its_place_in_the_key() {
    let queue = Queue::default();
    let member = queue.join();
    queue.add(vec![message(1, Some("a"), 0), message(2, Some("a"), 0)]);
    let held = queue.hold_some(10);
    assert_eq!(held.len(), 2);
    assert!(taken(&queue, member).is_empty());
    for held in held {
        queue.resume(held.sequence);
    }
    assert_eq!(numbers(&taken(&queue, member)), [(1, 1)]);
    assert_eq!(queue.hold_idle(1).unwrap_err().kind(), Kind::Conflict);
    queue.finish(queue.hold_idle(2).unwrap().sequence);
    assert!(taken(&queue, member).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_a_queue_are_those_that_nobody_has_acknowledged() {
    let queue = Queue::default();
    let member = queue.join();
    let large = Waiting {
        bytes: 1 << 40,
        ..message(2, None, 0)
    };
    queue.add(vec![message(1, None, 0), large]);
    let bytes = || queue.depth().bytes;
    assert_eq!(bytes(), 7 + (1 << 40));
    let out = taken(&queue, member);
    queue.retry(queue.hold(&out[0].2).unwrap().sequence, Duration::ZERO);
    assert_eq!(bytes(), 7 + (1 << 40), "what is out or comes again counts");
    settle(&queue, &out[1].2);
    settle(&queue, &taken(&queue, member)[0].2);
    queue.finish(1);
    assert_eq!(bytes(), 0);
}
