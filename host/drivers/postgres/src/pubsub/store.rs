//! Publishing, and how a message becomes a row and a row a message.

mod operating;

use super::{
    MAX_MESSAGE,
    backlog::{Backlog, attributes, size},
    sql::Sql,
};
use crate::{
    client::{Lent, Value, bytes, column, microseconds},
    fault::Fault,
    held::Held,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_postgres::Row;
use wythe_blocks::{Error, Result, pubsub::Message, time::NEVER};

/// Bytes of messages in one statement.
const AT_ONCE: u64 = 16 << 20;
/// Messages in one statement.
const MANY: usize = 1_000;
/// Bytes of a message with all that stands beside its data: the server can send it back in one row.
const MAX_WHOLE: u64 = 17 << 20;

pub(super) struct Store {
    pub held: Held,
    pub sql: Sql,
    pub backlog: Backlog,
    pub lease: Duration,
    /// Told when there may be something to take.
    pub wake: Arc<Notify>,
}

impl Store {
    /// One answer a message, in order.
    pub async fn publish(&self, topic: &str, messages: &[Message]) -> Vec<Result<()>> {
        let mut answers: Vec<Result<()>> = messages.iter().map(check).collect();
        let good: Vec<_> = (0..messages.len())
            .filter(|place| answers[*place].is_ok())
            .collect();
        let mut rest = &good[..];
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chunk(messages, rest));
            rest = after;
            let sent: Vec<_> = chunk.iter().map(|place| &messages[*place]).collect();
            let (stored, refused) = match self.publish_some(topic, &sent).await {
                Ok(answer) => answer,
                Err(error) => (0, Some(error)),
            };
            if let Some(error) = refused {
                for place in &chunk[stored..] {
                    answers[*place] = Err(error.duplicate());
                }
            }
        }
        self.wake.notify_waiters();
        answers
    }

    async fn publish_some(
        &self,
        topic: &str,
        messages: &[&Message],
    ) -> Result<(usize, Option<Error>)> {
        let lent = self.held.lend().await?;
        let admitted = self
            .backlog
            .admit(&lent, &self.sql, topic, messages)
            .await
            .map_err(Fault::of_read)?;
        if admitted.0 > 0 {
            let stored = insert(
                &lent,
                &self.sql.publishing.publish,
                topic,
                &messages[..admitted.0],
            );
            stored.await.map_err(Fault::of_write)?;
        }
        Ok(admitted)
    }

    /// Publishes a letter in place of a delivery, which `remove` takes away first, in the same transaction.
    pub async fn in_place<F>(
        &self,
        lent: &Lent,
        to: &str,
        letter: &Message,
        remove: impl Fn() -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<Result<()>, Fault>>,
    {
        check(letter)?;
        let sql = &self.sql.publishing;
        let work = || async {
            lent.rows(&sql.lock_topic, &[&to], 1).await?;
            if let Err(error) = remove().await? {
                return Ok(Err(error));
            }
            insert(lent, &sql.letter, to, &[letter]).await?;
            Ok(Ok(()))
        };
        let answer = lent.atomically(work).await;
        self.wake.notify_waiters();
        answer
    }
}

/// Refuses what the server would refuse together with all else that is published at once, or would not give back.
fn check(message: &Message) -> Result<()> {
    let data = message.data.len() as u64;
    if data > MAX_MESSAGE {
        return Err(Error::invalid(format!(
            "the message has {data} bytes; at most {MAX_MESSAGE} are allowed"
        )));
    }
    let whole = size(message);
    if whole > MAX_WHOLE {
        return Err(Error::invalid(format!(
            "the message has {whole} bytes with its attributes, content type and ordering key; at most {MAX_WHOLE} are allowed"
        )));
    }
    let key = message.ordering_key.as_deref().unwrap_or_default();
    for (what, text) in [
        ("content type", &message.content_type[..]),
        ("ordering key", key),
    ] {
        if text.contains('\0') {
            return Err(Error::invalid(format!(
                "the {what} of the message has a NUL character, which the database takes in no text"
            )));
        }
    }
    Ok(())
}

/// The number of messages, at least one, that go together.
fn chunk(messages: &[Message], places: &[usize]) -> usize {
    let mut bytes = 0;
    let fits = places.iter().take(MANY).take_while(|place| {
        bytes += size(&messages[**place]);
        bytes <= AT_ONCE
    });
    fits.count().max(1)
}

async fn insert(lent: &Lent, sql: &str, topic: &str, messages: &[&Message]) -> Result<(), Fault> {
    let data: Vec<&[u8]> = messages.iter().map(|one| &one.data[..]).collect();
    let types: Vec<&str> = messages
        .iter()
        .map(|one| one.content_type.as_str())
        .collect();
    let keys: Vec<Option<&str>> = messages
        .iter()
        .map(|one| one.ordering_key.as_deref())
        .collect();
    let attributes: Vec<String> = messages.iter().map(|one| attributes(one)).collect();
    let delays: Vec<i64> = messages
        .iter()
        .map(|one| microseconds(one.delay.unwrap_or_default().min(NEVER)))
        .collect();
    let sizes = messages.iter().map(|one| i64::try_from(size(one)));
    let sizes: Vec<i64> = sizes.map(|size| size.unwrap_or(i64::MAX)).collect();
    let values: [Value<'_>; 7] = [&topic, &data, &types, &keys, &attributes, &delays, &sizes];
    lent.rows(sql, &values, 1).await.map(drop)
}

/// A message of a row, whose columns from `first` are data, content type, ordering key and attributes.
pub(super) fn message(row: &Row, first: usize) -> Result<Message, Fault> {
    let attributes: &str = column(row, first + 3)?;
    let attributes = serde_json::from_str(attributes);
    Ok(Message {
        data: bytes(row, first)?,
        content_type: column(row, first + 1)?,
        ordering_key: column(row, first + 2)?,
        attributes: attributes.map_err(|error| Fault::Odd(format!("attributes: {error}")))?,
        delay: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_blocks::Kind;

    fn refused(message: &Message, expected: &str) {
        let error = check(message).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.message().contains(expected), "{error}");
    }

    #[test]
    fn what_stands_beside_the_data_is_bounded_as_it_is_stored() {
        let message = Message {
            data: vec![0; MAX_MESSAGE as usize].into(),
            content_type: "text/plain".to_owned(),
            ordering_key: Some("key".to_owned()),
            attributes: vec![("a".to_owned(), "b".to_owned())],
            delay: None,
        };
        check(&message).unwrap();
        let limit = "at most 17825792 are allowed";
        let mut long = message.clone();
        long.content_type = "x".repeat(1 << 20);
        refused(&long, limit);
        let mut long = message.clone();
        long.ordering_key = Some("x".repeat(1 << 20));
        refused(&long, limit);
        let mut long = message.clone();
        // Each of the characters has six in the text of JSON.
        long.attributes[0].1 = "\u{1}".repeat(200_000);
        refused(&long, limit);
    }

    #[test]
    fn a_text_with_nul_is_refused_and_an_attribute_is_not() {
        let message = Message {
            data: "x".into(),
            content_type: "text/plain".to_owned(),
            ordering_key: None,
            attributes: vec![("a".to_owned(), "\0".to_owned())],
            delay: None,
        };
        check(&message).unwrap();
        let mut bad = message.clone();
        bad.content_type.push('\0');
        refused(&bad, "the content type of the message has a NUL");
        let mut bad = message.clone();
        bad.ordering_key = Some("\0".to_owned());
        refused(&bad, "the ordering key of the message has a NUL");
    }
}
