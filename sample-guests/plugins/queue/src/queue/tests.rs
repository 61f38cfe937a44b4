//! The queue against its contract, with a clock of the test's own.
use super::*;

fn message(data: &str, key: Option<&str>) -> Message {
    Message {
        data: data.into(),
        content_type: "text/plain".to_owned(),
        ordering_key: key.map(str::to_owned),
        attributes: Vec::new(),
        delay: None,
    }
}

fn texts(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries
        .iter()
        .map(|delivery| std::str::from_utf8(&delivery.message.data).unwrap())
        .collect()
}

#[test]
fn each_group_gets_each_message_once() {
    let mut queue = Queue::new(1000, 1 << 20);
    queue.publish("t", message("too early", None), 0).unwrap();
    let (a1, a2, b) = (
        queue.subscribe("t", "a", false),
        queue.subscribe("t", "a", false),
        queue.subscribe("t", "b", false),
    );
    for text in ["1", "2", "3"] {
        queue.publish("t", message(text, None), 0).unwrap();
    }
    queue.publish("other", message("4", None), 0).unwrap();
    assert_eq!(texts(&queue.pull(a1, 2, 0).unwrap()), ["1", "2"]);
    assert_eq!(texts(&queue.pull(a2, 9, 0).unwrap()), ["3"]);
    assert_eq!(texts(&queue.pull(b, 9, 0).unwrap()), ["1", "2", "3"]);
    assert!(queue.pull(a1, 9, 0).unwrap().is_empty());
}

#[test]
fn a_refused_message_comes_again_later_with_a_higher_attempt() {
    let mut queue = Queue::new(1000, 1 << 20);
    let id = queue.subscribe("t", "g", false);
    queue.publish("t", message("1", None), 0).unwrap();
    let first = queue.pull(id, 9, 0).unwrap();
    queue.nack(id, &first[0].receipt, 50).unwrap();
    assert!(queue.pull(id, 9, 49).unwrap().is_empty());
    let second = queue.pull(id, 9, 50).unwrap();
    assert_eq!((first[0].attempt, second[0].attempt), (1, 2));
    assert_eq!(
        queue.ack(id, &first[0].receipt).unwrap_err().kind(),
        Kind::NotFound
    );
    queue.ack(id, &second[0].receipt).unwrap();
    assert_eq!(queue.bytes, 0);
}

#[test]
fn equal_keys_come_one_after_another() {
    let mut queue = Queue::new(1000, 1 << 20);
    let id = queue.subscribe("t", "g", false);
    for (text, key) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a")] {
        queue.publish("t", message(text, Some(key)), 0).unwrap();
    }
    let first = queue.pull(id, 9, 0).unwrap();
    assert_eq!(texts(&first), ["a1", "b1"]);
    queue.nack(id, &first[0].receipt, 10).unwrap();
    assert!(queue.pull(id, 9, 5).unwrap().is_empty());
    let again = queue.pull(id, 9, 10).unwrap();
    assert_eq!(texts(&again), ["a1"]);
    queue.ack(id, &again[0].receipt).unwrap();
    assert_eq!(texts(&queue.pull(id, 9, 10).unwrap()), ["a2"]);
}

#[test]
fn what_a_subscriber_leaves_behind_others_get() {
    let mut queue = Queue::new(1000, 1 << 20);
    let (gone, stays) = (
        queue.subscribe("t", "g", false),
        queue.subscribe("t", "g", false),
    );
    queue.publish("t", message("1", None), 0).unwrap();
    queue.pull(gone, 9, 0).unwrap();
    queue.unsubscribe(gone);
    assert_eq!(queue.pull(stays, 9, 0).unwrap()[0].attempt, 2);
    assert_eq!(queue.pull(gone, 9, 0).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn is_delayed_and_bounded() {
    let mut queue = Queue::new(1000, 600);
    let id = queue.subscribe("t", "g", false);
    let delayed = Message {
        delay: Some(100),
        ..message("later", None)
    };
    queue.publish("t", delayed, 0).unwrap();
    queue.publish("t", message("now", None), 0).unwrap();
    assert_eq!(
        queue
            .publish("t", message("more", None), 0)
            .unwrap_err()
            .kind(),
        Kind::Exhausted
    );
    assert_eq!(texts(&queue.pull(id, 9, 99).unwrap()), ["now"]);
    assert_eq!(texts(&queue.pull(id, 9, 100).unwrap()), ["later"]);
}

#[test]
fn a_message_counts_until_the_last_group_is_done() {
    let mut queue = Queue::new(2, 1 << 20);
    let seats = [
        queue.subscribe("t", "a", false),
        queue.subscribe("t", "b", false),
    ];
    queue.publish("t", message("1", None), 0).unwrap();
    queue.publish("t", message("2", None), 0).unwrap();
    let full = queue.publish("t", message("3", None), 0).unwrap_err();
    assert_eq!(
        (full.kind(), full.retry_after()),
        (Kind::Exhausted, Some(FULL))
    );
    queue.publish("unheard", message("4", None), 0).unwrap();
    for (seat, messages) in seats.into_iter().zip([2, 1]) {
        let receipt = queue.pull(seat, 1, 0).unwrap().remove(0).receipt;
        queue.ack(seat, &receipt).unwrap();
        assert_eq!(queue.messages, messages);
    }
}

#[test]
fn an_ephemeral_group_ends_with_its_last_seat() {
    let mut queue = Queue::new(9, 1 << 20);
    let (first, second) = (
        queue.subscribe("t", "g", true),
        queue.subscribe("t", "g", true),
    );
    queue.publish("t", message("1", None), 0).unwrap();
    queue.pull(first, 9, 0).unwrap();
    queue.unsubscribe(first);
    assert_eq!(texts(&queue.pull(second, 9, 0).unwrap()), ["1"]);
    queue.unsubscribe(second);
    assert_eq!((queue.messages, queue.bytes), (0, 0));
    let third = queue.subscribe("t", "g", true);
    assert!(queue.pull(third, 9, 0).unwrap().is_empty());
}
