//! Publishing: a task has one connection for it, and answers each message once the server has acknowledged it.

use crate::{
    fault,
    link::{ALIVE, Link},
    settings::Target,
};
use bytes::Bytes;
use rumqttc::mqttbytes::{
    QoS,
    v4::{Packet, Publish},
};
use std::{collections::HashMap, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use wythe_blocks::{Backoff, Error, Result, random};

/// Messages that wait for the task, and those that wait for the server.
const WAITING: usize = 64;
const UNDER_WAY: usize = 100;
/// The pause after connecting has failed: messages that come meanwhile fail at once.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));

type Answer = oneshot::Sender<Result<()>>;

struct Order {
    publish: Publish,
    answer: Answer,
}

/// The publishing side of a component.
pub(crate) struct Publisher {
    orders: mpsc::Sender<Order>,
    limit: Duration,
    stop: CancellationToken,
    _task: AbortOnDropHandle<()>,
}

impl Publisher {
    /// Connects for the first time.
    #[expect(
        clippy::disallowed_methods,
        reason = "the task ends with the publisher"
    )]
    pub async fn open(target: Target) -> Result<Self> {
        let id = format!("wythe-{}", random::name()?);
        let link = Link::open(&target, &id, true).await?;
        let (orders, taken) = mpsc::channel(WAITING);
        let (limit, stop) = (target.timeout, CancellationToken::new());
        let until = stop.clone();
        let task = tokio::spawn(async move {
            until
                .run_until_cancelled(run(target, id, link, taken))
                .await;
        });
        Ok(Publisher {
            orders,
            limit,
            stop,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// Returns once the server has acknowledged the message, or with `qos: 0` has been sent it.
    pub async fn publish(&self, topic: &str, data: Bytes, qos: QoS, retain: bool) -> Result<()> {
        let mut publish = Publish::from_bytes(topic, qos, data);
        publish.retain = retain;
        let (answer, answered) = oneshot::channel();
        let sent = self.orders.send(Order { publish, answer });
        let whole = async {
            sent.await.map_err(|_| fault::closed())?;
            answered
                .await
                .unwrap_or_else(|_| Err(fault::unknown(topic)))
        };
        let whole = timeout(self.limit, whole).await;
        whole.unwrap_or_else(|_| Err(fault::unknown(topic)))
    }

    /// Returns whether there is a connection, by an error where there is none.
    pub async fn check(&self) -> Result<()> {
        // An order of nothing is answered by whoever has a connection.
        let (answer, answered) = oneshot::channel();
        let publish = Publish::from_bytes("", QoS::AtMostOnce, Bytes::new());
        let sent = self.orders.send(Order { publish, answer });
        let whole = async {
            sent.await.map_err(|_| fault::closed())?;
            answered.await.unwrap_or_else(|_| Err(fault::closed()))
        };
        let late = |_| Error::unavailable("the server does not answer in time");
        timeout(self.limit, whole).await.map_err(late)?
    }

    pub fn close(&self) {
        self.stop.cancel();
    }
}

async fn run(target: Target, id: String, first: Link, mut orders: mpsc::Receiver<Order>) {
    let mut pause = PAUSE;
    let mut link = Ok(first);
    loop {
        let error = match link {
            Ok(link) => {
                let begun = Instant::now();
                let ended = serve(link, &mut orders, target.timeout).await;
                pause.lasted(begun.elapsed());
                match ended {
                    Some(error) => error,
                    None => return,
                }
            }
            Err(error) => error,
        };
        tracing::debug!("publish: {}", error.chain());
        let again = async {
            sleep(pause.fail_apart()).await;
            Link::open(&target, &id, true).await
        };
        tokio::pin!(again);
        link = loop {
            tokio::select! {
                again = &mut again => break again,
                order = orders.recv() => match order {
                    // Nothing of it was sent.
                    Some(order) => drop(order.answer.send(Err(error.duplicate()))),
                    None => return,
                },
            }
        };
    }
}

/// A message that was sent.
struct Sent {
    topic: String,
    answer: Answer,
    at: Instant,
}

/// Messages that the server has not acknowledged yet, by their numbers.
#[derive(Default)]
struct Pending {
    by_number: HashMap<u16, Sent>,
    last: u16,
}

impl Pending {
    /// Returns whether a message has had no answer for longer than that: its number is in use for as long as the connection.
    fn is_late(&self, limit: Duration) -> bool {
        let mut sent = self.by_number.values();
        sent.any(|sent| sent.at.elapsed() > limit)
    }

    fn number(&mut self) -> u16 {
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if !self.by_number.contains_key(&self.last) {
                return self.last;
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        for (_, sent) in self.by_number.drain() {
            // Whoever asked may be gone.
            let _ = sent.answer.send(Err(fault::unknown(&sent.topic)));
        }
    }
}

/// Publishes until the connection breaks; nothing when the component is gone.
async fn serve(
    mut link: Link,
    orders: &mut mpsc::Receiver<Order>,
    limit: Duration,
) -> Option<Error> {
    let mut pending = Pending::default();
    let (mut tick, mut heard) = (interval(ALIVE / 2), Instant::now());
    loop {
        tokio::select! {
            order = orders.recv(), if pending.by_number.len() < UNDER_WAY => {
                let Some(order) = order else {
                    let _ = link.send(&Packet::Disconnect).await;
                    return None;
                };
                if let Err(error) = begin(&mut link, &mut pending, order).await {
                    return Some(error);
                }
            }
            packet = link.next() => match packet {
                Ok(Packet::PubAck(ack)) => {
                    heard = Instant::now();
                    if let Some(sent) = pending.by_number.remove(&ack.pkid) {
                        let _ = sent.answer.send(Ok(()));
                    }
                }
                Ok(_) => heard = Instant::now(),
                Err(error) => return Some(error),
            },
            _ = tick.tick() => {
                if heard.elapsed() > 2 * ALIVE {
                    return Some(Error::unavailable("the server gives no sign of life"));
                }
                if pending.is_late(limit.max(2 * ALIVE)) {
                    return Some(Error::unavailable("the server does not acknowledge a message"));
                }
                if let Err(error) = link.send(&Packet::PingReq).await {
                    return Some(error);
                }
            }
        }
    }
}

async fn begin(link: &mut Link, pending: &mut Pending, order: Order) -> Result<()> {
    let Order {
        mut publish,
        answer,
    } = order;
    // Whoever gave it up would not expect it to be sent.
    if answer.is_closed() {
        return Ok(());
    }
    if publish.topic.is_empty() {
        let _ = answer.send(Ok(()));
        return Ok(());
    }
    if publish.qos == QoS::AtMostOnce {
        let sent = link.send(&Packet::Publish(publish)).await;
        let reported = sent
            .as_ref()
            .map_or_else(|error| Err(error.duplicate()), |()| Ok(()));
        let _ = answer.send(reported);
        return sent;
    }
    publish.pkid = pending.number();
    let sent = Sent {
        topic: publish.topic.clone(),
        answer,
        at: Instant::now(),
    };
    pending.by_number.insert(publish.pkid, sent);
    link.send(&Packet::Publish(publish)).await
}
