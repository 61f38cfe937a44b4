//! One question asked again and again over a bare socket: the least that any client of a server does.

use anyhow::{Context, Result, bail, ensure};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Silence after which an answer is at its end.
const QUIET: Duration = Duration::from_millis(200);
/// The time for an answer to begin.
const PATIENCE: Duration = Duration::from_secs(10);
/// The question of NATS whether its client is still there, which comes between answers, and what it wants to hear.
const PING: &[u8] = b"PING\r\n";
const PONG: &[u8] = b"PONG\r\n";

/// A question whose answer has as many bytes each time.
pub struct Exchange {
    stream: TcpStream,
    question: Vec<u8>,
    /// The answer as it came first.
    first: Vec<u8>,
    answer: Vec<u8>,
}

impl Exchange {
    /// Asks for the first time. The answer has to have the value of 64 bytes, as it is or in base64.
    pub async fn open(mut stream: TcpStream, question: Vec<u8>) -> Result<Self> {
        let mut first = talk(&mut stream, &question).await?;
        if first.starts_with(PING) {
            stream.write_all(PONG).await?;
            first.drain(..PING.len());
        } else if first.ends_with(PING) {
            stream.write_all(PONG).await?;
            first.truncate(first.len() - PING.len());
        }
        let has = |part: &[u8]| first.windows(part.len()).any(|bytes| bytes == part);
        if !has(b"xxxxxxxx") && !has(b"eHh4eHh4") {
            let shown = first.escape_ascii().to_string();
            bail!("the bare client reads no value: {shown:.300}");
        }
        Ok(Exchange {
            stream,
            question,
            answer: vec![0; first.len()],
            first,
        })
    }

    pub async fn ask(&mut self) -> Result<()> {
        self.stream.write_all(&self.question).await?;
        self.stream.read_exact(&mut self.answer).await?;
        if self.answer.starts_with(PING) {
            self.stream.write_all(PONG).await?;
            self.answer.drain(..PING.len());
            let begin = self.answer.len();
            self.answer.resize(self.first.len(), 0);
            self.stream.read_exact(&mut self.answer[begin..]).await?;
        }
        // Its end has to be the end of an answer, and a date may stand in its middle.
        let (own, first) = (&self.answer, &self.first);
        let is_same = own[..4] == first[..4] && own.last() == first.last();
        ensure!(is_same, "the bare client reads another answer than before");
        Ok(())
    }
}

/// Says something, and hears all that is said to it.
pub async fn talk(stream: &mut TcpStream, question: &[u8]) -> Result<Vec<u8>> {
    stream.write_all(question).await?;
    let mut answer = Vec::new();
    let mut patience = PATIENCE;
    while let Ok(read) = timeout(patience, stream.read_buf(&mut answer)).await {
        ensure!(read? > 0, "the server ends the bare client's connection");
        patience = QUIET;
    }
    let is_there = (!answer.is_empty()).then_some(answer);
    is_there.context("the server does not answer the bare client")
}
