//! The interface of a binding's driver: requests to an outside system, and its deliveries to an app.

use crate::{Account, Error, Permit, Result, Trace};
use async_trait::async_trait;
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// A request to an output binding.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The operation, one of those in the features.
    pub operation: &'a str,
    pub data: &'a Bytes,
    pub metadata: &'a [(String, String)],
    /// Bytes that the answer may have; a driver reads no more than one byte beyond.
    pub max_bytes: u64,
    /// The span of the app that asks, for a request to the outside to go on with.
    pub trace: Trace,
    /// The account of the app that asks, if what it has the host hold is counted.
    pub account: Option<&'a Account>,
}

impl<'a> Request<'a> {
    /// Draws bytes that are held until the answer is there; `exhausted` over the app's `limits.hostMemory`.
    pub fn hold(&self, bytes: usize) -> Result<Option<Permit>> {
        self.account.map(|account| account.take(bytes)).transpose()
    }

    /// The value of a name, in any case.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let mut pairs = self.metadata.iter();
        let found = pairs.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// An answer of an output binding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub data: Bytes,
    pub metadata: Vec<(String, String)>,
}

impl Outcome {
    /// Bytes of the data and of the metadata.
    pub fn size(&self) -> usize {
        let pairs = self.metadata.iter();
        let pairs: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
        self.data.len() + pairs
    }
}

/// A delivery of an input binding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub data: Bytes,
    pub metadata: Vec<(String, String)>,
    /// 1 on the first attempt.
    pub attempt: u32,
}

/// The receiver of an input binding's deliveries.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Bytes that a delivery may have: a source need not read what is larger, and `deliver` refuses it.
    fn max_bytes(&self) -> u64;

    /// Waits for the app. Ok acknowledges, with the app's answer; an error does not.
    async fn deliver(&self, delivery: Delivery) -> Result<Bytes>;
}

/// A route of the host's HTTP server that an input binding asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Begins with `/`; matched whole.
    pub path: String,
    /// The HTTP methods, in capitals.
    pub methods: Vec<String>,
    /// Bytes of a request's body.
    pub max_body: u64,
}

/// The abilities of a driver; conformance proves them and the block relies on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// The operations that `invoke` takes, in alphabetic order; empty for a driver that is only an input.
    pub operations: Vec<String>,
    /// It delivers to apps.
    pub input: bool,
    /// The driver delivers again what was not acknowledged.
    pub redelivers: bool,
    /// Secrets may be among the metadata of `invoke`: none of them comes back in an answer or a delivery.
    pub secrets: bool,
}

impl Features {
    /// Returns whether a name of a manifest's `requires:` holds; absent for a name that is no feature.
    pub fn has(&self, name: &str) -> Option<bool> {
        Some(match name {
            "input" => self.input,
            "output" => !self.operations.is_empty(),
            "redelivers" => self.redelivers,
            "secrets" => self.secrets,
            _ => return None,
        })
    }

    pub const NAMES: [&'static str; 4] = ["input", "output", "redelivers", "secrets"];
}

/// A technology outside of the host.
#[async_trait]
pub trait Driver: Send + Sync {
    fn features(&self) -> Features;

    /// Calls of `invoke` that it serves at once, if that is bounded: others wait for their turn.
    fn permits(&self) -> Option<usize> {
        None
    }

    /// The time that one call may take, where the component gives one.
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// Attempts after the first of a call that is `unavailable`, where the component says so.
    fn retries(&self) -> Option<u32> {
        None
    }

    /// One operation of those in the features.
    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        let operation = request.operation;
        Err(Error::unsupported(format!("no operation `{operation}`")))
    }

    /// Delivers until `stop`, then lets what is under way finish. Only for a driver that is an input.
    async fn read(&self, sink: Arc<dyn Sink>, stop: CancellationToken) -> Result<()> {
        let _ = sink;
        stop.cancelled().await;
        Ok(())
    }

    /// The webhook that the host serves for it, if it wants one.
    fn webhook(&self) -> Option<Webhook> {
        None
    }

    /// Checks a request at that webhook, before it is delivered: `denied` for one with a wrong signature. The headers have
    /// names in lower case.
    fn admit(&self, headers: &[(String, String)], body: &[u8]) -> Result<()> {
        let _ = (headers, body);
        Ok(())
    }

    /// The server that it speaks to, in one line for operators: its name, version and address, and no secret.
    fn describe(&self) -> Option<String> {
        None
    }

    /// An error while the driver cannot do its work, and knows it without trying.
    async fn health(&self) -> Result<()> {
        Ok(())
    }

    /// Closes the driver, once, after the last call.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
