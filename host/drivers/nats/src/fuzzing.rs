//! Frames of a server, as a target of the fuzzer in `tests/fuzz`: no bytes may panic, and a message that was read is read again
//! as it was from what a server would send of it.

use crate::wire::{Frame, Incoming, header, read};
use futures::FutureExt as _;

/// All that a server sends over one connection.
pub fn nats(data: &[u8]) {
    let mut rest = data;
    loop {
        let before = rest.len();
        match next(&mut rest) {
            None => return,
            Some(Frame::Message(message)) => again(&message),
            Some(_) => {}
        }
        assert!(rest.len() < before, "a frame has bytes");
    }
}

fn next(bytes: &mut &[u8]) -> Option<Frame> {
    // All bytes are there: nothing is waited for.
    let read = read(bytes).now_or_never().expect("it waits for nothing");
    read.ok()
}

fn again(message: &Incoming) {
    let Incoming {
        sid,
        subject,
        reply,
        status,
        headers,
        data,
    } = message;
    let has_head = status.is_some() || !headers.is_empty();
    let status_text = status.map_or(String::new(), |code| format!(" {code}"));
    let head = format!("NATS/1.0{status_text}\r\n{headers}");
    let (word, head) = if has_head {
        ("HMSG", head.as_str())
    } else {
        ("MSG", "")
    };
    let sizes = match has_head {
        true => format!("{} {}", head.len(), head.len() + data.len()),
        false => data.len().to_string(),
    };
    let line = format!("{word} {subject} {sid} {reply} {sizes}\r\n{head}");
    let sent = [line.as_bytes(), data, b"\r\nPING\r\n"].concat();
    let mut sent = sent.as_slice();
    let Some(Frame::Message(read)) = next(&mut sent) else {
        panic!("the message is read again");
    };
    let other = *read;
    assert_eq!(
        (other.sid, &other.subject, &other.reply),
        (*sid, subject, reply)
    );
    assert_eq!((other.status, &other.headers), (*status, headers));
    assert_eq!(&other.data, data);
    // Nothing of what comes behind it was taken.
    assert!(matches!(next(&mut sent), Some(Frame::Ping)));
    for name in ["Nats-Sequence", "traceparent"] {
        let value = header(headers, name);
        assert!(value.is_none_or(|value| headers.contains(value) && !value.contains('\n')));
    }
}

#[cfg(test)]
#[path = "../../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn seeds_are_read() {
    replay::replay(&[("nats", nats)]);
}
