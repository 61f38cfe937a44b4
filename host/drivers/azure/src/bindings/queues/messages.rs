//! Messages of a queue: what is asked of the service, and what it answers.

use crate::{
    client::{Call, Session, text},
    fault::Fault,
};
use bytes::Bytes;
use http::{Method, StatusCode};
use wythe_blocks::Result;
use wythe_client::{Effect, Element, encode};

/// Bytes of a message as it is sent.
pub(super) const LARGEST: usize = 64 << 10;
/// Bytes of an answer with one message, in which each character may be an entity.
const ANSWER: usize = 1 << 20;

/// A queue as a component has it.
pub(super) struct Queue {
    pub session: Session,
    path: String,
}

/// A message that was received.
pub(super) struct Taken {
    pub text: String,
    pub id: String,
    /// The name of this delivery, which changes whenever the message is hidden anew.
    pub receipt: String,
    /// Deliveries so far, this one included.
    pub attempts: u32,
    inserted: String,
    expires: String,
}

impl Taken {
    /// The metadata by which Dapr describes a message to an app.
    pub fn metadata(&self) -> Vec<(String, String)> {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![
            own("dequeueCount", &self.attempts.to_string()),
            own("expirationTime", &self.expires),
            own("insertionTime", &self.inserted),
            own("messageID", &self.id),
        ]
    }

    fn read(body: &[u8]) -> Result<Option<Self>, String> {
        let root = Element::read(body)?;
        let Some(message) = root.find(&["QueueMessage"]) else {
            return Ok(None);
        };
        let text = |name: &str| {
            let text = message.text(&[name]).map(str::to_owned);
            text.ok_or_else(|| format!("a message without `{name}`"))
        };
        let attempts = text("DequeueCount")?.parse();
        Ok(Some(Taken {
            text: text("MessageText")?,
            id: text("MessageId")?,
            receipt: text("PopReceipt")?,
            attempts: attempts.map_err(|_| "`DequeueCount` is no number")?,
            inserted: text("InsertionTime")?,
            expires: text("ExpirationTime")?,
        }))
    }
}

impl Queue {
    pub fn new(session: Session, name: String) -> Self {
        Queue {
            session,
            path: format!("/{name}"),
        }
    }

    fn call(&self, method: Method, end: &str, effect: Effect) -> Call {
        let mut call = Call::new(method, format!("{}{end}", self.path), effect);
        call.largest = ANSWER;
        call
    }

    /// Makes the queue, or finds it.
    pub async fn make(&self) -> Result<Result<(), Fault>> {
        // Made twice it is made.
        let call = self.call(Method::PUT, "", Effect::Read);
        match self.session.send(call).await? {
            Err(fault) if fault.code() == "QueueAlreadyExists" => Ok(Ok(())),
            made => Ok(made.map(drop)),
        }
    }

    /// Asks for the queue, which has to be there.
    pub async fn look(&self) -> Result<Result<(), Fault>> {
        let mut call = self.call(Method::GET, "", Effect::Read);
        call.query.push(("comp", "metadata".to_owned()));
        let found = self.session.send(call).await?;
        Ok(found.map(drop))
    }

    /// Sends a text that lives so many seconds, and can be received after so many.
    pub async fn send(&self, text: &str, life: u64, delay: u64) -> Result<Result<(), Fault>> {
        let mut call = self.call(Method::POST, "/messages", Effect::Write);
        call.query.push(("messagettl", life.to_string()));
        if delay > 0 {
            call.query.push(("visibilitytimeout", delay.to_string()));
        }
        call.header("content-type", "application/xml");
        call.body = body(text);
        let sent = self.session.send(call).await?;
        // A page that somebody in between answers with is no word of the service.
        Ok(sent.and_then(|answer| match answer.status {
            StatusCode::CREATED => Ok(()),
            status => Err(Fault::Odd(format!("status {status}"))),
        }))
    }

    /// Receives a message, which is hidden from others for so many seconds.
    pub async fn take(&self, hidden: u64) -> Result<Result<Option<Taken>, Fault>> {
        // What is received and not heard of comes again; asked for twice, two would be hidden.
        let mut call = self.call(Method::GET, "/messages", Effect::Write);
        call.query.push(("numofmessages", "1".to_owned()));
        call.query.push(("visibilitytimeout", hidden.to_string()));
        let answer = self.session.send(call).await?;
        Ok(answer.and_then(|answer| Taken::read(&answer.body).map_err(Fault::Odd)))
    }

    /// Hides a message for so many seconds from now, and returns the name of its delivery from then on.
    pub async fn hide(
        &self,
        id: &str,
        receipt: &str,
        seconds: u64,
    ) -> Result<Result<String, Fault>> {
        let mut call = self.message(Method::PUT, id, receipt, Effect::Write);
        call.query.push(("visibilitytimeout", seconds.to_string()));
        let answer = self.session.send(call).await?;
        Ok(answer.and_then(|answer| {
            let next = text(&answer.headers, "x-ms-popreceipt").map(str::to_owned);
            next.ok_or_else(|| Fault::Odd("no receipt".to_owned()))
        }))
    }

    /// Deletes a message; one that is gone already is no fault.
    pub async fn delete(&self, id: &str, receipt: &str) -> Result<Result<(), Fault>> {
        // Done twice it is done.
        let call = self.message(Method::DELETE, id, receipt, Effect::Read);
        match self.session.send(call).await? {
            Err(fault) if fault.code() == "MessageNotFound" => Ok(Ok(())),
            deleted => Ok(deleted.map(drop)),
        }
    }

    fn message(&self, method: Method, id: &str, receipt: &str, effect: Effect) -> Call {
        let end = format!("/messages/{}", encode(id, ""));
        let mut call = self.call(method, &end, effect);
        call.query.push(("popreceipt", receipt.to_owned()));
        call
    }
}

/// Returns whether XML can have a character.
pub(super) fn is_sendable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn body(text: &str) -> Bytes {
    let mut body = "<QueueMessage><MessageText>".to_owned();
    for c in text.chars() {
        match c {
            '&' => body.push_str("&amp;"),
            '<' => body.push_str("&lt;"),
            '>' => body.push_str("&gt;"),
            // A reader of XML makes a line feed of it.
            '\r' => body.push_str("&#xD;"),
            c => body.push(c),
        }
    }
    body.push_str("</MessageText></QueueMessage>");
    body.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_as_it_was_sent() {
        let sent = body("a<b>&\r\n\"");
        let root = Element::read(&sent).unwrap();
        assert_eq!(root.text(&["MessageText"]), Some("a<b>&\r\n\""));
        assert!(!is_sendable('\0') && !is_sendable('\u{ffff}') && is_sendable('\u{1f600}'));
    }

    #[test]
    fn an_answer_has_a_message_or_none() {
        let none = Taken::read(b"<QueueMessagesList/>").unwrap();
        assert!(none.is_none());
        let text = "<QueueMessagesList><QueueMessage><MessageId>i</MessageId><InsertionTime>t</InsertionTime>\
            <ExpirationTime>e</ExpirationTime><PopReceipt>p</PopReceipt><DequeueCount>2</DequeueCount>\
            <MessageText>m</MessageText></QueueMessage></QueueMessagesList>";
        let taken = Taken::read(text.as_bytes()).unwrap().unwrap();
        assert_eq!((taken.text.as_str(), taken.attempts), ("m", 2));
        assert_eq!(
            taken.metadata()[0],
            ("dequeueCount".to_owned(), "2".to_owned())
        );
        let odd = text.replace("<DequeueCount>2", "<DequeueCount>x");
        assert!(Taken::read(odd.as_bytes()).is_err());
    }
}
