//! A conversation with a mail server, in which the server can neither talk for ever nor answer before it is asked.

use super::metered::Left;
use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    commands::{Auth, Ehlo, Quit},
    extension::{ClientId, ServerInfo},
    response::{Response, Severity},
};
use std::{fmt, io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use wythe_blocks::Measured;
use wythe_net::Secure;

/// Bytes of one answer, all of its lines together.
const ANSWER: usize = 16 << 10;
/// Lines of one answer.
const LINES: usize = 100;
/// Bytes that a server sends for one mail: a TLS handshake, and answers for each recipient.
pub(super) const TOTAL: usize = 256 << 10;
/// A login asks for the user and for the password.
const CHALLENGES: usize = 10;
/// Time for the answer to a good-bye, which changes nothing.
const GOOD_BYE: Duration = Duration::from_secs(1);

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Reason for which a step of the conversation failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server said no.
    Refused(Response),
    /// The conversation cannot go on.
    Broken(io::Error),
}

impl Failure {
    fn broken(why: impl Into<String>) -> Self {
        Failure::Broken(io::Error::other(why.into()))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Broken(error)
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Broken(error) => error.fmt(f),
            Failure::Refused(answer) => {
                write!(f, "{}", answer.code())?;
                answer.message().try_for_each(|line| write!(f, " {line}"))
            }
        }
    }
}

type Step<T> = std::result::Result<T, Failure>;

/// One connection to a server; it is over where a step was broken.
pub(super) struct Session {
    stream: Box<dyn Stream>,
    /// Bytes that have come and were not read yet: at most one answer's.
    ahead: Vec<u8>,
    is_over: bool,
}

impl Session {
    pub fn new(stream: impl Stream + 'static) -> Self {
        Self::over(Box::new(Measured::new(stream, Left(TOTAL))))
    }

    fn over(stream: Box<dyn Stream>) -> Self {
        Session {
            stream,
            ahead: Vec::new(),
            is_over: false,
        }
    }

    /// The same connection under TLS. Nothing that came before is taken for an answer under it.
    pub async fn secure(self, tls: &Secure) -> Step<Self> {
        quiet(&self.ahead)?;
        let stream = tls.connect(self.stream).await?;
        Ok(Self::over(Box::new(stream)))
    }

    /// Waits for the server's first words.
    pub async fn greeting(&mut self) -> Step<()> {
        let answer = self.answer().await?;
        judge(answer, Severity::PositiveCompletion)?;
        quiet(&self.ahead)
    }

    /// Asks what the server can do.
    pub async fn hello(&mut self, own: &ClientId) -> Step<ServerInfo> {
        let hello = Ehlo::new(own.clone());
        let answer = self.ask(hello, Severity::PositiveCompletion).await?;
        // A line without a word is more than its reader can take.
        let lines = answer.message().filter(|line| !line.trim().is_empty());
        let answer = Response::new(answer.code(), lines.map(str::to_owned).collect());
        ServerInfo::from_response(&answer).map_err(|_| Failure::broken("the server has no name"))
    }

    pub async fn log_in(&mut self, credentials: &Credentials, server: &ServerInfo) -> Step<()> {
        let known = [Mechanism::Plain, Mechanism::Login];
        let Some(mechanism) = server.get_auth_mechanism(&known) else {
            return Err(Failure::broken(
                "the server offers neither AUTH PLAIN nor AUTH LOGIN",
            ));
        };
        // What it says of a failure may hold the password.
        let odd = |_| Failure::broken("the server asked for something odd at the login");
        let mut next = Auth::new(mechanism, credentials.clone(), None).map_err(odd)?;
        for _ in 0..CHALLENGES {
            self.say(next.to_string().as_bytes()).await?;
            let answer = self.answer().await?;
            if !answer.has_code(334) {
                judge(answer, Severity::PositiveCompletion)?;
                return quiet(&self.ahead);
            }
            quiet(&self.ahead)?;
            next = Auth::new_from_response(mechanism, credentials.clone(), &answer).map_err(odd)?;
        }
        Err(Failure::broken("the server goes on asking at the login"))
    }

    /// Says one command, and waits for the one answer that it has.
    pub async fn ask(&mut self, command: impl fmt::Display, wanted: Severity) -> Step<Response> {
        self.say(command.to_string().as_bytes()).await?;
        let answer = judge(self.answer().await?, wanted)?;
        quiet(&self.ahead)?;
        Ok(answer)
    }

    /// Gives the mail out, once the server has asked for it. What follows its answer cannot undo it.
    pub async fn give(&mut self, mail: &[u8]) -> Step<()> {
        self.say(&stuffed(mail)).await?;
        let answer = self.answer().await?;
        judge(answer, Severity::PositiveCompletion).map(drop)
    }

    /// Ends the conversation, in order where that is still possible.
    pub async fn leave(mut self) {
        if self.is_over || quiet(&self.ahead).is_err() {
            return;
        }
        let _ = timeout(GOOD_BYE, async {
            let _ = self.ask(Quit, Severity::PositiveCompletion).await;
            let _ = self.stream.shutdown().await;
        })
        .await;
    }

    async fn say(&mut self, text: &[u8]) -> Step<()> {
        // Until it was written and answered.
        self.is_over = true;
        self.stream.write_all(text).await?;
        Ok(self.stream.flush().await?)
    }

    async fn answer(&mut self) -> Step<Response> {
        let end = self.last_line().await?;
        let rest = self.ahead.split_off(end);
        let text = std::mem::replace(&mut self.ahead, rest);
        let answer: Response = String::from_utf8_lossy(&text)
            .parse()
            .map_err(|_| Failure::broken("the server said something that is not SMTP"))?;
        self.is_over = false;
        Ok(answer)
    }

    /// Reads until an answer is whole, and no further than it may be long. Returns its length.
    async fn last_line(&mut self) -> Step<usize> {
        let (mut begin, mut seen, mut lines) = (0, 0, 0);
        loop {
            while let Some(at) = self.ahead[seen..].iter().position(|byte| *byte == b'\n') {
                let is_last = self.ahead[begin..=seen + at].get(3) != Some(&b'-');
                (begin, seen, lines) = (seen + at + 1, seen + at + 1, lines + 1);
                match is_last {
                    true => return Ok(begin),
                    false if lines == LINES => {
                        let why = format!("an answer of the server has more than {LINES} lines");
                        return Err(Failure::broken(why));
                    }
                    false => {}
                }
            }
            seen = self.ahead.len();
            let room = ANSWER.saturating_sub(seen);
            if room == 0 {
                let why = format!("an answer of the server has more than {ANSWER} bytes");
                return Err(Failure::broken(why));
            }
            let mut stream = (&mut self.stream).take(room as u64);
            if stream.read_buf(&mut self.ahead).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

/// An answer that nobody has asked for is somebody else's, or meant to be taken for the next one.
fn quiet(ahead: &[u8]) -> Step<()> {
    match ahead {
        [] => Ok(()),
        _ => Err(Failure::broken("the server answered before it was asked")),
    }
}

/// The answer, if it is of the kind that lets the conversation go on.
fn judge(answer: Response, wanted: Severity) -> Step<Response> {
    match answer.code().severity {
        severity if severity == wanted => Ok(answer),
        Severity::TransientNegativeCompletion | Severity::PermanentNegativeCompletion => {
            Err(Failure::Refused(answer))
        }
        _ => Err(Failure::broken(format!(
            "the server answered with {}, which does not fit",
            answer.code()
        ))),
    }
}

/// The mail with its end. A line that begins with a dot has another one, so that none is taken for the end.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(mail.len() + 16);
    let mut begins = true;
    for byte in mail {
        if begins && *byte == b'.' {
            text.push(b'.');
        }
        begins = *byte == b'\n';
        text.push(*byte);
    }
    text.extend_from_slice(b"\r\n.\r\n");
    text
}

#[cfg(test)]
mod tests;
