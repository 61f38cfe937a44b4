//! Messages and their bytes: who wants them, how many there may be, and what is undone.

use super::*;
use crate::shared::pubsub::queue::Waiting;
use tokio::time::Instant;
use wythe_blocks::{Kind, quota::Ledger};
use wythe_manifest::{Metered, Quotas};

/// Bytes of each message here.
const BYTES: u64 = 10;

fn topics(messages: u64) -> Topics {
    let limit = Backlog {
        messages,
        bytes: 1_000,
    };
    Topics::new(limit, None)
}

fn publish(topics: &mut Topics, topic: &str) -> Result<u64> {
    let groups = topics.groups(topic);
    let sequence = topics.admit(groups.len(), BYTES)?;
    for group in groups {
        let due = Instant::now();
        group.queue.add(vec![Waiting {
            sequence,
            due,
            attempts: 0,
            lane: None,
            bytes: 7,
            message: None,
        }]);
    }
    Ok(sequence)
}

#[test]
fn a_message_goes_with_the_last_group_that_wants_it() {
    let mut topics = topics(10);
    topics.join("t", "a", false).unwrap();
    topics.join("t", "b", false).unwrap();
    let sequence = publish(&mut topics, "t").unwrap();
    assert!(!topics.release(sequence));
    assert!(topics.release(sequence));
    assert!(topics.wanted.is_empty());
}

#[test]
fn an_ephemeral_group_ends_with_its_last_member() {
    let mut topics = topics(1);
    let first = topics.join("t", "e", true).unwrap();
    let second = topics.join("t", "e", true).unwrap();
    assert_eq!((first.known, second.known), (false, true));
    publish(&mut topics, "t").unwrap();
    first.group.queue.leave(first.member);
    let error = publish(&mut topics, "t").unwrap_err();
    assert_eq!(
        error.message(),
        "1 messages wait to be acknowledged; at most 1 are kept"
    );
    assert_eq!(error.retry_after(), Some(RETRY_AFTER));
    second.group.queue.leave(second.member);
    assert!(!topics.join("t", "e", true).unwrap().known);
    publish(&mut topics, "t").unwrap();
}

#[test]
fn a_durable_member_is_not_added_to_an_ephemeral_group() {
    let mut topics = topics(1);
    topics.join("t", "e", true).unwrap();
    let error = topics.join("t", "e", false).err().unwrap();
    assert_eq!(
        error.message(),
        "group `e` of topic `t` is in use as an ephemeral one; expected another name"
    );
}

#[test]
fn bytes_are_bounded_and_given_back() {
    let mut topics = topics(1_000);
    topics.join("t", "a", false).unwrap();
    topics.join("t", "b", false).unwrap();
    let sequences: Vec<u64> = (0..100)
        .map(|_| publish(&mut topics, "t").unwrap())
        .collect();
    let error = publish(&mut topics, "t").unwrap_err();
    assert_eq!(
        error.message(),
        "messages of 1000 bytes wait to be acknowledged, and this one has 10; at most 1000 are kept; see \
         `maxBacklogBytes`"
    );
    topics.release(sequences[0]);
    publish(&mut topics, "t").unwrap_err();
    topics.release(sequences[0]);
    publish(&mut topics, "t").unwrap();
}

#[test]
fn bytes_that_were_there_before_count() {
    let mut topics = topics(1_000);
    topics.restore_message(1);
    topics.restore_message(1);
    topics.restore_bytes(1, 995);
    topics.restore_bytes(2, 995);
    topics.join("t", "a", false).unwrap();
    publish(&mut topics, "t").unwrap_err();
    topics.release(1);
    topics.release(1);
    publish(&mut topics, "t").unwrap();
    assert_eq!(topics.bytes, BYTES);
}

#[test]
fn what_could_not_be_kept_is_undone() {
    let mut topics = topics(10);
    let member = topics.join("t", "a", false).unwrap();
    let (stored, gone) = (
        publish(&mut topics, "t").unwrap(),
        publish(&mut topics, "t").unwrap(),
    );
    let (holder, _) = topics.readers("dead");
    let letter = topics.admit_over(1, BYTES);
    topics.begin();
    assert!(topics.release(stored));
    publish(&mut topics, "t").unwrap();
    topics.join("t", "new", false).unwrap();
    topics.join("t", "a", false).unwrap();
    assert!(topics.join("dead", "reader", false).unwrap().adopted);
    topics.name("t", "a", None);
    topics.undo();
    assert!(topics.find("t", "new").is_none() && topics.find("dead", "reader").is_none());
    assert!(Arc::ptr_eq(&topics.readers("dead").0[0], &holder[0]));
    let group = topics.find("t", "a").unwrap();
    assert!(Arc::ptr_eq(&group, &member.group));
    assert_eq!(group.queue.members(), 1);
    for sequence in [stored, gone, letter] {
        assert!(topics.release(sequence));
    }
    assert!(topics.wanted.is_empty());
}

#[test]
fn what_waits_is_held_of_the_quota() {
    let ledger = Ledger::new("shop".parse().unwrap());
    ledger.set(Some(&Quotas::default()));
    let used = || ledger.readings()[Metered::BacklogBytes as usize].used;
    let quota = Metered::BacklogBytes.default_amount();
    let limit = Backlog {
        messages: 10,
        bytes: u64::MAX,
    };
    let mut topics = Topics::new(limit, Some(ledger.nothing(Metered::BacklogBytes)));
    topics.join("t", "a", false).unwrap();
    topics.join("t", "b", false).unwrap();
    let first = publish(&mut topics, "t").unwrap();
    let second = topics.admit(2, quota - BYTES).unwrap();
    assert_eq!(used(), quota);
    let full = publish(&mut topics, "t").unwrap_err();
    assert_eq!(full.kind(), Kind::Exhausted);
    assert!(full.message().contains("`quotas.backlogBytes`") && full.retry_after().is_some());
    // A dead letter is there already, whatever the quota says.
    let letter = topics.admit_over(1, 7);
    assert_eq!(used(), quota + 7);
    assert!(!topics.release(first) && topics.release(first));
    assert_eq!(used(), quota + 7 - BYTES);
    assert!(topics.release(letter));
    // What is undone was never there, and what was let go is there again.
    topics.begin();
    publish(&mut topics, "t").unwrap();
    assert!(!topics.release(second) && topics.release(second));
    assert_eq!(used(), BYTES);
    topics.undo();
    assert_eq!(used(), quota - BYTES);
    topics.recount();
    assert_eq!(used(), 0);
    topics.admit(1, 5).unwrap();
    topics.let_go();
    assert_eq!(used(), 0);
}
