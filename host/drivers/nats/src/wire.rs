//! The protocol of the server: what comes, read within bounds, and what goes out.

use bytes::Bytes;
use serde::Deserialize;
use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// Bytes of a line: a command, or the greeting with the addresses of a cluster.
const LINE: u64 = 64 << 10;
/// Bytes of a message with its headers, as the server sends it.
pub(crate) const LARGEST: u64 = 64 << 20;

/// The server as it greets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Info {
    pub version: String,
    pub max_payload: u64,
    pub headers: bool,
    pub jetstream: bool,
    pub auth_required: bool,
    pub tls_required: bool,
    pub tls_available: bool,
    /// A text that whoever has a key signs.
    pub nonce: Option<String>,
}

/// A message that came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Incoming {
    pub sid: u64,
    pub subject: String,
    pub reply: String,
    /// The server's own word in place of a message, such as 503: nobody listens.
    pub status: Option<u16>,
    /// The headers as they came, without the first line.
    pub headers: String,
    pub data: Bytes,
}

/// One thing that the server sends.
#[derive(Debug)]
pub(crate) enum Frame {
    Info(Box<Info>),
    Message(Box<Incoming>),
    Ping,
    Pong,
    Fine,
    Refusal(String),
}

/// A message that goes out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outgoing {
    pub subject: String,
    /// Headers, each a name and a value without line ends.
    pub headers: Vec<(&'static str, String)>,
    pub data: Bytes,
}

impl Outgoing {
    pub fn new(subject: impl Into<String>, data: impl Into<Bytes>) -> Self {
        Outgoing {
            subject: subject.into(),
            headers: Vec::new(),
            data: data.into(),
        }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn header(&self) -> String {
        if self.headers.is_empty() {
            return String::new();
        }
        let lines = self.headers.iter();
        let lines = lines.map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("NATS/1.0\r\n{}\r\n", lines.collect::<String>())
    }

    /// Bytes of headers and data together, which the server bounds.
    pub fn size(&self) -> u64 {
        (self.header().len() + self.data.len()) as u64
    }

    /// The lines before the data, with a subject to answer to where an answer is wanted.
    pub fn head(&self, reply: &str) -> Vec<u8> {
        let (header, subject) = (self.header(), &self.subject);
        let gap = if reply.is_empty() { "" } else { " " };
        let size = self.data.len();
        match header.is_empty() {
            true => format!("PUB {subject}{gap}{reply} {size}\r\n"),
            false => {
                let total = header.len() + size;
                let length = header.len();
                format!("HPUB {subject}{gap}{reply} {length} {total}\r\n{header}")
            }
        }
        .into_bytes()
    }
}

fn odd(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// Reads the next thing.
pub(crate) async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Frame> {
    let line = line(stream).await?;
    let (word, rest) = line.split_once([' ', '\t']).unwrap_or((&line, ""));
    match word.to_ascii_uppercase().as_str() {
        "INFO" => {
            let info = serde_json::from_str(rest);
            let info = info.map_err(|_| odd("the greeting of the server is not that of NATS"))?;
            Ok(Frame::Info(Box::new(info)))
        }
        "MSG" => message(stream, rest, false).await,
        "HMSG" => message(stream, rest, true).await,
        "PING" => Ok(Frame::Ping),
        "PONG" => Ok(Frame::Pong),
        "+OK" => Ok(Frame::Fine),
        "-ERR" => Ok(Frame::Refusal(rest.trim().trim_matches('\'').to_owned())),
        _ => Err(odd("the server sends something that is not NATS")),
    }
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = Vec::new();
    stream.take(LINE).read_until(b'\n', &mut line).await?;
    if line.pop() != Some(b'\n') {
        return Err(match line.len() as u64 >= LINE - 1 {
            true => odd(format!("a line of the server has more than {LINE} bytes")),
            false => io::ErrorKind::UnexpectedEof.into(),
        });
    }
    let text = String::from_utf8(line).map_err(|_| odd("a line of the server is no UTF-8"))?;
    Ok(text.trim_end().to_owned())
}

/// Reads a message by its line: subject, subscription, perhaps a subject to answer to, and sizes.
async fn message(
    stream: &mut (impl AsyncBufRead + Unpin),
    line: &str,
    has_header: bool,
) -> io::Result<Frame> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let sizes = 1 + usize::from(has_header);
    let Some(count) = words
        .len()
        .checked_sub(sizes)
        .filter(|count| (2..=3).contains(count))
    else {
        return Err(odd("a message of the server has another line than it must"));
    };
    let number = |text: &str| text.parse::<u64>().map_err(|_| odd("a size is no number"));
    let total = number(words[words.len() - 1])?;
    let header = if has_header { number(words[count])? } else { 0 };
    if total > LARGEST || header > total {
        return Err(odd(format!(
            "a message of the server has more than {LARGEST} bytes, or a header beyond its end"
        )));
    }
    // The buffer grows as bytes come, and not by what the line promises.
    let mut data = Vec::new();
    stream.take(total + 2).read_to_end(&mut data).await?;
    if data.len() as u64 != total + 2 || !data.ends_with(b"\r\n") {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    data.truncate(data.len() - 2);
    let mut data = Bytes::from(data);
    let head = data.split_to(usize::try_from(header).unwrap_or_default());
    let (status, headers) = split(&head)?;
    Ok(Frame::Message(Box::new(Incoming {
        sid: number(words[1])?,
        subject: words[0].to_owned(),
        reply: words[2..count].first().unwrap_or(&"").to_string(),
        status,
        headers,
        data,
    })))
}

/// Splits headers into the status of their first line, if there is one, and the other lines.
pub(crate) fn split(head: &[u8]) -> io::Result<(Option<u16>, String)> {
    if head.is_empty() {
        return Ok((None, String::new()));
    }
    let text = std::str::from_utf8(head).map_err(|_| odd("headers are no UTF-8"))?;
    let (first, rest) = text.split_once("\r\n").unwrap_or((text, ""));
    let Some(status) = first.strip_prefix("NATS/1.0") else {
        return Err(odd("headers that are not those of NATS"));
    };
    let status = status.split_ascii_whitespace().next();
    Ok((status.and_then(|code| code.parse().ok()), rest.to_owned()))
}

/// The value of a header, by its name in any case of letters.
pub(crate) fn header<'a>(headers: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = headers.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(known, _)| known.trim().eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: &[u8]) -> io::Result<Vec<Frame>> {
        let (mut stream, mut frames) = (text, Vec::new());
        while !stream.is_empty() {
            frames.push(read(&mut stream).await?);
        }
        Ok(frames)
    }

    #[tokio::test]
    async fn what_a_server_sends_is_read() {
        let text = b"INFO {\"version\":\"2.9.10\",\"max_payload\":7}\r\nPING\r\n+OK\r\n\
            MSG a.b 1 2\r\nhi\r\nMSG a 2 r 0\r\n\r\nHMSG a 3 30 32\r\nNATS/1.0 404 No\r\nA: b\r\nC: \r\n\r\nok\r\n-ERR 'No'\r\n";
        let frames = all(text).await.unwrap();
        let messages: Vec<_> = frames
            .iter()
            .filter_map(|frame| match frame {
                Frame::Message(message) => Some(message),
                _ => None,
            })
            .collect();
        assert_eq!((messages[0].sid, &messages[0].data[..]), (1, &b"hi"[..]));
        assert_eq!(messages[1].reply, "r");
        assert_eq!(messages[2].status, Some(404));
        assert_eq!(header(&messages[2].headers, "a"), Some("b"));
        assert_eq!(&messages[2].data[..], b"ok");
        assert!(matches!(&frames[0], Frame::Info(info) if info.max_payload == 7));
        assert!(matches!(&frames[6], Frame::Refusal(text) if text == "No"));
    }

    #[tokio::test]
    async fn what_is_beyond_the_bounds_is_refused_by_its_line() {
        let long = format!("INFO {}\r\n", " ".repeat(70_000));
        let cases: [&[u8]; 7] = [
            b"MSG a 1 4294967296\r\n",
            b"HMSG a 1 9 8\r\n",
            b"MSG a 1 x\r\n",
            b"MSG a 1\r\n",
            b"HTTP/1.1 400\r\n",
            b"MSG a 1 4\r\nhi\r\n",
            long.as_bytes(),
        ];
        for text in cases {
            assert!(all(text).await.is_err(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn a_message_says_its_sizes() {
        let plain = Outgoing::new("a", "hi");
        assert_eq!(plain.head(""), b"PUB a 2\r\n");
        assert_eq!(plain.head("r"), b"PUB a r 2\r\n");
        let more = plain.with("X", "1");
        assert_eq!(
            more.head("r"),
            b"HPUB a r 18 20\r\nNATS/1.0\r\nX: 1\r\n\r\n"
        );
        assert_eq!(more.size(), 20);
    }
}
