//! Pub/sub: a topic is a topic of the server, data are the payload, and a group is a session that the server keeps while nobody
//! is there. Members of a group in one host share its session.

use crate::{
    desk::Desk,
    fault,
    publisher::Publisher,
    session::{Position, Session},
    settings::Parsed,
};
use async_trait::async_trait;
use rumqttc::mqttbytes::QoS;
use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Error, Result, Site,
    pubsub::{Consumer, Driver, Features, Message, Receipt, Received, SubscribeOptions},
    random,
};

/// Bytes of a message.
const MAX_MESSAGE: u64 = 16 << 20;
/// The content type of whatever comes, as the protocol has none.
const EVENT: &str = "application/cloudevents+json";

pub(super) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let publisher = Publisher::open(parsed.target.clone()).await?;
    Ok(Arc::new(PubSub {
        publisher,
        parsed,
        tenant: site.tenant.to_string(),
        sessions: tokio::sync::Mutex::default(),
        is_closed: AtomicBool::new(false),
    }))
}

/// A group of a topic, and whether it ends with its last member.
type Key = (String, String, bool);

struct PubSub {
    publisher: Publisher,
    parsed: Parsed,
    tenant: String,
    /// The sessions, each with the end of its task: whoever joins again waits for that.
    sessions: tokio::sync::Mutex<HashMap<Key, (Weak<Session>, CancellationToken)>>,
    is_closed: AtomicBool,
}

impl PubSub {
    fn check(&self) -> Result<()> {
        match self.is_closed.load(Relaxed) {
            false => Ok(()),
            true => Err(fault::closed()),
        }
    }

    /// The name of the session: no two groups of a tenant's user have one together, and no two tenants, as a point is in no
    /// tenant's name.
    fn id(&self, topic: &str, group: &str, ephemeral: bool) -> Result<String> {
        Ok(match ephemeral {
            true => format!("wythe-{}", random::name()?),
            false => {
                let user = self.parsed.target.user.as_deref().unwrap_or_default();
                let (tenant, length) = (&self.tenant, group.len());
                format!("wythe.{tenant}.{user}-{length}-{group}-{topic}")
            }
        })
    }

    async fn session(&self, topic: &str, group: &str, ephemeral: bool) -> Result<Arc<Session>> {
        let mut sessions = self.sessions.lock().await;
        self.check()?;
        let key = (topic.to_owned(), group.to_owned(), ephemeral);
        if let Some((session, done)) = sessions.get(&key) {
            if let Some(session) = session.upgrade() {
                return Ok(session);
            }
            let _ = timeout(self.parsed.target.timeout, done.cancelled()).await;
        }
        sessions.retain(|_, (_, done)| !done.is_cancelled());
        let place = Position {
            target: self.parsed.target.clone(),
            id: self.id(topic, group, ephemeral)?,
            filter: topic.to_owned(),
            qos: self.parsed.qos,
            is_clean: ephemeral || self.parsed.is_clean,
        };
        let session = Arc::new(Session::open(place).await?);
        sessions.insert(key, (Arc::downgrade(&session), session.done()));
        Ok(session)
    }
}

/// A topic without wildcards, and none of the server's own.
fn check_topic(topic: &str) -> Result<()> {
    let is_good = rumqttc::mqttbytes::valid_topic(topic) && topic.len() <= 65_535;
    match is_good && !topic.starts_with('$') && !topic.contains('\0') {
        true => Ok(()),
        false => Err(Error::invalid(
            "a topic of MQTT has no `+` and no `#`, and does not begin with `$`; use another one",
        )),
    }
}

#[async_trait]
impl Driver for PubSub {
    fn features(&self) -> Features {
        Features {
            // The protocol says nothing of a disk.
            durable: false,
            ordering: false,
            delay: false,
            dead_letters: false,
            counted: false,
            max_message_bytes: MAX_MESSAGE,
        }
    }

    async fn publish(&self, topic: &str, message: Message) -> Result<()> {
        self.check()?;
        check_topic(topic)?;
        let size = message.data.len() as u64;
        if size > MAX_MESSAGE {
            return Err(Error::invalid(format!(
                "a message of {size} bytes; at most {MAX_MESSAGE} are allowed"
            )));
        }
        let (qos, retain) = (self.parsed.qos, self.parsed.retain);
        self.publisher
            .publish(topic, message.data, qos, retain)
            .await
    }

    async fn subscribe(
        &self,
        topic: &str,
        group: &str,
        options: SubscribeOptions,
    ) -> Result<Box<dyn Consumer>> {
        check_topic(topic)?;
        let session = self.session(topic, group, options.ephemeral).await?;
        Ok(Box::new(Member {
            desk: session.desk.clone(),
            number: random::next(),
            _session: session,
        }))
    }

    fn describe(&self) -> Option<String> {
        let qos = match self.parsed.qos {
            QoS::AtMostOnce => 0,
            _ => 1,
        };
        let address = self.parsed.target.address();
        Some(format!("MQTT 3.1.1 at {address}, QoS {qos}"))
    }

    async fn health(&self) -> Result<()> {
        self.check()?;
        self.publisher.check().await
    }

    async fn close(&self) -> Result<()> {
        self.is_closed.store(true, Relaxed);
        let sessions = std::mem::take(&mut *self.sessions.lock().await);
        let live = sessions
            .values()
            .filter_map(|(session, _)| session.upgrade());
        for session in live {
            session.close(self.parsed.target.timeout).await;
        }
        self.publisher.close();
        Ok(())
    }
}

/// A member of a group.
struct Member {
    desk: Arc<Desk>,
    number: u64,
    /// It ends with its last member.
    _session: Arc<Session>,
}

#[async_trait]
impl Consumer for Member {
    async fn pull(&self, max: usize) -> Result<Vec<Received>> {
        let given = self.desk.pull(self.number, max).await?.into_iter();
        let received = given.map(|given| Received {
            message: Message {
                data: given.data,
                content_type: EVENT.to_owned(),
                ..Message::default()
            },
            attempt: given.attempt,
            receipt: given.receipt,
        });
        Ok(received.collect())
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Vec<Result<()>> {
        let acked = receipts.iter();
        acked
            .map(|receipt| self.desk.ack(self.number, receipt))
            .collect()
    }

    async fn nack(&self, receipt: Receipt, delay: Duration) -> Result<()> {
        self.desk.postpone(self.number, &receipt, delay)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.desk.release(self.number);
    }
}
