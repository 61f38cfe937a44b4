//! Reading files off the workers: one thread for each store, asked one thing at a time, and waited for no longer than a
//! moment. A file system that hangs holds up that thread and nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::{self, Sender},
    },
    time::Duration,
};
use tokio::sync::{Mutex, oneshot};
use wythe_blocks::{Error, Result};

/// A file of a system that is well is read in far less.
const PATIENCE: Duration = Duration::from_secs(2);

/// The thread, and whether it has been given up on. It is not waited for when the host ends.
pub(super) struct Reader<Q, A> {
    questions: Sender<Asked<Q, A>>,
    /// One at a time, so that those who come while a read hangs wait for it once and not in turn.
    turn: Mutex<()>,
    busy: Arc<AtomicBool>,
}

struct Asked<Q, A> {
    question: Q,
    answer: oneshot::Sender<A>,
}

impl<Q: Send + 'static, A: Send + 'static> Reader<Q, A> {
    pub fn start(name: &str, mut read: impl FnMut(Q) -> A + Send + 'static) -> Result<Self> {
        let (questions, asked) = mpsc::channel::<Asked<Q, A>>();
        let busy = Arc::new(AtomicBool::new(false));
        let ended = busy.clone();
        std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                for Asked { question, answer } in asked {
                    let read = read(question);
                    ended.store(false, SeqCst);
                    // Whoever asked may have given up.
                    let _ = answer.send(read);
                }
            })
            .map_err(|error| Error::unavailable("no thread to read files").with_source(error))?;
        Ok(Reader {
            questions,
            turn: Mutex::default(),
            busy,
        })
    }

    /// The answer as of now; none where the file system does not answer in time.
    pub async fn ask(&self, question: Q) -> Option<A> {
        let _turn = self.turn.lock().await;
        if self.busy.swap(true, SeqCst) {
            // A read that somebody gave up on is still under way.
            return None;
        }
        let (answer, answered) = oneshot::channel();
        self.questions.send(Asked { question, answer }).ok()?;
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        answered.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_read_that_hangs_holds_up_nobody_and_is_begun_once() {
        let (let_go, hung) = mpsc::channel::<()>();
        let begun = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = begun.clone();
        let reader = Reader::start("test", move |hangs: bool| {
            count.fetch_add(1, SeqCst);
            if hangs {
                let _ = hung.recv();
            }
        });
        let reader = reader.unwrap();
        assert_eq!(reader.ask(false).await, Some(()));
        assert_eq!(reader.ask(true).await, None);
        for _ in 0..100 {
            assert_eq!(reader.ask(false).await, None);
        }
        assert_eq!(begun.load(SeqCst), 2);
        let_go.send(()).unwrap();
        while reader.ask(false).await.is_none() {
            tokio::task::yield_now().await;
        }
    }
}
