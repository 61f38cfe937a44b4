//! The interface of middleware.

use super::Next;
use crate::{Body, Call, Result};
use async_trait::async_trait;
use http::{Request, Response};
use std::{net::IpAddr, sync::Arc, time::Instant};

/// A request on its way, as far as the host knows of it and its sender cannot say otherwise.
pub struct Visit {
    /// The address of the client.
    pub client: IpAddr,
    /// The first part of the path by which the client reached the tenant, which no handler sees; empty where there is none.
    pub base: String,
    /// The time until which a call has to be answered that is on its way to one app; absent before an app is chosen.
    pub until: Option<Instant>,
    /// The call of the host, with the trace and the end of the time that a request has.
    pub call: Call,
}

/// A technology that stands between the outside and apps.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Answers a request, or hands it on to `next`, whose answer it may change. The host answers an error by the status of
    /// its kind; a stranger reads nothing of its message, and the log has it.
    async fn handle(
        &self,
        visit: &Arc<Visit>,
        request: Request<Body>,
        next: Next,
    ) -> Result<Response<Body>>;

    async fn health(&self) -> Result<()> {
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
