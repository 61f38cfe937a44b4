//! Servers that answer too much, too early, or what is no answer; what is taken of them is counted in bytes.

use super::*;
use tokio::io::{DuplexStream, duplex};
use wythe_net::Proof;

/// Bytes that are on their way between the two ends.
const WAY: usize = 1 << 10;

fn connected() -> (DuplexStream, Session) {
    let (theirs, ours) = duplex(WAY);
    (theirs, Session::new(ours))
}

/// Says `begin`, then `again`, up to 64 MiB. Returns how many bytes it got rid of until nobody was there.
async fn talk(mut stream: DuplexStream, begin: &[u8], again: &[u8]) -> usize {
    let mut count = 0;
    let mut next = begin;
    while count < 64 << 20 {
        if next.is_empty() {
            next = again;
        }
        match stream.write(next).await {
            Ok(0) | Err(_) => return count,
            Ok(some) => (count, next) = (count + some, &next[some..]),
        }
    }
    count
}

fn why<T>(step: Step<T>) -> String {
    match step {
        Ok(_) => "nothing failed".into(),
        Err(failure) => failure.to_string(),
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_read_no_further_than_one_may_be_long() {
    let line = "an answer of the server has more than 16384 bytes";
    let lines = "an answer of the server has more than 100 lines";
    let long = [b"220-", [b'x'; 1_000].as_slice(), b"\r\n"].concat();
    let cases: [(&[u8], &[u8], &str); 5] = [
        (b"220 ", b"x", line),
        (b"", &[0; 4_096], line),
        (b"", b"220-x\r\n", lines),
        (b"", b"220-\n", lines),
        (b"", &long, line),
    ];
    for (begin, again, expected) in cases {
        let (theirs, mut session) = connected();
        let begun = async {
            let why = why(session.greeting().await);
            drop(session);
            why
        };
        let (count, why) = tokio::join!(talk(theirs, begin, again), begun);
        assert_eq!(why, expected);
        assert!(count <= ANSWER + WAY, "{count} bytes for: {expected}");
    }
}

#[tokio::test]
async fn all_answers_together_are_bounded() {
    let (theirs, mut session) = connected();
    let answer = [b"250 ", [b'x'; 9_000].as_slice(), b"\r\n"].concat();
    let asking = async {
        let mut answered = Ok(());
        for _ in 0..1_000 {
            let wanted = Severity::PositiveCompletion;
            answered = session.ask("NOOP\r\n", wanted).await.map(drop);
            if answered.is_err() {
                break;
            }
        }
        drop(session);
        why(answered)
    };
    let answering = async {
        let (mut stream, mut count) = (theirs, 0);
        let mut command = [0; 6];
        while stream.read_exact(&mut command).await.is_ok()
            && stream.write_all(&answer).await.is_ok()
        {
            count += answer.len();
        }
        count
    };
    let (count, why) = tokio::join!(answering, asking);
    assert_eq!(why, "the server sent more bytes than a whole mail needs");
    assert!(count <= TOTAL + ANSWER, "{count}");
}

#[tokio::test]
async fn an_answer_before_its_question_ends_it() {
    let (mut theirs, mut session) = connected();
    theirs.write_all(b"220 hi\r\n250 ok\r\n").await.unwrap();
    let expected = "the server answered before it was asked";
    assert_eq!(why(session.greeting().await), expected);
    let tls = Secure::new("localhost", Proof::Any, None).unwrap();
    assert_eq!(why(session.secure(&tls).await), expected);
    let mut rest = Vec::new();
    theirs.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"", "nothing was said to it");
}

#[tokio::test]
async fn what_is_no_answer_is_told() {
    for (said, expected) in [
        (
            "2\r\n250-hi\r\n",
            "the server said something that is not SMTP",
        ),
        (
            "hello there\r\n",
            "the server said something that is not SMTP",
        ),
        (
            "220-a\r\n250 b\r\n",
            "the server said something that is not SMTP",
        ),
        (
            "354 go on\r\n",
            "the server answered with 354, which does not fit",
        ),
        ("554 go away\r\n", "554 go away"),
        ("220-half\r\n", "unexpected end of file"),
    ] {
        let (mut theirs, mut session) = connected();
        theirs.write_all(said.as_bytes()).await.unwrap();
        drop(theirs);
        assert_eq!(why(session.greeting().await), expected, "{said}");
    }
}

#[tokio::test]
async fn an_answer_comes_in_any_pieces() {
    let (mut theirs, mut session) = connected();
    let said = async {
        for byte in b"220-hi\r\n220-there\r\n220 again\r\n" {
            theirs.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let ((), greeted) = tokio::join!(said, session.greeting());
    greeted.unwrap();
}

#[tokio::test]
async fn a_line_without_a_word_is_no_ability() {
    let (mut theirs, mut session) = connected();
    theirs
        .write_all(b"250-here\r\n250-   \r\n250-\r\n250 8BITMIME\r\n")
        .await
        .unwrap();
    let own = ClientId::Domain("own".into());
    let server = session.hello(&own).await.unwrap();
    assert_eq!(server.name(), "here");
    theirs.write_all(b"250   \r\n").await.unwrap();
    assert_eq!(why(session.hello(&own).await), "the server has no name");
}

#[tokio::test]
async fn a_login_asks_only_so_often() {
    let (theirs, mut session) = connected();
    let ability = Response::new(
        "250 x\r\n".parse::<Response>().unwrap().code(),
        vec!["here".into(), "AUTH LOGIN".into()],
    );
    let server = ServerInfo::from_response(&ability).unwrap();
    let credentials = Credentials::new("ann".into(), "secret".into());
    let asking = async {
        let (mut stream, mut asked) = (tokio::io::BufReader::new(theirs), 0);
        let mut line = String::new();
        while tokio::io::AsyncBufReadExt::read_line(&mut stream, &mut line)
            .await
            .is_ok_and(|count| count > 0)
        {
            asked += 1;
            stream.write_all(b"334 VXNlcm5hbWU6\r\n").await.unwrap();
        }
        asked
    };
    let entering = async {
        let why = why(session.log_in(&credentials, &server).await);
        drop(session);
        why
    };
    let (asked, why) = tokio::join!(asking, entering);
    assert_eq!(why, "the server goes on asking at the login");
    assert_eq!(asked, CHALLENGES);
}

#[test]
fn a_dot_that_begins_a_line_is_doubled() {
    assert_eq!(
        stuffed(b".a\r\n.\r\nb.\r\n..c"),
        b"..a\r\n..\r\nb.\r\n...c\r\n.\r\n"
    );
    assert_eq!(stuffed(b""), b"\r\n.\r\n");
}
