//! Publishing: each message has the server's word that it is stored, or nobody knows.

use crate::{
    client::{Client, Side},
    fault,
    queue::Exchange,
};
use bytes::Bytes;
use lapin::{
    BasicProperties, Channel, Confirmation, PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use parking_lot::Mutex;
use std::{collections::HashSet, sync::Arc};
use tokio::time::{Instant, timeout, timeout_at};
use wythe_blocks::{Result, time::Clock as _};

/// Exchanges that are remembered as made.
const REMEMBERED: usize = 10_000;

/// A message on its way to an exchange; the one without a name gives it to the queue that the key names.
pub(crate) struct Outgoing {
    pub exchange: ShortString,
    pub key: ShortString,
    pub data: Bytes,
    pub properties: BasicProperties,
    /// The server says if no queue took it.
    pub is_mandatory: bool,
}

/// The word of the server on a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Each queue that wants it has stored it.
    Stored,
    /// It belongs to no queue.
    Returned,
    /// A queue does not take it, as it is full; others may have it.
    Refused,
}

/// The publishing side of a component.
pub(crate) struct Publisher {
    client: Arc<Client>,
    side: Side,
    open: tokio::sync::Mutex<Option<Arc<Open>>>,
}

/// A channel on which the server confirms.
struct Open {
    channel: Channel,
    /// Exchanges that were made since it is open.
    made: Mutex<HashSet<String>>,
}

impl Publisher {
    pub fn new(client: Arc<Client>, side: Side) -> Self {
        Publisher {
            client,
            side,
            open: tokio::sync::Mutex::default(),
        }
    }

    async fn open(&self) -> Result<Arc<Open>> {
        let mut open = self.open.lock().await;
        if let Some(found) = open.as_ref().filter(|one| one.channel.status().connected()) {
            if self.side == Side::Publishing {
                self.client.check().await?;
            }
            return Ok(found.clone());
        }
        *open = None;
        let channel = self.client.channel(self.side).await?;
        let select = channel.confirm_select(ConfirmSelectOptions::default());
        self.client.bound("confirms", select).await?;
        let made = Mutex::default();
        Ok(open.insert(Arc::new(Open { channel, made })).clone())
    }

    /// Uses a channel no more, if it is still the one in use.
    async fn lose(&self, lost: &Arc<Open>) {
        let mut open = self.open.lock().await;
        if open.as_ref().is_some_and(|one| Arc::ptr_eq(one, lost)) {
            *open = None;
        }
    }

    /// Makes an exchange, once for each channel; on one of its own, which alone ends with an error.
    async fn make(&self, open: &Open, exchange: &Exchange) -> Result<()> {
        if open.made.lock().contains(exchange.name.as_str()) {
            return Ok(());
        }
        let channel = self.client.channel(self.side).await?;
        exchange.declare(&self.client, &channel).await?;
        let closed = channel.close(200, "OK".into());
        self.client.bound("a channel", closed).await?;
        let mut made = open.made.lock();
        if made.len() >= REMEMBERED {
            made.clear();
        }
        made.insert(exchange.name.to_string());
        Ok(())
    }

    /// Publishes messages, each by itself, and answers in their order. `about` is what they are, in words for the app.
    pub async fn send(
        &self,
        exchange: Option<&Exchange>,
        messages: &[Outgoing],
        about: &str,
    ) -> Vec<Result<Answer>> {
        let open = async {
            let open = self.open().await?;
            if let Some(exchange) = exchange {
                self.make(&open, exchange).await?;
            }
            Ok::<_, wythe_blocks::Error>(open)
        };
        let open = match open.await {
            Ok(open) => open,
            Err(error) => return messages.iter().map(|_| Err(error.duplicate())).collect(),
        };
        let deadline = Instant::now().after(self.client.target.timeout);
        let mut begun = Vec::with_capacity(messages.len());
        for message in messages {
            begun.push(self.begin(&open, message, about, deadline).await);
        }
        let mut answers = Vec::with_capacity(messages.len());
        for (begun, message) in begun.into_iter().zip(messages) {
            answers.push(match begun {
                Ok(confirm) => finish(confirm, message, about, deadline).await,
                Err(error) => Err(error),
            });
        }
        if answers.iter().any(Result::is_err) {
            self.lose(&open).await;
        }
        answers
    }

    /// Publishes one message.
    pub async fn send_one(
        &self,
        exchange: Option<&Exchange>,
        message: Outgoing,
        about: &str,
    ) -> Result<Answer> {
        let mut answers = self.send(exchange, &[message], about).await;
        answers
            .pop()
            .unwrap_or_else(|| Err(fault::late_publish(about)))
    }

    async fn begin(
        &self,
        open: &Open,
        message: &Outgoing,
        about: &str,
        deadline: Instant,
    ) -> Result<PublisherConfirm> {
        if !open.channel.status().connected() {
            return Err(wythe_blocks::Error::unavailable(format!(
                "the connection to the server broke before {about} was sent"
            )));
        }
        let options = BasicPublishOptions {
            mandatory: message.is_mandatory,
            immediate: false,
        };
        let (exchange, key) = (message.exchange.clone(), message.key.clone());
        let properties = message.properties.clone();
        let sent = open
            .channel
            .basic_publish(exchange, key, options, &message.data, properties);
        let sent = timeout_at(deadline, sent).await;
        let sent = sent.map_err(|_| fault::late_publish(about))?;
        sent.map_err(|error| fault::of_publish(error, about, message.exchange.as_str()))
    }

    /// Ends the channel, once what was published is answered.
    pub async fn close(&self) {
        if let Some(open) = self.open.lock().await.take() {
            let closed = open.channel.close(200, "OK".into());
            // What is not closed within its time ends with the connection.
            let _ = timeout(self.client.target.timeout, closed).await;
        }
    }
}

async fn finish(
    confirm: PublisherConfirm,
    message: &Outgoing,
    about: &str,
    deadline: Instant,
) -> Result<Answer> {
    let confirmed = timeout_at(deadline, confirm).await;
    let confirmed = confirmed.map_err(|_| fault::late_publish(about))?;
    let confirmed =
        confirmed.map_err(|error| fault::of_publish(error, about, message.exchange.as_str()))?;
    Ok(match confirmed {
        Confirmation::Ack(None) => Answer::Stored,
        Confirmation::Ack(Some(_)) => Answer::Returned,
        Confirmation::Nack(_) => Answer::Refused,
        Confirmation::NotRequested => return Err(fault::late_publish(about)),
    })
}
