//! A broker that is none, or says what it must not.

use super::*;
use crate::api::Heartbeat;
use tokio::io::{DuplexStream, duplex};

const SOON: Duration = Duration::from_secs(10);

const BEAT: Heartbeat<'static> = Heartbeat {
    group: "group",
    generation: 1,
    member: "member",
};

fn begin() -> (Link, DuplexStream) {
    let (near, far) = duplex(1 << 16);
    (Link::begin(Box::new(near), "test"), far)
}

/// Reads one request; returns its number.
async fn request(far: &mut DuplexStream) -> i32 {
    let length = far.read_i32().await.expect("a length");
    let mut frame = vec![0; usize::try_from(length).expect("a length")];
    far.read_exact(&mut frame).await.expect("a frame");
    Reader(&frame[4..]).i32().expect("a number")
}

async fn answer(far: &mut DuplexStream, number: i32, body: &[u8]) {
    let length = i32::try_from(body.len() + 4).expect("a length");
    far.write_i32(length).await.expect("a length");
    far.write_i32(number).await.expect("a number");
    far.write_all(body).await.expect("a body");
}

#[tokio::test]
async fn requests_are_answered_in_their_order() {
    let (link, mut far) = begin();
    let broker = async {
        let numbers = [request(&mut far).await, request(&mut far).await];
        answer(&mut far, numbers[0], &[0, 0, 0, 0, 0, 27]).await;
        answer(&mut far, numbers[1], &[0, 0, 0, 0, 0, 0]).await;
    };
    let (first, second, ()) = tokio::join!(link.ask(&BEAT, SOON), link.ask(&BEAT, SOON), broker);
    assert_eq!((first.unwrap(), second.unwrap()), (27, 0));
    assert!(link.is_alive());
}

#[tokio::test]
async fn an_answer_that_is_none_ends_the_connection() {
    // Another number, more bytes than it may have, and what a server with TLS says.
    let cases: [&[u8]; 3] = [
        &[0, 0, 0, 4, 0, 0, 0, 99],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x16],
    ];
    for bytes in cases {
        let (link, mut far) = begin();
        let broker = async {
            request(&mut far).await;
            far.write_all(bytes).await.expect("bytes");
        };
        let (asked, ()) = tokio::join!(link.ask(&BEAT, SOON), broker);
        assert!(matches!(asked, Err(Lost::Broken)), "{bytes:?}");
        let next = link.ask(&BEAT, SOON).await;
        assert!(matches!(next, Err(Lost::Unsent | Lost::Broken)));
    }
}

#[tokio::test]
async fn an_answer_that_ends_early_is_none() {
    let (link, mut far) = begin();
    let broker = async {
        let number = request(&mut far).await;
        answer(&mut far, number, &[0, 0]).await;
    };
    let (asked, ()) = tokio::join!(link.ask(&BEAT, SOON), broker);
    assert!(matches!(asked, Err(Lost::Odd(_))));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_ends() {
    let (link, _far) = begin();
    let late = link.ask(&BEAT, SOON).await;
    assert!(matches!(late, Err(Lost::Late)));
    assert!(!link.is_alive());
}
