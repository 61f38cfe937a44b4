//! Webhooks: routes of the host's HTTP server to bindings components, and the answers to requests there.

use super::{Bindings, Delivery, Webhook, listening::Listening};
use crate::{Error, Origin, Result, Trace, time::HOST_CALL};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wythe_manifest::{ComponentName, Name};

/// Requests of one webhook that apps have at once.
const AT_ONCE: usize = 64;

/// A path with what answers there.
#[derive(Debug)]
pub struct WebhookRoute {
    pub webhook: Webhook,
    pub tenant: Name,
    pub component: ComponentName,
    permits: Arc<Semaphore>,
}

impl WebhookRoute {
    pub(crate) fn new(webhook: Webhook, tenant: Name, component: ComponentName) -> Self {
        WebhookRoute {
            webhook,
            tenant,
            component,
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    pub(crate) fn is_of(&self, tenant: &Name, component: &ComponentName) -> bool {
        (&self.tenant, &self.component) == (tenant, component)
    }

    /// Takes a permit for one of the requests that the app has at once; `exhausted` where there is none.
    pub fn enter(&self) -> Result<OwnedSemaphorePermit> {
        self.permits.clone().try_acquire_owned().map_err(|_| {
            let busy = Error::exhausted("too many webhooks at once");
            busy.with_retry_after(Duration::from_secs(1))
        })
    }
}

/// A request at a webhook, with its body whole.
pub struct WebhookRequest {
    pub method: String,
    pub query: Option<String>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Bindings {
    /// The app's answer. `denied` is a signature that does not fit; `unavailable` is no listener, or one that failed: the
    /// sender may try again.
    pub async fn call_webhook(
        &self,
        route: &WebhookRoute,
        trace: Trace,
        request: WebhookRequest,
    ) -> Result<Bytes> {
        let Some(slot) = self.components.of(&route.component) else {
            return Err(Error::unavailable("the component of this path is gone"));
        };
        let component = slot.component();
        let driver = &component.driver().driver;
        // What took the component's place may know of no signatures.
        if driver
            .webhook()
            .is_none_or(|own| own.path != route.webhook.path)
        {
            return Err(Error::unavailable("the component of this path has moved"));
        }
        driver.admit(&request.headers, &request.body)?;
        let mut metadata = vec![
            ("method".to_owned(), request.method),
            ("path".to_owned(), route.webhook.path.clone()),
        ];
        metadata.extend(request.query.map(|query| ("query".to_owned(), query)));
        let headers = request.headers.into_iter();
        metadata.extend(headers.map(|(name, value)| (format!("header.{name}"), value)));
        let delivery = Delivery {
            data: request.body,
            metadata,
            attempt: 1,
        };
        let answer = Listening(component.clone())
            .deliver_in(Origin::Span(trace), delivery, HOST_CALL)
            .await;
        answer.map_err(|error| {
            Error::unavailable("no app took this; try again later").with_source(error)
        })
    }
}
