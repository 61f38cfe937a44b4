//! The stream of a connection, with bounds on what the server may send: the client of the protocol believes every length
//! that it reads.

use tokio::io::{AsyncRead, AsyncWrite};
use wythe_blocks::{Measure, Measured};

/// Bytes of one message: a value of the largest size, and what stands beside it.
pub(super) const MESSAGE: usize = 20 << 20;
/// Bytes of all messages until the server is ready for the first statement.
const GREETING: usize = 256 << 10;
/// Bytes of the settings that it reports after that, in the life of a connection.
const REPORTS: usize = 64 << 10;
/// Bytes of a message about the login.
const LOGIN: usize = 8 << 10;
/// Rounds of hashing that it may ask for at a login.
const ROUNDS: u64 = 100_000;

/// Head of a message: its type, and a length that counts itself.
const HEAD: usize = 5;

/// A stream both ways.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// The stream of a connection.
pub(super) type Metered = Measured<Box<dyn Wire>, Meter>;

/// The place in the messages of the server.
#[derive(Default)]
pub(super) struct Meter {
    is_secure: bool,
    head: Vec<u8>,
    /// Bytes that are left of the message.
    left: usize,
    /// The message about the login that is being read.
    login: Option<Vec<u8>>,
    is_ready: bool,
    greeting: usize,
    reports: usize,
}

impl Measure for Meter {
    fn pass(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let (body, rest) = bytes.split_at(self.left.min(bytes.len()));
                self.body(body)?;
                bytes = rest;
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            if self.head.len() == HEAD {
                self.begin()?;
            }
        }
        Ok(())
    }
}

impl Meter {
    /// A wire under the bounds; `is_secure` says that nobody else reads what is sent.
    pub fn over(wire: impl Wire + 'static, is_secure: bool) -> Metered {
        let meter = Meter {
            is_secure,
            ..Meter::default()
        };
        Measured::new(Box::new(wire), meter)
    }

    fn begin(&mut self) -> Result<(), String> {
        let kind = self.head[0];
        let length = self.head[1..].iter();
        let length = length.fold(0usize, |sum, byte| (sum << 8) | usize::from(*byte));
        self.head.clear();
        if length > MESSAGE {
            return Err(format!(
                "the server sends a message of {length} bytes; at most {MESSAGE} are read"
            ));
        }
        self.left = length.saturating_sub(4);
        let report = |sum: usize, limit, what| match sum > limit {
            true => Err(format!("the server sends more than {limit} bytes {what}")),
            false => Ok(sum),
        };
        if !self.is_ready {
            let sum = self.greeting + length;
            self.greeting = report(sum, GREETING, "before it is ready")?;
        } else if kind == b'S' {
            self.reports = report(self.reports + length, REPORTS, "of its settings")?;
        }
        self.is_ready |= kind == b'Z';
        if kind == b'R' {
            report(length, LOGIN, "about the login")?;
            self.login = Some(Vec::new());
        }
        Ok(())
    }

    fn body(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.left -= bytes.len();
        if let Some(login) = &mut self.login {
            login.extend_from_slice(bytes);
        }
        match self.login.take_if(|_| self.left == 0) {
            Some(login) => self.check_login(&login),
            None => Ok(()),
        }
    }

    /// Refuses what would cost the password or the processor.
    fn check_login(&self, message: &[u8]) -> Result<(), String> {
        const CLEAR: &[u8] = &[0, 0, 0, 3];
        const CONTINUE: &[u8] = &[0, 0, 0, 11];
        if message.starts_with(CLEAR) && !self.is_secure {
            return Err(
                "the server asks for the password in clear text, without TLS; let it ask by `scram-sha-256`, or use TLS"
                    .to_owned(),
            );
        }
        let Some(challenge) = message.strip_prefix(CONTINUE) else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(challenge);
        let mut rounds = text.split(',').filter_map(|part| part.strip_prefix("i="));
        match rounds.find(|rounds| !rounds.parse::<u64>().is_ok_and(|rounds| rounds <= ROUNDS)) {
            Some(_) => Err(format!(
                "the server asks for too many rounds of hashing at the login; at most {ROUNDS} are done"
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
