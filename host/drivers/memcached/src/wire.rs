//! One connection to a server: a command of the meta protocol, and the answer, which is bounded.

use crate::failure::Fault;
use bytes::Bytes;
use std::io::{self, ErrorKind};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// Bytes of a line of the server.
const LINE: usize = 2 << 10;
/// Lines of statistics in one answer.
const LINES: usize = 2_000;
/// Bytes for which room is made before they are there.
const FIRST: usize = 64 << 10;

/// A command about one key.
pub(crate) struct Command {
    head: String,
    /// The value, with all that belongs to it.
    value: Option<Vec<u8>>,
}

/// The answer to a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was done, or the entry is there; with what was asked of it.
    Done(Marks),
    Value(Bytes, Marks),
    /// A value that is only to be stored where there is none was not stored.
    NotStored,
    /// The entry is another one than the command is about.
    Changed,
    /// The entry is absent.
    Missing,
    /// The server is there.
    Alive,
}

/// Numbers that a server says beside a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub flags: u32,
    /// The number of this version of the entry.
    pub cas: Option<u64>,
    /// Seconds for which the server keeps the entry; none where it has no end.
    pub left: Option<u64>,
}

/// Condition of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Only {
    Always,
    IfAbsent,
    /// Demands that the entry is of this number.
    If(u64),
}

impl Command {
    /// Asks for the value of a key that can be sent, and what is beside it.
    pub fn get(key: &str) -> Self {
        Self::of(format!("mg {key} v f c t"))
    }

    /// Asks for what is beside a value.
    pub fn look(key: &str) -> Self {
        Self::of(format!("mg {key} f c t"))
    }

    pub fn set(key: &str, value: Vec<u8>, flags: u32, ttl: u64, only: Only) -> Self {
        let length = value.len();
        let only = match only {
            Only::Always => String::new(),
            Only::IfAbsent => " ME".to_owned(),
            Only::If(cas) => format!(" C{cas}"),
        };
        Command {
            head: format!("ms {key} {length} c F{flags} T{ttl}{only}"),
            value: Some(value),
        }
    }

    pub fn delete(key: &str, only: Only) -> Self {
        Self::of(match only {
            Only::If(cas) => format!("md {key} C{cas}"),
            Only::Always | Only::IfAbsent => format!("md {key}"),
        })
    }

    /// Does nothing, and has an answer.
    pub fn ping() -> Self {
        Self::of("mn".to_owned())
    }

    fn of(head: String) -> Self {
        Command { head, value: None }
    }

    fn bytes(&self) -> Vec<u8> {
        let value = self.value.as_deref();
        let length = self.head.len() + value.map_or(0, |value| value.len() + 2) + 2;
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(self.head.as_bytes());
        bytes.extend_from_slice(b"\r\n");
        if let Some(value) = value {
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    }
}

/// A connection, for one command at a time: one whose answer is not through is used no more.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Self {
        Wire {
            stream: BufReader::new(stream),
        }
    }

    /// Returns whether a connection that waits is still good: a server says nothing that nobody asked for.
    pub fn is_quiet(&self) -> bool {
        let read = self.stream.get_ref().try_read(&mut [0]);
        let is_waiting = matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock);
        is_waiting && self.stream.buffer().is_empty()
    }

    /// Sends a command, and reads its answer, with a value of at most so many bytes.
    pub async fn ask(&mut self, command: &Command, largest: u64) -> Result<Answer, Fault> {
        self.stream.write_all(&command.bytes()).await?;
        let line = self.line().await?;
        let mut words = line.split(' ');
        match words.next().unwrap_or_default() {
            "HD" => Ok(Answer::Done(marks(words)?)),
            "VA" => {
                let size = words.next().and_then(|word| word.parse::<u64>().ok());
                let size = size.ok_or_else(|| strange(&line))?;
                if size > largest {
                    return Err(Fault::Odd(format!("a value of {size} bytes")));
                }
                let marks = marks(words)?;
                Ok(Answer::Value(self.value(size).await?, marks))
            }
            "NS" => Ok(Answer::NotStored),
            "EX" => Ok(Answer::Changed),
            "EN" | "NF" => Ok(Answer::Missing),
            "MN" => Ok(Answer::Alive),
            _ => Err(strange(&line)),
        }
    }

    /// Reads statistics of this name: name and value of each.
    pub async fn statistics(&mut self, name: &str) -> Result<Vec<(String, String)>, Fault> {
        let command = format!("stats {name}").trim_end().to_owned() + "\r\n";
        self.stream.write_all(command.as_bytes()).await?;
        let mut found = Vec::new();
        for _ in 0..LINES {
            let line = self.line().await?;
            let mut words = line.splitn(3, ' ');
            match (words.next(), words.next()) {
                (Some("END"), None) => return Ok(found),
                (Some("STAT"), Some(name)) => {
                    let value = words.next().unwrap_or_default();
                    found.push((name.to_owned(), value.to_owned()));
                }
                _ => return Err(strange(&line)),
            }
        }
        Err(Fault::Odd(format!("more than {LINES} lines")))
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<String, Fault> {
        let mut line = Vec::new();
        loop {
            let piece = self.stream.fill_buf().await?;
            if piece.is_empty() {
                return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            let count = end.map_or(piece.len(), |end| end + 1);
            if line.len() + count > LINE {
                return Err(Fault::Odd(format!("a line of more than {LINE} bytes")));
            }
            line.extend_from_slice(&piece[..count]);
            self.stream.consume(count);
            if end.is_some() {
                let text = String::from_utf8(line);
                let text = text.map_err(|_| Fault::Odd("a line that is no text".to_owned()))?;
                return Ok(text.trim_end_matches(['\r', '\n', ' ']).to_owned());
            }
        }
    }

    async fn value(&mut self, size: u64) -> Result<Bytes, Fault> {
        let whole = usize::try_from(size).unwrap_or(usize::MAX);
        let mut value = Vec::with_capacity(whole.min(FIRST));
        let mut rest = (&mut self.stream).take(size);
        rest.read_to_end(&mut value).await?;
        let mut end = [0; 2];
        self.stream.read_exact(&mut end).await?;
        match value.len() == whole && end == *b"\r\n" {
            true => Ok(value.into()),
            false => Err(Fault::Odd("a value that does not end".to_owned())),
        }
    }
}

/// A line that is no answer, or an error.
fn strange(line: &str) -> Fault {
    let words: String = line.escape_debug().take(200).collect();
    let codes = ["ERROR", "CLIENT_ERROR", "SERVER_ERROR"];
    match codes.contains(&line.split(' ').next().unwrap_or_default()) {
        true => Fault::Said(words),
        false => Fault::Odd(format!("`{words}`")),
    }
}

/// The words after an answer's code. Those that nobody asked for are passed over.
fn marks<'a>(words: impl Iterator<Item = &'a str>) -> Result<Marks, Fault> {
    let mut marks = Marks::default();
    for word in words {
        let odd = || Fault::Odd(format!("`{}`", word.escape_debug()));
        let mut letters = word.chars();
        let (letter, number) = (letters.next(), letters.as_str());
        match letter {
            Some('f') => marks.flags = number.parse().map_err(|_| odd())?,
            Some('c') => marks.cas = Some(number.parse().map_err(|_| odd())?),
            Some('t') if number == "-1" => marks.left = None,
            Some('t') => marks.left = Some(number.parse().map_err(|_| odd())?),
            _ => {}
        }
    }
    Ok(marks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// The answer to a question whose server says this.
    async fn answer(text: &'static [u8]) -> Result<Answer, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut wire = Wire::new(TcpStream::connect(address).await.unwrap());
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(text).await.unwrap();
        peer.shutdown().await.unwrap();
        wire.ask(&Command::get("key"), 10).await
    }

    #[tokio::test]
    async fn answers_are_read() {
        let marks = |flags, cas, left| Marks { flags, cas, left };
        let cases: [(&[u8], Answer); 9] = [
            (b"HD\r\n", Answer::Done(Marks::default())),
            (b"HD f5 c7 t-1\r\n", Answer::Done(marks(5, Some(7), None))),
            (
                b"VA 4 f0 c18446744073709551615 t3 W\r\n\r\nab\r\n",
                Answer::Value("\r\nab".into(), marks(0, Some(u64::MAX), Some(3))),
            ),
            (
                b"VA 0 f0\r\n\r\n",
                Answer::Value(Bytes::new(), Marks::default()),
            ),
            (b"NS \r\n", Answer::NotStored),
            (b"EX\r\n", Answer::Changed),
            (b"EN\r\n", Answer::Missing),
            (b"NF\r\n", Answer::Missing),
            (b"MN\r\n", Answer::Alive),
        ];
        for (text, expected) in cases {
            let found = answer(text).await.unwrap();
            assert_eq!(found, expected);
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_a_fault() {
        let long: &[u8] = Box::leak(vec![b'a'; LINE + 1].into_boxed_slice());
        let cases: [(&[u8], &str); 10] = [
            (
                b"VA 4294967296 f0 c1 t-1\r\naaaa",
                "a value of 4294967296 bytes",
            ),
            (b"VA 11\r\naaaa", "a value of 11 bytes"),
            (b"VA -1\r\n", "VA -1"),
            (b"VA 2\r\nabcd", "does not end"),
            (b"VA 9\r\nabcd", "UnexpectedEof"),
            (b"HD f4294967296\r\n", "f4294967296"),
            (b"HD cx\r\n", "cx"),
            (b"HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1 400"),
            (b"\xff\r\n", "no text"),
            (long, "a line of more"),
        ];
        for (text, expected) in cases {
            let fault = format!("{:?}", answer(text).await.unwrap_err());
            assert!(fault.contains(expected), "{expected}: {fault}");
        }
        let said = answer(b"SERVER_ERROR out of memory storing object\r\n").await;
        assert!(matches!(said, Err(Fault::Said(words)) if words.contains("out of memory")));
    }

    #[test]
    fn a_command_is_one_line_and_its_value() {
        let set = Command::set("a", b"flush_all\r\n".to_vec(), 5, 0, Only::IfAbsent);
        assert_eq!(set.bytes(), b"ms a 11 c F5 T0 ME\r\nflush_all\r\n\r\n");
        let set = Command::set("a", Vec::new(), 0, 7, Only::If(3));
        assert_eq!(set.bytes(), b"ms a 0 c F0 T7 C3\r\n\r\n");
        assert_eq!(Command::delete("a", Only::If(3)).bytes(), b"md a C3\r\n");
        assert_eq!(Command::delete("a", Only::Always).bytes(), b"md a\r\n");
    }
}
