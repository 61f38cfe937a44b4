//! Notifications to a topic: Dapr's `create`.

use crate::{
    client::{Session, Shared, shared},
    fault::Fault,
    settings::{Service, Target, config, wrong},
};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Result, Site, Wrong,
    bindings::{Driver, Features, Outcome, Request},
};
use wythe_client::Effect;

const SERVICE: Service = Service::named("sns");
const VERSION: &str = "2010-03-31";
/// Bytes of a notification.
const LARGEST: usize = 256 << 10;
/// Time that the block waits beyond the driver's own limit, so that the latter speaks first.
const GRACE: Duration = Duration::from_secs(1);
/// Calls at once.
const PERMITS: usize = 64;

config! {
    struct Config {
        /// The ARN of the topic.
        topic_arn: String,
    }
}

/// A config that was found good.
pub(crate) struct Parsed {
    target: Target,
    topic: String,
}

pub(crate) fn parse(mut config: Config) -> Result<Parsed, Wrong> {
    let topic = config.topic_arn.trim().to_owned();
    if !topic.starts_with("arn:") || topic.len() > 512 {
        let why = "expected an ARN such as `arn:aws:sns:eu-central-1:123456789012:orders`";
        return Err(wrong("topicArn", why));
    }
    Ok(Parsed {
        target: Target::parse(config.service(), SERVICE)?,
        topic,
    })
}

pub(crate) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    parsed.target.warnings()
}

pub(crate) async fn open(clients: Shared, parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let client = shared(&clients, &parsed.target, &site);
    let topic = Topic {
        session: Session::new(client.clone(), format!("topic `{}`", parsed.topic)),
        timeout: parsed.target.timeout,
        arn: parsed.topic,
    };
    topic.health().await.map_err(|error| client.named(error))?;
    Ok(Arc::new(topic))
}

struct Topic {
    session: Session,
    timeout: Duration,
    arn: String,
}

impl Topic {
    fn failed(&self, fault: Fault, effect: Effect, about: &str) -> Error {
        match fault.code() {
            "NotFound" => Error::unavailable(format!(
                "there is no topic `{}`: make it, or check `topicArn`, `region` and `endpoint`",
                self.arn
            )),
            _ => fault.error(effect, about),
        }
    }
}

/// Reads Dapr's data: a message and a subject, each a text or any other JSON.
fn payload(data: &[u8]) -> Result<(String, Option<String>)> {
    let expected =
        || Error::invalid("expected data as JSON, with `message` and, if there is one, `subject`");
    let data: Value = serde_json::from_slice(data).map_err(|_| expected())?;
    let text = |name: &str| match data.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    let message = text("message").filter(|text| !text.is_empty());
    Ok((message.ok_or_else(expected)?, text("subject")))
}

#[async_trait]
impl Driver for Topic {
    fn features(&self) -> Features {
        Features {
            operations: vec!["create".to_owned()],
            ..Features::default()
        }
    }

    fn permits(&self) -> Option<usize> {
        Some(PERMITS)
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.timeout.saturating_add(GRACE))
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        let _held = request.hold(request.data.len().saturating_mul(4))?;
        let (message, subject) = payload(request.data)?;
        if message.len() > LARGEST {
            return Err(Error::invalid(format!(
                "a message of {} bytes; at most {LARGEST} are allowed",
                message.len()
            )));
        }
        let mut fields = vec![
            ("Action", "Publish".to_owned()),
            ("Version", VERSION.to_owned()),
            ("TopicArn", self.arn.clone()),
            ("Message", message),
        ];
        if let Some(subject) = subject.filter(|subject| !subject.is_empty()) {
            fields.push(("Subject", subject));
        }
        let fields: Vec<_> = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let answer = self
            .session
            .client()?
            .form(SERVICE.name, Effect::Write, &fields);
        let answer = answer
            .await
            .map_err(|fault| self.failed(fault, Effect::Write, "the notification"))?;
        let id = answer
            .text(&["PublishResult", "MessageId"])
            .map(str::to_owned);
        Ok(Outcome {
            data: json!({ "messageID": id }).to_string().into(),
            metadata: id
                .map(|id| ("messageID".to_owned(), id))
                .into_iter()
                .collect(),
        })
    }

    fn describe(&self) -> Option<String> {
        self.session.describe()
    }

    /// Asks for the topic. A key that may not is good enough: it may publish.
    async fn health(&self) -> Result<()> {
        let fields = [
            ("Action", "GetTopicAttributes"),
            ("Version", VERSION),
            ("TopicArn", &*self.arn),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let answer = self
            .session
            .client()?
            .form(SERVICE.name, Effect::Read, &fields);
        match answer.await {
            Err(fault) if !fault.is_about_rights() => {
                Err(self.failed(fault, Effect::Read, "the topic"))
            }
            _ => Ok(()),
        }
    }

    async fn close(&self) -> Result<()> {
        self.session.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_text_or_other_json() {
        let read = |text: &str| payload(text.as_bytes()).ok();
        let own = |text: &str| text.to_owned();
        assert_eq!(
            read(r#"{"message":"a","subject":"b"}"#),
            Some((own("a"), Some(own("b"))))
        );
        assert_eq!(
            read(r#"{"message":{"n":1}}"#),
            Some((own(r#"{"n":1}"#), None))
        );
        for text in ["", "[]", "{}", r#"{"message":""}"#, r#"{"message":null}"#] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
