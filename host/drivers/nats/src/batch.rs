//! A batch: messages of one stream, of which the server stores all or none.

use crate::{
    client::{Answer, Client, Stored, stored},
    failure::{self, Effect, Refusal},
    link::{Link, Lost, Pending, greeting},
    wire::Outgoing,
};
use tokio::time::timeout;
use wythe_blocks::{Error, Result, random};

/// The first version with batches: an older one would store each message by itself.
pub(crate) const SINCE: (u64, u64) = (2, 12);

/// Messages of a batch for which a call has its time once more: the server syncs each by itself.
const EACH: usize = 100;

/// Messages that are stored together, in their order.
pub(crate) struct Batch {
    staged: Vec<Outgoing>,
    last: Outgoing,
}

impl Batch {
    /// A batch with a name of its own.
    pub fn new(staged: Vec<Outgoing>, last: Outgoing) -> Result<Self> {
        let name = random::name()?;
        let numbered = |message: Outgoing, number: usize| {
            let named = message.with("Nats-Batch-Id", name.clone());
            named.with("Nats-Batch-Sequence", number.to_string())
        };
        let last = numbered(last, staged.len() + 1);
        let staged = staged.into_iter().zip(1..);
        Ok(Batch {
            staged: staged
                .map(|(message, number)| numbered(message, number))
                .collect(),
            last: last.with("Nats-Batch-Commit", "1".to_owned()),
        })
    }

    /// Sends all of it; returns the number of the last message, nothing where no stream takes it. The server drops a batch
    /// that has no end, so that before the last message is sent nothing has happened.
    pub async fn store(self, client: &Client, about: &str) -> Result<Option<Answer<Stored>>> {
        let link = client.link().await?;
        check(&link)?;
        let count = self.staged.len() as u64 + 1;
        let limit = client.target.timeout * (1 + self.staged.len() / EACH) as u32;
        let Ok(staged) = timeout(limit, stage(&link, self.staged)).await else {
            link.doubt();
            return Err(failure::late(Effect::Read, about));
        };
        let staged = staged.map_err(|lost| lost.error(Effect::Read, about))?;
        let last = async { link.send(self.last).await?.answer().await };
        let Ok(answer) = timeout(limit, last).await else {
            link.doubt();
            return Err(failure::late(Effect::Write, about));
        };
        let answer = answer.map_err(|lost| lost.error(Effect::Write, about))?;
        match stored(&answer)? {
            Some(Err(refusal)) if refusal.is_incomplete() => {
                reason(staged, refusal).map(|refusal| Some(Err(refusal)))
            }
            Some(Ok(place)) if place.count != Some(count) => Err(failure::odd()),
            answer => Ok(answer),
        }
    }
}

/// The server may be another one than that which was there when the bucket was opened.
fn check(link: &Link) -> Result<()> {
    match greeting::version(&link.info().version) >= Some(SINCE) {
        true => Ok(()),
        false => Err(Error::unsupported(
            "the server that answers now is older than 2.12, the first version with batches: update each server of the cluster",
        )),
    }
}

async fn stage(link: &Link, messages: Vec<Outgoing>) -> Result<Vec<Pending>, Lost> {
    let mut pending = Vec::with_capacity(messages.len());
    for message in messages {
        pending.push(link.send(message).await?);
    }
    Ok(pending)
}

/// The reason why a batch lacks a message, which is in the answer to that message and came before.
fn reason(staged: Vec<Pending>, refusal: Refusal) -> Result<Refusal> {
    for pending in staged {
        let Some(answer) = pending.answer_so_far() else {
            continue;
        };
        let answer = answer?;
        // An answer without a text says that the message waits for the last one.
        if !answer.data.is_empty()
            && let Some(Err(refusal)) = stored(&answer)?
        {
            return Ok(refusal);
        }
    }
    Ok(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_message_ends_a_batch() {
        let [first, last] = ["a", "b"].map(|subject| Outgoing::new(subject, ""));
        let batch = Batch::new(vec![first], last).unwrap();
        let value = |message: &Outgoing, name| {
            let found = message.headers.iter().find(|header| header.0 == name);
            found.map(|header| header.1.clone())
        };
        let [first] = &batch.staged[..] else {
            panic!("{} staged", batch.staged.len());
        };
        let id = value(first, "Nats-Batch-Id").unwrap();
        assert!(
            (1..=64).contains(&id.len()),
            "the server has 64 bytes: {id}"
        );
        assert_eq!(value(&batch.last, "Nats-Batch-Id").unwrap(), id);
        assert_eq!(value(first, "Nats-Batch-Sequence").unwrap(), "1");
        assert_eq!(value(&batch.last, "Nats-Batch-Sequence").unwrap(), "2");
        assert_eq!(value(first, "Nats-Batch-Commit"), None);
        assert_eq!(value(&batch.last, "Nats-Batch-Commit").unwrap(), "1");
    }
}
