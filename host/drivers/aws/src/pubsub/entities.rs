//! Topics, queues and the subscriptions between them: made where they are missing, unless somebody else manages them.

use super::{
    message::{ATTRIBUTE, Sent},
    settings::Settings,
};
use crate::{
    client::Client,
    fault::Fault,
    queue::{Queue, Taken},
};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::{collections::HashMap, sync::Arc};
use wythe_blocks::{Error, Result, random};
use wythe_client::{Effect, Element};

const SNS: &str = "sns";
const VERSION: &str = "2010-03-31";
/// Bytes of a queue's or a topic's name.
const MAX_NAME: usize = 80;
const FIFO: &str = ".fifo";
/// Seconds for which the queue of a group that ends with its last member keeps messages, should nobody remove it.
const PASSING: &str = "3600";
/// The mark of the statement by which topics of the account may write to a queue.
const STATEMENT: &str = "wythe-topics";

pub(super) struct Entities {
    pub sns: Arc<Client>,
    pub sqs: Arc<Client>,
    pub settings: Settings,
    /// The ARNs of topics by their names.
    topics: Mutex<HashMap<String, String>>,
    /// The beginning of every topic's ARN, where topics are not made here.
    beginning: Option<String>,
}

impl Entities {
    pub fn new(
        (sns, sqs): (Arc<Client>, Arc<Client>),
        settings: Settings,
        beginning: Option<String>,
    ) -> Self {
        Entities {
            sns,
            sqs,
            settings,
            topics: Mutex::default(),
            beginning,
        }
    }

    /// A name as the services have it. Others than plain ones are refused: without what the services do not take, two of
    /// them would be one.
    pub fn name(&self, what: &str, name: &str) -> Result<String> {
        let bare = match self.settings.is_fifo {
            true => name.strip_suffix(FIFO).unwrap_or(name),
            false => name,
        };
        let end = if self.settings.is_fifo { FIFO } else { "" };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        match (1..=MAX_NAME - end.len()).contains(&bare.len()) && bare.chars().all(is_plain) {
            true => Ok(format!("{bare}{end}")),
            false => Err(Error::invalid(format!(
                "the {what} `{name}`: names here have letters, digits, `-` and `_`, {} at most; use another name",
                MAX_NAME - end.len()
            ))),
        }
    }

    async fn form(
        &self,
        effect: Effect,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<Element, Fault> {
        let own = [("Action", action), ("Version", VERSION)];
        let fields = own.iter().chain(fields);
        let fields = fields.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.sns
            .form(SNS, effect, &fields.collect::<Vec<_>>())
            .await
    }

    /// The ARN of a topic, which is made where it is missing.
    async fn topic(&self, topic: &str) -> Result<String> {
        if let Some(known) = self.topics.lock().get(topic) {
            return Ok(known.clone());
        }
        let arn = match &self.beginning {
            Some(beginning) => format!("{beginning}{topic}"),
            None => self.make(topic).await?,
        };
        self.topics.lock().insert(topic.to_owned(), arn.clone());
        Ok(arn)
    }

    async fn make(&self, topic: &str) -> Result<String> {
        let about = format!("the topic `{topic}`");
        let mut fields = vec![
            ("Name", topic),
            ("Tags.member.1.Key", "dapr-topic-name"),
            ("Tags.member.1.Value", topic),
        ];
        if self.settings.is_fifo {
            fields.extend([
                ("Attributes.entry.1.key", "FifoTopic"),
                ("Attributes.entry.1.value", "true"),
                ("Attributes.entry.2.key", "ContentBasedDeduplication"),
                ("Attributes.entry.2.value", "true"),
            ]);
        }
        let answer = self.form(Effect::Read, "CreateTopic", &fields).await;
        let answer = answer.map_err(|fault| fault.of_read(&about))?;
        let arn = answer.text(&["CreateTopicResult", "TopicArn"]);
        let odd = || Fault::Odd("no topic".to_owned()).of_read(&about);
        arn.map(str::to_owned).ok_or_else(odd)
    }

    /// The queue of a name, which is made where it is missing.
    pub async fn queue(&self, name: &str, is_passing: bool) -> Result<Queue> {
        let about = format!("the queue `{name}`");
        if self.beginning.is_some() {
            let found = Queue::find(self.sqs.clone(), name).await;
            return found.map_err(|fault| missing(fault, &about));
        }
        let mut attributes = match self.settings.is_fifo {
            true => json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true" }),
            false => json!({}),
        };
        // A queue that keeps an order has dead letters in another such one.
        let of_letters = attributes.clone();
        if is_passing {
            attributes["MessageRetentionPeriod"] = PASSING.into();
        }
        let made = Queue::make(self.sqs.clone(), name, &attributes).await;
        let queue = made.map_err(|fault| fault.of_read(&about))?;
        if let Some((letters, count)) = &self.settings.letters {
            let name = self.name("queue of `sqsDeadLettersQueueName`", letters)?;
            let made = Queue::make(self.sqs.clone(), &name, &of_letters).await;
            let made = made.map_err(|fault| fault.of_read(&format!("the queue `{name}`")))?;
            let policy = json!({ "deadLetterTargetArn": arn(&made).await?, "maxReceiveCount": count.to_string() });
            let set = queue.set("RedrivePolicy", &policy.to_string()).await;
            set.map_err(|fault| fault.of_read(&about))?;
        }
        Ok(queue)
    }

    /// Has a topic's messages come into a queue, from now on; the answer is the subscription that does it, if it is ours.
    pub async fn connect(&self, topic: &str, queue: &Queue) -> Result<Option<String>> {
        let about = format!("the subscription to `{topic}`");
        let topic_arn = self.topic(topic).await?;
        let queue_arn = arn(queue).await?;
        if self.beginning.is_some() {
            // Whoever manages topics and queues has subscribed the one to the other.
            return Ok(None);
        }
        self.allow(queue, &queue_arn, &topic_arn).await?;
        let fields = [
            ("TopicArn", &*topic_arn),
            ("Protocol", "sqs"),
            ("Endpoint", &*queue_arn),
            ("ReturnSubscriptionArn", "true"),
        ];
        let subscribed = self.form(Effect::Read, "Subscribe", &fields).await;
        if let Err(fault) = &subscribed
            && fault.code() == "NotFound"
        {
            self.topics.lock().remove(topic);
        }
        let subscribed = subscribed.map_err(|fault| fault.of_read(&about))?;
        let arn = subscribed.text(&["SubscribeResult", "SubscriptionArn"]);
        Ok(arn.map(str::to_owned))
    }

    /// Ends a subscription.
    pub async fn disconnect(&self, subscription: &str) -> Result<()> {
        let fields = [("SubscriptionArn", subscription)];
        let ended = self.form(Effect::Read, "Unsubscribe", &fields).await;
        ended.map_err(|fault| fault.of_read("a subscription"))?;
        Ok(())
    }

    /// Allows the topics of the account to write into a queue, and nobody else: statements of others stay.
    async fn allow(&self, queue: &Queue, queue_arn: &str, topic_arn: &str) -> Result<()> {
        let about = "the policy of a queue";
        let said = queue.attribute("Policy").await;
        let said = said.map_err(|fault| fault.of_read(about))?;
        let mut policy = match said.filter(|text| !text.is_empty()) {
            None => Map::from_iter([("Version".to_owned(), "2012-10-17".into())]),
            Some(text) => serde_json::from_str(&text)
                .map_err(|_| Fault::Odd("a policy that is no object".to_owned()).of_read(about))?,
        };
        let mut statements = match policy.get_mut("Statement").map(Value::take) {
            Some(Value::Array(statements)) => statements,
            Some(Value::Null) | None => Vec::new(),
            Some(one) => vec![one],
        };
        let is_own = |one: &Value| one.get("Sid").and_then(Value::as_str) == Some(STATEMENT);
        if statements.iter().any(is_own) {
            return Ok(());
        }
        let account = topic_arn
            .rsplit_once(':')
            .map_or("", |(account, _)| account);
        statements.push(json!({
            "Sid": STATEMENT,
            "Effect": "Allow",
            "Principal": { "Service": "sns.amazonaws.com" },
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": { "ArnLike": { "aws:SourceArn": format!("{account}:*") } },
        }));
        policy.insert("Statement".to_owned(), Value::Array(statements));
        let policy = Value::Object(policy).to_string();
        let set = queue.set("Policy", &policy).await;
        set.map_err(|fault| fault.of_read(about))
    }

    /// Publishes messages that fit into one request; one answer for each. A topic that is gone is made anew, once.
    pub async fn publish(
        &self,
        topic: &str,
        messages: &[(&Sent, Option<&str>)],
    ) -> Vec<Result<()>> {
        let all = |error: &Error| messages.iter().map(|_| Err(error.duplicate())).collect();
        let about = format!("a message to `{topic}`");
        let mut is_again = false;
        loop {
            let arn = match self.topic(topic).await {
                Ok(arn) => arn,
                Err(error) => return all(&error),
            };
            let fields = match self.fields(&arn, messages) {
                Ok(fields) => fields,
                Err(error) => return all(&error),
            };
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| (&**name, &**value))
                .collect();
            match self.form(Effect::Write, "PublishBatch", &fields).await {
                Ok(answer) => return answers(&answer, messages.len(), &about),
                Err(fault) if fault.code() == "NotFound" => {
                    self.topics.lock().remove(topic);
                    if is_again || self.beginning.is_some() {
                        return all(&missing(fault, &format!("the topic `{topic}`")));
                    }
                    is_again = true;
                }
                Err(fault) => return all(&fault.of_write(&about)),
            }
        }
    }

    fn fields(
        &self,
        arn: &str,
        messages: &[(&Sent, Option<&str>)],
    ) -> Result<Vec<(String, String)>> {
        let mut fields = vec![("TopicArn".to_owned(), arn.to_owned())];
        for (number, (sent, key)) in messages.iter().enumerate() {
            let mut add = |name: &str, value: &str| {
                let at = number + 1;
                let name = format!("PublishBatchRequestEntries.member.{at}.{name}");
                fields.push((name, value.to_owned()));
            };
            add("Id", &number.to_string());
            add("Message", &sent.text);
            if let Some(extra) = &sent.extra {
                add("MessageAttributes.entry.1.Name", ATTRIBUTE);
                add("MessageAttributes.entry.1.Value.DataType", "String");
                add("MessageAttributes.entry.1.Value.StringValue", extra);
            }
            if self.settings.is_fifo {
                let group = self.settings.message_group.as_deref().or(*key);
                add("MessageGroupId", group.unwrap_or("wythe"));
                // Equal messages are different ones.
                add("MessageDeduplicationId", &random::name()?);
            }
        }
        Ok(fields)
    }

    /// Deletes messages that came more often than they may, where the component says so, and returns the others.
    pub async fn sort_out(&self, queue: &Queue, taken: Vec<Taken>) -> Vec<Taken> {
        let Some(limit) = self.settings.retry_limit else {
            return taken;
        };
        let (over, rest): (Vec<_>, Vec<_>) =
            taken.into_iter().partition(|one| one.attempts > limit);
        if over.is_empty() {
            return rest;
        }
        let count = over.len();
        tracing::warn!(
            count,
            limit,
            "messages are deleted that came more often than `messageRetryLimit`"
        );
        let handles: Vec<_> = over.into_iter().map(|one| one.handle).collect();
        if let Err(fault) = queue.delete(&handles).await {
            tracing::warn!("they come again: {}", fault.of_read("a message").chain());
        }
        rest
    }
}

/// The ARN of a queue.
async fn arn(queue: &Queue) -> Result<String> {
    let about = "the queue's ARN";
    let arn = queue.attribute("QueueArn").await;
    let arn = arn.map_err(|fault| fault.of_read(about))?;
    arn.ok_or_else(|| Fault::Odd("no ARN".to_owned()).of_read(about))
}

/// The error of what is not there and is not to be made.
fn missing(fault: Fault, about: &str) -> Error {
    let is_missing = fault.code() == "NotFound" || crate::queue::is_absent(&fault);
    match is_missing {
        true => Error::unavailable(format!(
            "there is no such thing as {about}: make it, or leave out `disableEntityManagement`"
        )),
        false => fault.of_read(about),
    }
}

/// The answers for each message of a batch.
fn answers(answer: &Element, count: usize, about: &str) -> Vec<Result<()>> {
    let result = answer.find(&["PublishBatchResult"]);
    let entries = |list: &str| {
        let list = result.and_then(|result| result.find(&[list]));
        list.into_iter().flat_map(|list| list.all("member"))
    };
    let done: Vec<_> = entries("Successful")
        .filter_map(|one| one.text(&["Id"]))
        .collect();
    let answer = |number: usize| {
        let id = number.to_string();
        if done.contains(&id.as_str()) {
            return Ok(());
        }
        let failed = entries("Failed").find(|one| one.text(&["Id"]) == Some(&id));
        let Some(failed) = failed else {
            return Err(Fault::Odd("no answer for a message".to_owned()).of_write(about));
        };
        let text = |name: &str| failed.text(&[name]).unwrap_or_default().to_owned();
        let fault = Fault::Refused {
            status: if text("SenderFault") == "true" {
                400
            } else {
                503
            },
            code: text("Code")
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .take(100)
                .collect(),
            text: text("Message").escape_debug().take(1_000).collect(),
        };
        Err(fault.of_write(about))
    };
    (0..count).map(answer).collect()
}
