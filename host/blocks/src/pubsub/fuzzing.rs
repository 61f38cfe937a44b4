//! Events as a target of the fuzzer: what brokers bring, and what apps publish.

pub use super::routing::fuzzing::rules;

use super::{
    Event, Message, PublishOptions,
    envelope::MEDIA_TYPE,
    event::{open, seal},
    letter::{Death, bury, revive},
    seal::{Seal, SealScope},
};
use crate::Call;
use bytes::Bytes;
use std::time::Instant;

const TYPES: [&str; 5] = [
    "",
    MEDIA_TYPE,
    "application/json",
    "text/plain",
    "application/octet-stream",
];
/// Flag of an envelope that this host has sealed; in what is published, of a raw message.
const SEALED: u8 = 0x80;

const FROM: SealScope<'_> = SealScope {
    tenant: "tenant",
    component: "pubsub",
    topic: "orders",
};
const TO: SealScope<'_> = SealScope {
    topic: "dead",
    ..FROM
};

/// Flags and the number of a media type, and then an envelope of anybody, which is data to be published as well.
pub fn event(data: &[u8]) {
    let Some((flags, data)) = data.split_first() else {
        return;
    };
    let keys = Seal::new([7; 32]);
    let content_type = TYPES[usize::from(flags & !SEALED) % TYPES.len()];
    received(&keys, content_type, flags & SEALED != 0, data);
    published(&keys, content_type, flags & SEALED != 0, data);
}

fn received(keys: &Seal, content_type: &str, is_sealed: bool, data: &[u8]) {
    let mut bytes = data.to_vec();
    if is_sealed {
        bytes.pop_if(|last| *last == b'}');
        keys.end(FROM, &mut bytes);
    }
    let message = Message {
        data: bytes.into(),
        content_type: content_type.to_owned(),
        attributes: vec![("expiration".into(), "2001-01-01T00:00:00Z".into())],
        ..Message::default()
    };
    for raw in [false, true] {
        let opened = open(keys, FROM, &message, raw);
        if !is_sealed {
            assert!(opened.source.is_empty() && opened.trace.is_none() && !opened.expired);
            let mut names = opened.event.extensions.iter();
            assert!(!names.any(|(name, _)| name == "wytheseal" || name == "deadletterreason"));
        }
        let letter = buried(keys, &message);
        open(keys, TO, &letter, raw);
        open(keys, FROM, &revive(keys, TO, FROM, &letter), raw);
    }
}

fn buried(keys: &Seal, message: &Message) -> Message {
    let death = Death {
        reason: "the app said no",
        attempts: 3,
    };
    bury(keys, FROM, TO, message, &death)
}

fn published(keys: &Seal, content_type: &str, raw: bool, data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let event = Event {
        id: Some("7".into()),
        kind: "order".into(),
        subject: Some(text.clone()),
        content_type: content_type.to_owned(),
        data: Bytes::copy_from_slice(data),
        ordering_key: Some(text.clone()),
        extensions: vec![("note".into(), text)],
        trace: None,
    };
    let options = PublishOptions {
        raw,
        ..PublishOptions::default()
    };
    let name = |text: &str| text.parse().expect("a name");
    let caller = Call::operator(name("tenant"), name("cart"), Instant::now());
    let Ok((_, message)) = seal(&caller, keys, FROM, event.clone(), &options) else {
        return;
    };
    let letter = buried(keys, &message);
    let revived = revive(keys, TO, FROM, &letter);
    if raw && content_type == MEDIA_TYPE {
        // It is read as the envelope of a stranger.
        return;
    }
    for (scope, message) in [(FROM, &message), (TO, &letter), (FROM, &revived)] {
        let found = open(keys, scope, message, false);
        assert_eq!(found.event.data, event.data);
        assert_eq!(found.event.ordering_key, event.ordering_key);
        assert_eq!(found.source, if raw { "" } else { "cart" });
        if !raw {
            assert_eq!(
                (&found.event.id, &found.event.subject),
                (&event.id, &event.subject)
            );
            assert_eq!(found.event.extensions.first(), event.extensions.first());
        }
    }
}
