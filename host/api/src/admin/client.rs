//! The asking side of a control socket: a command goes out as one request, on a connection of its own.

use super::{Answer, Command, MAX, Refusal, TENANT};
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::{error::Error as StdError, fmt};
use tokio::net::UnixStream;
use wythe_blocks::{Error, Result};

/// The reason why a command has no answer.
#[derive(Debug)]
pub enum ExchangeError {
    /// The connection broke, or the answer has more bytes than it may.
    Lost(Box<dyn StdError + Send + Sync>),
    /// The answer is none that this version understands.
    Misfit(serde_json::Error),
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ExchangeError::Lost(_) => "the connection ended early",
            ExchangeError::Misfit(_) => "the answer is not understood",
        })
    }
}

impl StdError for ExchangeError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            ExchangeError::Lost(error) => Some(&**error),
            ExchangeError::Misfit(error) => Some(error),
        }
    }
}

/// The command as a request, of one tenant of the host where there is one; `invalid` if it is more than a host reads.
pub fn request(tenant: Option<&str>, command: &Command) -> Result<Request<Full<Bytes>>> {
    let wrong = "the command is none that can be asked";
    let (method, path, body) = command
        .request()
        .map_err(|error| Error::internal(wrong).with_source(error))?;
    if body.len() > MAX {
        let message = format!("the command has more than {MAX} bytes");
        return Err(Error::invalid(message));
    }
    let mut request = Request::builder().method(method).uri(path);
    if let Some(tenant) = tenant {
        request = request.header(TENANT, tenant);
    }
    let request = request.header(header::HOST, "localhost");
    let request = request.header(header::CONTENT_TYPE, "application/json");
    let request = request.body(Full::new(body.into()));
    request.map_err(|error| Error::internal(wrong).with_source(error))
}

/// Sends a request on a connection of its own, and reads an answer of so many bytes at most. It has no time limit.
pub async fn exchange(
    stream: UnixStream,
    request: Request<Full<Bytes>>,
    bytes: usize,
) -> Result<Result<Answer, Refusal>, ExchangeError> {
    let lost = |error: hyper::Error| ExchangeError::Lost(error.into());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let asked = async move {
        let answer = sender.send_request(request).await.map_err(lost)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, bytes).collect().await;
        let body = body.map_err(ExchangeError::Lost)?.to_bytes();
        let read = match head.status.is_success() {
            true => serde_json::from_slice(&body).map(Ok),
            false => serde_json::from_slice(&body).map(Err),
        };
        read.map_err(ExchangeError::Misfit)
    };
    // The connection ends with the request, whose error says more.
    tokio::join!(asked, connection).0
}
