//! A session of the server that is subscribed to one filter: a task has its connection, and makes it anew when it breaks.

use crate::{
    desk::{Ack, BYTES, Desk, HELD},
    link::{ALIVE, Link},
    settings::Target,
};
use bytes::Bytes;
use rumqttc::mqttbytes::{
    QoS,
    v4::{Packet, PubAck, Publish, SubAck, Subscribe, SubscribeReasonCode},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{Backoff, Error, Result, random};

/// The pause after the connection broke.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));

/// A subscription as a session makes it.
#[derive(Clone)]
pub(crate) struct Position {
    pub target: Target,
    pub id: String,
    pub filter: String,
    pub qos: QoS,
    /// The server forgets it with the connection.
    pub is_clean: bool,
}

/// A session, which ends with its last user.
pub(crate) struct Session {
    pub desk: Arc<Desk>,
    stop: CancellationToken,
    done: CancellationToken,
}

impl Session {
    /// Connects and subscribes.
    #[expect(clippy::disallowed_methods, reason = "the task ends with the session")]
    pub async fn open(place: Position) -> Result<Self> {
        let opened = subscribe(&place).await?;
        let (desk, acks) = Desk::new(random::next());
        let desk = Arc::new(desk);
        let (stop, done) = (CancellationToken::new(), CancellationToken::new());
        let (of_task, until, guard) = (desk.clone(), stop.clone(), done.clone().drop_guard());
        tokio::spawn(async move {
            run(&place, &of_task, acks, &until, opened).await;
            of_task.close();
            drop(guard);
        });
        Ok(Session { desk, stop, done })
    }

    /// The end of its task, for whoever takes its place.
    pub fn done(&self) -> CancellationToken {
        self.done.clone()
    }

    /// Ends it, and waits until the server knows.
    pub async fn close(&self, limit: Duration) {
        self.stop.cancel();
        let _ = timeout(limit, self.done.cancelled()).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A connection that is subscribed, with what the session had before the server said so.
struct Opened {
    link: Link,
    early: Vec<Publish>,
}

async fn subscribe(place: &Position) -> Result<Opened> {
    let mut link = Link::open(&place.target, &place.id, place.is_clean).await?;
    let mut packet = Subscribe::new(&place.filter, place.qos);
    packet.pkid = 1;
    link.send(&Packet::Subscribe(packet)).await?;
    let (mut early, mut bytes) = (Vec::new(), 0);
    let answered = async {
        // A session with more than that gets its answer while it is read.
        while early.len() < HELD && bytes < BYTES {
            match link.next().await? {
                Packet::SubAck(ack) => return granted(place, &ack),
                Packet::Publish(publish) => {
                    bytes += publish.payload.len();
                    early.push(publish);
                }
                _ => {}
            }
        }
        Ok(())
    };
    let answered = timeout(place.target.timeout, answered).await;
    let late = |_| Error::unavailable("the server does not answer a subscription in time");
    answered.map_err(late)??;
    Ok(Opened { link, early })
}

/// Reads until it is told to stop, by one connection after the other.
async fn run(
    place: &Position,
    desk: &Desk,
    mut acks: mpsc::UnboundedReceiver<Ack>,
    stop: &CancellationToken,
    first: Opened,
) {
    let (mut pause, mut opened) = (PAUSE, Ok(first));
    loop {
        let error = match opened {
            Ok(opened) => {
                let begun = Instant::now();
                let ended = serve(opened, place, desk, &mut acks, stop).await;
                pause.lasted(begun.elapsed());
                match ended {
                    Some(error) => error,
                    None => return,
                }
            }
            Err(error) => error,
        };
        tracing::debug!(topic = place.filter, "read: {}", error.chain());
        desk.fail(error);
        let again = async {
            sleep(pause.fail_apart()).await;
            subscribe(place).await
        };
        opened = tokio::select! {
            () = stop.cancelled() => return,
            again = again => again,
        };
    }
}

/// Reads until the connection breaks; nothing where it is told to stop.
async fn serve(
    Opened { mut link, early }: Opened,
    place: &Position,
    desk: &Desk,
    acks: &mut mpsc::UnboundedReceiver<Ack>,
    stop: &CancellationToken,
) -> Option<Error> {
    let epoch = desk.begin();
    early.into_iter().for_each(|publish| take(desk, publish));
    let (mut tick, mut heard) = (interval(ALIVE / 2), Instant::now());
    loop {
        let has_room = desk.has_room();
        // Where nothing is read there is nothing to miss.
        heard = if has_room { heard } else { Instant::now() };
        let step = tokio::select! {
            () = stop.cancelled() => {
                if settle(&mut link, acks, epoch).await.is_ok() {
                    let _ = link.send(&Packet::Disconnect).await;
                }
                return None;
            }
            Some(ack) = acks.recv() => match send(&mut link, ack, epoch).await {
                Ok(()) => settle(&mut link, acks, epoch).await,
                Err(error) => Err(error),
            },
            packet = link.next(), if has_room => {
                heard = Instant::now();
                packet.and_then(|packet| read(place, desk, packet))
            }
            _ = tick.tick() => match heard.elapsed() > 2 * ALIVE {
                true => Err(Error::unavailable("the server gives no sign of life")),
                false => link.send(&Packet::PingReq).await,
            },
        };
        if let Err(error) = step {
            return Some(error);
        }
    }
}

/// Takes what the server sends; an error where it answers late, and refuses.
fn read(place: &Position, desk: &Desk, packet: Packet) -> Result<()> {
    match packet {
        Packet::Publish(publish) => take(desk, publish),
        Packet::SubAck(ack) => return granted(place, &ack),
        _ => {}
    }
    Ok(())
}

/// An error where the server refuses the subscription.
fn granted(place: &Position, ack: &SubAck) -> Result<()> {
    match ack.return_codes.contains(&SubscribeReasonCode::Failure) {
        true => Err(Error::denied(format!(
            "the server refuses a subscription to `{}`: let the user read that topic",
            place.filter
        ))),
        false => Ok(()),
    }
}

fn take(desk: &Desk, publish: Publish) {
    // It is a part of what was read at once: a small message would hold a large one that came before it.
    let data = Bytes::copy_from_slice(&publish.payload);
    desk.add(publish.topic, data, publish.pkid, publish.dup);
}

/// Sends the acknowledgements that wait.
async fn settle(
    link: &mut Link,
    acks: &mut mpsc::UnboundedReceiver<Ack>,
    epoch: u64,
) -> Result<()> {
    while let Ok(ack) = acks.try_recv() {
        send(link, ack, epoch).await?;
    }
    Ok(())
}

/// Acknowledges a message that came by this connection; one without a number needs none.
async fn send(link: &mut Link, (of, number): Ack, epoch: u64) -> Result<()> {
    match of == epoch && number > 0 {
        true => link.send(&Packet::PubAck(PubAck::new(number))).await,
        false => Ok(()),
    }
}
