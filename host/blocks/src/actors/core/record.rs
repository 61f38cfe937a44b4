//! The records of an actor: what is kept of it beside its entries.

use crate::{Result, Trace, call::trace_or_none, pubsub::Event};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Milliseconds until a reminder without a period is tried again that was given up.
const PUT_OFF: u64 = 3_600_000;

/// The actor's record, which each commit replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::actors) struct Meta {
    /// A random number, made with the first commit: no other actor of any time has it.
    pub incarnation: u128,
    /// The number of turns that were persisted.
    pub turns: u64,
}

impl Meta {
    /// The record of an actor that has none yet.
    pub(in crate::actors) fn new(incarnation: u128) -> Self {
        Meta {
            incarnation,
            turns: 0,
        }
    }

    /// The id of an event, the same whenever its row is published.
    pub(in crate::actors) fn event_id(&self, number: usize) -> String {
        format!("{:032x}-{}-{number}", self.incarnation, self.turns)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::actors) struct Reminder {
    /// Milliseconds since 1970.
    pub due: u64,
    pub period: Option<u64>,
    pub data: Binary,
    /// Span of the turn that set it; absent in rows of earlier versions.
    #[serde(
        default,
        deserialize_with = "trace_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub trace: Option<Trace>,
}

impl Reminder {
    /// The first occurrence after `now`; those that were missed are one. None where there is no other.
    pub(in crate::actors) fn next(&self, now: u64) -> Option<Reminder> {
        let period = self.period?;
        let missed = now.saturating_sub(self.due) / period.max(1);
        let due = self.due.checked_add(period.checked_mul(missed + 1)?)?;
        Some(Reminder {
            due,
            ..self.clone()
        })
    }

    /// The reminder after an occurrence that is given up: the next one or, where there is none, the same after an hour.
    pub(in crate::actors) fn put_off(&self, now: u64) -> Reminder {
        self.next(now).unwrap_or_else(|| Reminder {
            due: now.saturating_add(PUT_OFF),
            ..self.clone()
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::actors) struct Outgoing {
    /// The event's source.
    pub app: String,
    pub component: String,
    pub topic: String,
    pub id: Option<String>,
    pub kind: String,
    pub subject: Option<String>,
    pub content_type: String,
    pub data: Binary,
    pub ordering_key: Option<String>,
    pub extensions: Vec<(String, String)>,
    /// Span of the turn that published it; absent in rows of earlier versions.
    #[serde(
        default,
        deserialize_with = "trace_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub trace: Option<Trace>,
}

impl Outgoing {
    pub(in crate::actors) fn new(app: &str, component: &str, topic: &str, event: Event) -> Self {
        Outgoing {
            app: app.to_owned(),
            component: component.to_owned(),
            topic: topic.to_owned(),
            id: event.id,
            kind: event.kind,
            subject: event.subject,
            content_type: event.content_type,
            data: Binary(event.data),
            ordering_key: event.ordering_key,
            extensions: event.extensions,
            trace: event.trace,
        }
    }

    pub(in crate::actors) fn event(self) -> Event {
        Event {
            id: self.id,
            kind: self.kind,
            subject: self.subject,
            content_type: self.content_type,
            data: self.data.0,
            ordering_key: self.ordering_key,
            extensions: self.extensions,
            trace: self.trace,
        }
    }
}

/// Bytes; in JSON, base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::actors) struct Binary(pub Bytes);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(D::Error::custom)?;
        Ok(Binary(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reminder_goes_on_by_its_own_grid() {
        let reminder = |period| Reminder {
            due: 100,
            period,
            data: Binary::default(),
            trace: None,
        };
        let next = |now, period| reminder(period).next(now).map(|next| next.due);
        assert_eq!(next(100, None), None);
        assert_eq!(next(100, Some(10)), Some(110));
        assert_eq!(next(109, Some(10)), Some(110));
        assert_eq!(
            next(135, Some(10)),
            Some(140),
            "what was missed is one occurrence"
        );
        assert_eq!(
            next(50, Some(10)),
            Some(110),
            "a clock that was set back moves nothing"
        );
        assert_eq!(next(100, Some(u64::MAX)), None);
        let put_off = |period| reminder(period).put_off(135).due;
        assert_eq!(put_off(Some(10)), 140);
        assert_eq!(put_off(None), 135 + PUT_OFF);
    }
}
