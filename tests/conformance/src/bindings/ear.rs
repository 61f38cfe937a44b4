//! An app that listens, with a memory of what it heard and a will of what it takes.

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Error, Result,
    bindings::{Delivery, Driver, Sink},
};

/// The time for what must come, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// A time longer than a source pauses before its second and third attempt.
const SILENCE: Duration = Duration::from_secs(4);

/// The will of the app, which takes a delivery or does not.
type Will = Box<dyn Fn(&Delivery) -> bool + Send + Sync>;

/// An app that listens.
pub struct Ear {
    will: Will,
    /// The time that it thinks.
    pause: Duration,
    heard: Mutex<Vec<Delivery>>,
    finished: AtomicUsize,
}

impl Ear {
    pub fn new(will: impl Fn(&Delivery) -> bool + Send + Sync + 'static) -> Arc<Self> {
        Self::slow(Duration::ZERO, will)
    }

    /// An app that takes what it is given from that attempt on.
    pub fn patient(attempt: u32) -> Arc<Self> {
        Self::new(move |delivery| delivery.attempt >= attempt)
    }

    pub fn slow(
        pause: Duration,
        will: impl Fn(&Delivery) -> bool + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Ear {
            will: Box::new(will),
            pause,
            heard: Mutex::default(),
            finished: AtomicUsize::default(),
        })
    }

    pub fn heard(&self) -> Vec<Delivery> {
        let heard = self.heard.lock();
        heard.clone()
    }

    /// The text and the attempt of each delivery that it heard.
    pub fn texts(&self) -> Vec<(String, u32)> {
        let text = |one: &Delivery| String::from_utf8_lossy(&one.data).into_owned();
        let heard = self.heard();
        heard.iter().map(|one| (text(one), one.attempt)).collect()
    }

    fn note(&self, delivery: Delivery) {
        let mut heard = self.heard.lock();
        heard.push(delivery);
    }

    /// Deliveries that were answered.
    pub fn finished(&self) -> usize {
        self.finished.load(SeqCst)
    }

    /// The deliveries that it heard, once it is that many.
    pub async fn until(&self, count: usize) -> Vec<Delivery> {
        let enough = async {
            while self.heard().len() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = timeout(PATIENCE, enough).await;
        assert!(
            in_time.is_ok(),
            "{count} expected, heard {:?}",
            self.heard()
        );
        self.heard()
    }

    /// Listens for a while to a source that has nothing more to say.
    pub async fn silence(&self) -> Vec<Delivery> {
        tokio::time::sleep(SILENCE).await;
        self.heard()
    }
}

#[async_trait]
impl Sink for Ear {
    fn max_bytes(&self) -> u64 {
        16 << 20
    }

    async fn deliver(&self, delivery: Delivery) -> Result<Bytes> {
        let is_taken = (self.will)(&delivery);
        self.note(delivery);
        tokio::time::sleep(self.pause).await;
        self.finished.fetch_add(1, SeqCst);
        match is_taken {
            true => Ok(Bytes::new()),
            false => Err(Error::internal("refused, as the case wants it")),
        }
    }
}

/// A source that is read beside the case.
pub struct Reading {
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
}

impl Reading {
    pub fn start(driver: Arc<dyn Driver>, ear: &Arc<Ear>) -> Self {
        let (stop, sink) = (CancellationToken::new(), ear.clone());
        let until = stop.clone();
        let task = tokio::spawn(async move { driver.read(sink, until).await });
        Reading { stop, task }
    }

    /// Tells it to stop, and waits until it did.
    pub async fn end(self) {
        self.stop.cancel();
        let ended = timeout(PATIENCE, self.task).await;
        let ended = ended.expect("reading ends when it is told to");
        let ended = ended.expect("reading does not panic");
        ended.expect("reading that is told to stop is no error");
    }
}
