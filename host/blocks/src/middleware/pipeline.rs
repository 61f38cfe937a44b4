//! The handlers of a tenant in their order, around whoever answers at the end.

use super::{HANDLE, Middleware, Visit};
use crate::{Body, Call, Detail, Error, Result, Settings, Trace, time};
use async_trait::async_trait;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::{Request, Response};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use wythe_manifest::{ComponentName, Cors, Handler, Name, Secret};

/// Time of a handler for what it does by itself; a body and an answer have times of their own.
const HANDLING: Duration = Duration::from_secs(30);
/// The name under which handlers work, for no app does.
const CALLER: &str = "http-pipeline";

/// The answerer of requests that came through a pipeline, and of those that did not.
#[async_trait]
pub trait End: Send + Sync {
    /// Answers a request as it is now: its path, and nothing that was looked at before, says who is asked.
    async fn dispatch(&self, request: Request<Body>) -> Response<Body>;

    /// Answers where a handler refused or failed.
    fn refuse(&self, error: Error) -> Response<Body>;
}

/// The way in of a tenant: its token, its origins, and the handlers by name, so that a component which takes the place of
/// another is used from then on.
pub struct Pipeline {
    tenant: Name,
    caller: Name,
    token: Option<Secret>,
    cors: Option<Cors>,
    middleware: Arc<Middleware>,
    /// The key that names the handlers.
    key: &'static str,
    handlers: Vec<ComponentName>,
}

/// The rest of a pipeline.
pub struct Next {
    pipeline: Arc<Pipeline>,
    visit: Arc<Visit>,
    end: Arc<dyn End>,
    at: usize,
}

impl Pipeline {
    /// The way in of a tenant.
    pub(super) fn new(middleware: Arc<Middleware>, settings: &Settings) -> Self {
        Pipeline {
            token: settings.token.clone(),
            cors: settings.cors.clone(),
            key: "httpPipeline",
            ..Self::of(middleware, settings, &settings.handlers)
        }
    }

    /// The way to one app of a tenant.
    pub(super) fn of(
        middleware: Arc<Middleware>,
        settings: &Settings,
        handlers: &[Handler],
    ) -> Self {
        let handlers = handlers.iter();
        Pipeline {
            tenant: settings.tenant.clone(),
            caller: CALLER.parse().expect("a name"),
            token: None,
            cors: None,
            middleware,
            key: "appHttpPipeline",
            handlers: handlers.map(|handler| handler.name.clone()).collect(),
        }
    }

    /// The pages of other origins whose scripts may ask.
    pub fn cors(&self) -> Option<&Cors> {
        self.cors.as_ref()
    }

    /// Refuses a request that shows another token than that of the project, in a time that does not depend on it.
    pub fn check(&self, shown: Option<&[u8]>) -> Result<()> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let refused = |why| Err(Error::denied(why).with_detail(Detail::Unauthenticated));
        match shown {
            None => refused("the request has no `dapr-api-token`"),
            Some(shown) => {
                let token = token.reveal().as_bytes();
                match verify_slices_are_equal(shown, token) {
                    Ok(()) => Ok(()),
                    Err(_) => refused("the `dapr-api-token` of the request is another one"),
                }
            }
        }
    }

    pub fn tenant(&self) -> &Name {
        &self.tenant
    }

    /// Says what the host knows of a request.
    pub fn visit(&self, client: IpAddr, base: String, trace: Trace) -> Visit {
        let deadline = time::deadline(HANDLING);
        Visit {
            client,
            base,
            until: None,
            call: Call::host(self.tenant.clone(), self.caller.clone(), trace, deadline),
        }
    }

    /// Says what the host knows of a call of an app; all those who may ask are one client.
    pub(crate) fn visit_of(&self, call: &Call) -> Visit {
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let visit = self.visit(nobody, String::new(), call.trace());
        Visit {
            until: Some(call.deadline()),
            ..visit
        }
    }

    /// Lets a request through every handler.
    pub async fn run(
        self: &Arc<Self>,
        visit: Visit,
        request: Request<Body>,
        end: Arc<dyn End>,
    ) -> Response<Body> {
        let next = Next {
            pipeline: self.clone(),
            visit: Arc::new(visit),
            end,
            at: 0,
        };
        next.run(request).await
    }
}

impl Next {
    /// Lets a request through the handlers that are left. Whatever becomes of it, there is an answer.
    pub async fn run(self, request: Request<Body>) -> Response<Body> {
        let end = self.end.clone();
        let Some(name) = self.pipeline.handlers.get(self.at).cloned() else {
            return end.dispatch(request).await;
        };
        match self.step(&name, request).await {
            Ok(answer) => answer,
            Err(error) => end.refuse(error),
        }
    }

    /// A component that is not there lets nothing pass.
    async fn step(
        mut self,
        name: &ComponentName,
        request: Request<Body>,
    ) -> Result<Response<Body>> {
        let slot = self.pipeline.middleware.components.of(name);
        let key = self.pipeline.key;
        let slot = slot.ok_or_else(|| {
            Error::unavailable(format!(
                "the handler `{name}` of `{key}` is not open, and nothing passes without it; the log of the start says why"
            ))
        })?;
        self.at += 1;
        let visit = self.visit.clone();
        let component = slot.enter(&visit.call).await?;
        let passed = component.pass(&visit.call, HANDLE, |configured| {
            configured.driver.handle(&visit, request, self)
        });
        passed
            .await
            .map_err(|error| error.map_message(|text| format!("`{name}`: {text}")))
    }
}
