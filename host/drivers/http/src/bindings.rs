//! Requests to a URL, as Dapr's `http`: an operation for each method, metadata in capitals as headers.

use super::{answer::Share, call::HttpCall, target::Base};
use async_trait::async_trait;
use http::Uri;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};
use wythe_blocks::{
    Error, Result, Site, Wrong,
    bindings::{Driver, Features, Outcome, Request},
    time::Clock as _,
};
use wythe_client::{Connector, Fault, Pool};
use wythe_manifest::Duration as Time;

const OPERATIONS: [&str; 9] = [
    "create", "delete", "get", "head", "options", "patch", "post", "put", "trace",
];
const RESPONSE: Duration = Duration::from_secs(10);
/// Time that the block waits beyond the technology's own limit, so that the latter speaks first.
const GRACE: Duration = Duration::from_secs(1);
/// Calls at once, each with a connection of its own.
const PERMITS: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    url: String,
    /// True if another status than 2xx is an error; default true.
    #[serde(rename = "errorIfNot2XX")]
    error_if_not_2xx: Option<bool>,
    /// Time of a whole call; default 10 s.
    response_timeout: Option<Time>,
}

/// A config that was found good.
pub(super) struct Parsed {
    base: Base,
    server: Uri,
    strict: bool,
    timeout: Duration,
}

pub(super) fn parse(config: Config) -> Result<Parsed, Wrong> {
    let timeout = config.response_timeout.map_or(RESPONSE, Duration::from);
    if timeout.is_zero() {
        let error = Error::invalid("`responseTimeout: 0s`; expected at least 1 ms");
        return Err(Wrong::new("responseTimeout", error));
    }
    let wrong = |error| Wrong::new("url", error);
    let base = Base::parse(&config.url).map_err(wrong)?;
    Ok(Parsed {
        server: base.server().map_err(wrong)?,
        base,
        strict: config.error_if_not_2xx.unwrap_or(true),
        timeout,
    })
}

pub(super) async fn open(parsed: Parsed, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Web::new(parsed)))
}

pub(super) struct Web {
    pub base: Base,
    pub strict: bool,
    pub share: Share,
    pub pool: Pool,
    timeout: Duration,
}

impl Web {
    fn new(parsed: Parsed) -> Self {
        Web {
            base: parsed.base,
            strict: parsed.strict,
            share: Share::new(),
            pool: Pool::new(Connector::new(), parsed.server),
            timeout: parsed.timeout,
        }
    }
}

#[async_trait]
impl Driver for Web {
    fn features(&self) -> Features {
        Features {
            operations: OPERATIONS.map(String::from).into(),
            input: false,
            redelivers: false,
            secrets: true,
        }
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.timeout.saturating_add(GRACE))
    }

    fn permits(&self) -> Option<usize> {
        Some(PERMITS)
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        let mut call = HttpCall::new(self, request)?;
        let end = Instant::now().after(self.timeout);
        match timeout_at(end, call.run()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(call.failed(Fault::Late)),
        }
    }

    async fn close(&self) -> Result<()> {
        self.pool.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
