//! Dead letters: the event as it was, with why, from which topic and after how many attempts, and without an expiry.

use super::{
    Message,
    envelope::{Envelope, MEDIA_TYPE, Writer},
    seal::{HOST, NAME, Seal, SealScope},
};

/// Bytes of a reason that are stored.
const REASON: usize = 4 << 10;

/// The end of an event, as its dead letter reports it.
pub(crate) struct Death<'a> {
    pub reason: &'a str,
    pub attempts: u32,
}

/// The letter of a message of one topic, for the dead letter topic `to`.
pub(crate) fn bury(
    seal: &Seal,
    from: SealScope,
    to: SealScope,
    message: &Message,
    death: &Death,
) -> Message {
    let reason = &death.reason[..death.reason.floor_char_boundary(REASON)];
    let marks = [
        ("deadletterreason", reason.to_owned()),
        ("deadlettertopic", from.topic.to_owned()),
        ("deadletterattempts", death.attempts.to_string()),
    ];
    rewrite(seal, from, to, message, &marks)
}

/// The message as it was before it became a letter, for the topic `to`.
pub(crate) fn revive(seal: &Seal, from: SealScope, to: SealScope, letter: &Message) -> Message {
    rewrite(seal, from, to, letter, &[])
}

/// A message that was sealed for one topic, or not at all, with other marks of the host, sealed for another.
fn rewrite(
    seal: &Seal,
    from: SealScope,
    to: SealScope,
    message: &Message,
    marks: &[(&str, String)],
) -> Message {
    let mut rewritten = message.clone();
    rewritten.delay = None;
    let is_host = |name: &str| HOST.contains(&name) || name == NAME;
    rewritten.attributes.retain(|(name, _)| !is_host(name));
    let sealed = seal.sealed(from, &message.data).is_some();
    let Some(envelope) = sealed.then(|| Envelope::read(&message.data)).flatten() else {
        let marks = marks.iter();
        let marks = marks.map(|(name, value)| ((*name).to_owned(), value.clone()));
        rewritten.attributes.extend(marks);
        seal.mark(to, &mut rewritten);
        return rewritten;
    };
    let mut writer = Writer::new();
    let attributes = envelope.attributes();
    for (name, value) in attributes.filter(|(name, _)| !is_host(name) && *name != "specversion") {
        writer.raw(name, value.get().as_bytes());
    }
    for (name, value) in marks {
        writer.text(name, value);
    }
    seal.end(to, &mut writer.0);
    rewritten.content_type = MEDIA_TYPE.to_owned();
    rewritten.data = writer.0.into();
    rewritten
}
