//! Batches, failures and the end, over an engine that only counts.

use super::*;
use std::sync::{Arc, atomic::AtomicU32};

#[derive(Default)]
struct Seen {
    batches: Mutex<Vec<Vec<u32>>>,
    /// True once the disk has room again; `tries` counts the attempts.
    has_room: AtomicBool,
    tries: AtomicU32,
}

struct Counting {
    seen: Arc<Seen>,
}

impl Engine for Counting {
    type Write = u32;
    type Answer = u32;

    #[expect(
        clippy::disallowed_methods,
        reason = "it is the thread of the committer"
    )]
    fn commit(&mut self, writes: Vec<u32>) -> Result<Vec<Result<u32>>> {
        std::thread::sleep(Duration::from_millis(5));
        self.seen.batches.lock().push(writes.clone());
        match writes.iter().find(|write| **write >= 900) {
            Some(900) => panic!("torn page"),
            Some(_) => Err(Error::unknown_outcome("fsync failed")),
            None => Ok(writes
                .into_iter()
                .map(|write| {
                    if write == 13 {
                        Err(Error::conflict("13"))
                    } else {
                        Ok(write * 2)
                    }
                })
                .collect()),
        }
    }

    fn sweep(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn reopen(&mut self) -> Result<()> {
        self.seen.tries.fetch_add(1, Relaxed);
        match self.seen.has_room.load(Relaxed) {
            true => Ok(()),
            false => Err(Error::unavailable("still full")),
        }
    }
}

fn start() -> (Arc<Seen>, Committer<u32, u32>) {
    let seen = Arc::new(Seen::default());
    let committer = Committer::start("store `s`".into(), Counting { seen: seen.clone() }).unwrap();
    (seen, committer)
}

#[tokio::test]
async fn waiting_writes_share_a_commit_and_fail_alone() {
    let (seen, committer) = start();
    let waits: Vec<_> = (0..100).map(|number| committer.submit(number)).collect();
    for (number, wait) in waits.into_iter().enumerate() {
        match wait.await {
            Ok(answer) => assert_eq!(answer as usize, number * 2),
            Err(error) => assert_eq!((number, error.kind()), (13, Kind::Conflict)),
        }
    }
    let batches = seen.batches.lock();
    assert!(batches.len() <= 3, "{} commits", batches.len());
    assert_eq!(batches.concat(), (0..100).collect::<Vec<_>>());
}

async fn check_failure(bad: u32) {
    let (seen, committer) = start();
    let (first, second) = (committer.submit(bad), committer.submit(1));
    assert_eq!(first.await.unwrap_err().kind(), Kind::UnknownOutcome);
    let in_same_batch = seen.batches.lock()[0].len() == 2;
    let expected = if in_same_batch {
        Kind::UnknownOutcome
    } else {
        Kind::Unavailable
    };
    assert_eq!(second.await.unwrap_err().kind(), expected);
    let commits = seen.batches.lock().len();
    let error = committer.submit(2).await.unwrap_err();
    assert_eq!(
        error.message(),
        "store `s` accepts no writes since a commit failed; the log has the cause"
    );
    assert_eq!(seen.batches.lock().len(), commits);
}

#[tokio::test]
async fn nothing_is_written_after_a_failed_commit() {
    check_failure(901).await;
}

#[tokio::test]
async fn a_store_opens_again_by_itself() {
    let (seen, committer) = start();
    committer.health().unwrap();
    committer.submit(901).await.unwrap_err();
    assert_eq!(committer.health().unwrap_err().kind(), Kind::Unavailable);
    while seen.tries.load(Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(committer.health().unwrap_err().kind(), Kind::Unavailable);
    seen.has_room.store(true, Relaxed);
    while committer.health().is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(committer.submit(2).await.unwrap(), 4);
}

#[tokio::test]
async fn a_panic_is_a_failed_commit() {
    check_failure(900).await;
}

#[tokio::test]
async fn close_keeps_what_was_handed_over() {
    let (seen, committer) = start();
    let dropped = committer.submit(7);
    drop(dropped);
    committer.close();
    assert_eq!(seen.batches.lock().concat(), [7]);
    assert_eq!(
        committer.submit(8).await.unwrap_err().message(),
        "store `s` is closed"
    );
}
