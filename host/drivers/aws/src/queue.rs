//! Queues of SQS: what is asked of one, in batches of ten, as the service takes them.

use crate::{
    client::{Client, Operation},
    fault::Fault,
};
use serde_json::{Map, Value, json};
use std::{sync::Arc, time::Duration};
use wythe_client::Effect;

pub(crate) const SQS: &str = "sqs";
/// Entries of a batch.
const BATCH: usize = 10;
/// The service's words for a queue that is not there.
const ABSENT: [&str; 2] = [
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
];

/// A queue by its address, which is a name for the service: requests go to the component's endpoint alone.
#[derive(Clone)]
pub(crate) struct Queue {
    client: Arc<Client>,
    url: String,
}

/// A message that was received.
pub(crate) struct Taken {
    pub body: String,
    /// Deliveries so far, this one included.
    pub attempts: u32,
    /// The name of this delivery.
    pub handle: String,
}

/// Manner in which messages are received: so many at once, hidden from others for so long, and waited for so long.
#[derive(Clone, Copy)]
pub(crate) struct Taking {
    pub limit: u32,
    pub hidden: Duration,
    pub wait: Duration,
}

/// Says whether a fault is that the queue is not there.
pub(crate) fn is_absent(fault: &Fault) -> bool {
    ABSENT.contains(&fault.code())
}

async fn ask(
    client: &Client,
    name: &str,
    effect: Effect,
    extra: Duration,
    body: &Value,
) -> Result<Value, Fault> {
    let operation = Operation {
        service: SQS,
        prefix: "AmazonSQS",
        version: "1.0",
        name,
        effect,
        extra,
    };
    client.json(operation, body).await
}

fn odd() -> Fault {
    Fault::Odd("no answer of a queue".to_owned())
}

impl Queue {
    /// Finds a queue by its name.
    pub async fn find(client: Arc<Client>, name: &str) -> Result<Self, Fault> {
        let body = json!({ "QueueName": name });
        let answer = ask(&client, "GetQueueUrl", Effect::Read, Duration::ZERO, &body).await?;
        Self::of(client, &answer)
    }

    /// Makes a queue with these attributes, or finds the one that was made so.
    pub async fn make(client: Arc<Client>, name: &str, attributes: &Value) -> Result<Self, Fault> {
        let mut body = json!({ "QueueName": name, "tags": { "dapr-queue-name": name } });
        if attributes.as_object().is_some_and(|all| !all.is_empty()) {
            body["Attributes"] = attributes.clone();
        }
        let answer = ask(&client, "CreateQueue", Effect::Read, Duration::ZERO, &body).await?;
        Self::of(client, &answer)
    }

    fn of(client: Arc<Client>, answer: &Value) -> Result<Self, Fault> {
        let url = answer.get("QueueUrl").and_then(Value::as_str);
        let url = url.ok_or_else(odd)?.to_owned();
        Ok(Queue { client, url })
    }

    async fn ask(&self, name: &str, effect: Effect, mut body: Value) -> Result<Value, Fault> {
        body["QueueUrl"] = self.url.as_str().into();
        ask(&self.client, name, effect, Duration::ZERO, &body).await
    }

    /// The value of an attribute, if it has one.
    pub async fn attribute(&self, name: &str) -> Result<Option<String>, Fault> {
        let body = json!({ "AttributeNames": [name] });
        let answer = self.ask("GetQueueAttributes", Effect::Read, body).await?;
        let value = answer
            .get("Attributes")
            .and_then(|all| all.get(name)?.as_str());
        Ok(value.map(str::to_owned))
    }

    pub async fn set(&self, name: &str, value: &str) -> Result<(), Fault> {
        let body = json!({ "Attributes": { name: value } });
        self.ask("SetQueueAttributes", Effect::Read, body).await?;
        Ok(())
    }

    /// Removes the queue with all that is in it.
    pub async fn remove(&self) -> Result<(), Fault> {
        self.ask("DeleteQueue", Effect::Read, json!({})).await?;
        Ok(())
    }

    /// Sends a text; a queue that keeps an order is told of what it is one.
    pub async fn send(&self, text: &str, order: Option<(&str, &str)>) -> Result<(), Fault> {
        let mut body = json!({ "MessageBody": text });
        if let Some((group, id)) = order {
            body["MessageGroupId"] = group.into();
            body["MessageDeduplicationId"] = id.into();
        }
        self.ask("SendMessage", Effect::Write, body).await?;
        Ok(())
    }

    /// Receives messages, or none where none came within the time.
    pub async fn take(&self, taking: Taking) -> Result<Vec<Taken>, Fault> {
        let body = json!({
            "QueueUrl": self.url,
            "MaxNumberOfMessages": taking.limit,
            "VisibilityTimeout": taking.hidden.as_secs(),
            "WaitTimeSeconds": taking.wait.as_secs(),
            "AttributeNames": ["ApproximateReceiveCount"],
            "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
        });
        // What is received and not heard of is free again when its time is over.
        let asked = ask(
            &self.client,
            "ReceiveMessage",
            Effect::Write,
            taking.wait,
            &body,
        );
        let answer = asked.await?;
        let Some(messages) = answer.get("Messages").and_then(Value::as_array) else {
            return Ok(Vec::new());
        };
        messages
            .iter()
            .map(|one| taken(one).ok_or_else(odd))
            .collect()
    }

    /// Deletes messages by their deliveries; one answer for each.
    pub async fn delete(&self, handles: &[String]) -> Result<Vec<bool>, Fault> {
        self.batches("DeleteMessageBatch", handles, &Map::new())
            .await
    }

    /// Hides messages from others for so long from now, whole seconds of it; one answer for each.
    pub async fn hide(&self, handles: &[String], time: Duration) -> Result<Vec<bool>, Fault> {
        let seconds = time.as_millis().div_ceil(1_000).min(43_200);
        let seconds = u64::try_from(seconds).unwrap_or_default();
        let more = Map::from_iter([("VisibilityTimeout".to_owned(), seconds.into())]);
        self.batches("ChangeMessageVisibilityBatch", handles, &more)
            .await
    }

    async fn batches(
        &self,
        name: &str,
        handles: &[String],
        more: &Map<String, Value>,
    ) -> Result<Vec<bool>, Fault> {
        let mut done = Vec::with_capacity(handles.len());
        for batch in handles.chunks(BATCH) {
            let entries = batch.iter().enumerate().map(|(number, handle)| {
                let mut entry = more.clone();
                entry.insert("Id".to_owned(), number.to_string().into());
                entry.insert("ReceiptHandle".to_owned(), handle.as_str().into());
                Value::Object(entry)
            });
            let body = json!({ "Entries": entries.collect::<Vec<_>>() });
            // Done twice it is done.
            let answer = self.ask(name, Effect::Read, body).await?;
            let successes = answer.get("Successful").and_then(Value::as_array);
            let ids: Vec<_> = successes
                .into_iter()
                .flatten()
                .filter_map(|one| one.get("Id")?.as_str())
                .collect();
            let numbers = (0..batch.len()).map(|number| number.to_string());
            done.extend(numbers.map(|number| ids.contains(&number.as_str())));
        }
        Ok(done)
    }
}

fn taken(message: &Value) -> Option<Taken> {
    let text = |name: &str| message.get(name)?.as_str();
    let attempts = message.get("Attributes").and_then(|all| {
        let count = all.get("ApproximateReceiveCount")?;
        count.as_str()?.parse().ok()
    });
    Some(Taken {
        body: text("Body")?.to_owned(),
        attempts: attempts.unwrap_or(1),
        handle: text("ReceiptHandle")?.to_owned(),
    })
}
