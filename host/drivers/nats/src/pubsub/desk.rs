//! The messages that a member of a group has: those that wait for somebody who pulls, and those that are out.

use super::{
    message::Delivered,
    streams::{Group, Streams},
};
use crate::{
    client::Client,
    failure::{self, Effect},
    link::Lost,
    wire::Outgoing,
};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Error, Result,
    pubsub::{Leave, Message, Received},
    random,
    time::{Clock as _, nanoseconds},
};

/// Messages of one request.
const REQUEST: usize = 100;
/// The longest time after which a message comes again: the server counts nanoseconds.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);
/// The matter of settling, in words for the log.
const ABOUT: &str = "an acknowledgement";

pub(super) struct Desk {
    pub client: Arc<Client>,
    pub streams: Arc<Streams>,
    pub group: Group,
    /// Tells the receipts of this member from others.
    mark: u64,
    state: Mutex<State>,
    /// Somebody pulls, and there is room.
    pub demand: Notify,
    /// Something came, or reading has failed.
    pub arrival: Notify,
    /// The member leaves, and its tasks end.
    pub stop: CancellationToken,
    /// The reader has ended.
    pub is_read: CancellationToken,
    has_left: AtomicBool,
}

#[derive(Default)]
struct State {
    held: BTreeMap<u64, Held>,
    /// The number that somebody waits for.
    wanted: usize,
    /// The number of the last delivery.
    serial: u64,
    failed: Option<Error>,
}

struct Held {
    message: Message,
    stored: u64,
    attempt: u32,
    settle: String,
    /// The number of its delivery, where it is out.
    out: Option<u64>,
}

impl Desk {
    pub fn new(client: Arc<Client>, streams: Arc<Streams>, group: Group) -> Self {
        Desk {
            client,
            streams,
            group,
            mark: random::next(),
            state: Mutex::default(),
            demand: Notify::new(),
            arrival: Notify::new(),
            stop: CancellationToken::new(),
            is_read: CancellationToken::new(),
            has_left: AtomicBool::new(false),
        }
    }

    /// The number of messages that are wanted now, and fit.
    pub fn room(&self) -> usize {
        let state = self.state.lock();
        let room = self.streams.settings.at_once;
        room.saturating_sub(state.held.len()).min(state.wanted)
    }

    /// Takes what came. One that is here already came again as it took long: it is settled as the last delivery.
    pub fn add(&self, all: Vec<Delivered>) {
        if all.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        state.wanted = state.wanted.saturating_sub(all.len());
        for one in all {
            let same = state.held.get_mut(&one.number);
            if let Some(held) = same.filter(|held| held.stored == one.stored) {
                held.settle = one.settle;
                continue;
            }
            let held = Held {
                message: one.message,
                stored: one.stored,
                attempt: one.attempt,
                settle: one.settle,
                out: None,
            };
            state.held.insert(one.number, held);
        }
        drop(state);
        self.arrival.notify_one();
    }

    pub fn fail(&self, error: Error) {
        self.state.lock().failed = Some(error);
        self.arrival.notify_one();
    }

    /// Says how many are wanted, or why none come.
    pub fn want(&self, count: usize) -> Result<()> {
        let mut state = self.state.lock();
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        state.wanted = count.min(REQUEST);
        drop(state);
        self.demand.notify_one();
        Ok(())
    }

    /// Gives out messages that wait.
    pub fn give(&self, count: usize) -> Vec<Received> {
        let state = &mut *self.state.lock();
        let waiting = state.held.iter_mut().filter(|(_, held)| held.out.is_none());
        let mut given = Vec::new();
        for (number, held) in waiting.take(count) {
            state.serial += 1;
            held.out = Some(state.serial);
            given.push(Received {
                message: held.message.clone(),
                attempt: held.attempt,
                receipt: format!("{} {number} {}", self.mark, state.serial).into_bytes(),
            });
        }
        if !given.is_empty() {
            state.wanted = 0;
        }
        given
    }

    /// The number of a message that is out, and the subject that settles it.
    pub fn of(&self, receipt: &[u8]) -> Result<(u64, String)> {
        let missing = || Error::not_found("the delivery is settled, or another one's");
        let text = std::str::from_utf8(receipt).map_err(|_| missing())?;
        let mut numbers = text.split(' ').map(|part| part.parse::<u64>().ok());
        let (Some(Some(mark)), Some(Some(number)), Some(serial @ Some(_))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return Err(missing());
        };
        let state = self.state.lock();
        let held = state.held.get(&number).filter(|held| held.out == serial);
        match held.filter(|_| mark == self.mark) {
            Some(held) => Ok((number, held.settle.clone())),
            None => Err(missing()),
        }
    }

    /// Forgets all messages, as they are of a group that is gone.
    pub fn clear(&self) {
        self.state.lock().held.clear();
    }

    /// Forgets a message.
    pub fn forget(&self, number: u64) {
        self.state.lock().held.remove(&number);
        self.demand.notify_one();
    }

    /// The subjects that settle all that the member has.
    fn all(&self) -> Vec<String> {
        let state = self.state.lock();
        state
            .held
            .values()
            .map(|held| held.settle.clone())
            .collect()
    }

    /// Tells the server that its messages are still here.
    pub async fn hold(&self) -> Result<()> {
        let all = self.all();
        if all.is_empty() {
            return Ok(());
        }
        let link = self.client.link().await?;
        for subject in all {
            let sent = link.publish(Outgoing::new(subject, "+WPI"), "").await;
            sent.map_err(|lost| lost.error(Effect::Read, "a message"))?;
        }
        Ok(())
    }

    /// Settles messages by a word, in one go. One result for each, in order.
    pub async fn settle(&self, subjects: Vec<String>, word: &'static str) -> Vec<Result<()>> {
        let words = subjects.into_iter();
        self.say(words.map(|subject| Outgoing::new(subject, word)).collect())
            .await
    }

    async fn say(&self, words: Vec<Outgoing>) -> Vec<Result<()>> {
        let link = match self.client.link().await {
            Ok(link) => link,
            Err(error) => return words.iter().map(|_| Err(error.duplicate())).collect(),
        };
        let deadline = Instant::now().after(self.client.target.timeout);
        let mut sent = Vec::with_capacity(words.len());
        for word in words {
            sent.push(timeout_at(deadline, link.send(word)).await);
        }
        let mut answers = Vec::with_capacity(sent.len());
        for pending in sent {
            let answered = async { pending.map_err(|_| Lost::Unsent)??.answer().await };
            answers.push(match timeout_at(deadline, answered).await {
                Ok(Ok(answer)) if answer.status.is_some() => Err(Error::not_found(
                    "the group is not there any more: the delivery comes again",
                )),
                Ok(answer) => answer.map(drop).map_err(of_settling),
                Err(_) => {
                    link.doubt();
                    Err(failure::late(Effect::Read, ABOUT))
                }
            });
        }
        answers
    }

    /// Has a message come again, after a time.
    pub async fn refuse(&self, subject: String, delay: Duration) -> Result<()> {
        let word = match delay {
            Duration::ZERO => "-NAK".to_owned(),
            delay => format!("-NAK {{\"delay\": {}}}", nanoseconds(delay.min(LONGEST))),
        };
        let answers = self.say(vec![Outgoing::new(subject, word)]).await;
        answers.into_iter().next().unwrap_or(Ok(()))
    }
}

#[async_trait]
impl Leave for Desk {
    fn has_left(&self) -> bool {
        self.has_left.load(Relaxed)
    }

    async fn leave(&self) -> Result<()> {
        if self.has_left.swap(true, Relaxed) {
            return Ok(());
        }
        self.stop.cancel();
        self.arrival.notify_one();
        let limit = self.client.target.timeout;
        // Without its reader, what is on its way comes again after `ackWait`.
        let _ = timeout(limit, self.is_read.cancelled()).await;
        let all = self.all();
        self.clear();
        let answers = self.settle(all, "-NAK").await;
        let left = self.streams.leave(&self.group).await;
        answers.into_iter().collect::<Result<()>>().and(left)
    }

    fn report(&self, error: &Error) {
        tracing::warn!(
            topic = self.group.topic,
            "its messages go to others after `ackWait`: {}",
            error.chain()
        );
    }
}

fn of_settling(lost: Lost) -> Error {
    lost.error(Effect::Read, ABOUT)
}
