//! The way of a request through the handlers of its tenant, and from there to the app that its path then names.

use super::{Inside, Record, Sender, access, ask, cors, target, unanswered};
use crate::{body::patient, refusals::No};
use async_trait::async_trait;
use http::{Request, Response};
use hyper::body::Incoming;
use std::sync::{Arc, OnceLock};
use wythe_blocks::{
    Body, Destination, Error, Result, Route, Tenant, Trace,
    invocation::{Path, settled},
    middleware::{End, Pipeline, Preserved},
};

/// The way of requests to one tenant.
pub struct Way {
    pub place: Destination,
    pub pipeline: Arc<Pipeline>,
}

impl Way {
    /// Answers a request: a browser's question by itself, and another one once it came through.
    pub async fn answer(
        self,
        inside: &Arc<Inside>,
        from: Sender,
        request: Request<Incoming>,
        record: &mut Option<Record>,
    ) -> Response<Body> {
        let pipeline = self.pipeline.clone();
        let cors = pipeline.cors();
        let origin = cors.and_then(|cors| cors::allowed(cors, &request));
        let question = cors.and_then(|cors| cors::preflight(cors, origin.as_ref(), &request));
        if let Some(answer) = question {
            return answer;
        }
        let reader = (from.trace, inside.audience);
        let mut answer = match self.run(inside, from, request).await {
            Ok((answer, asked)) => {
                // Where a handler has answered, the tenant is known and no app.
                if let Some(route) = &asked {
                    access::note(record, Some(route.app.tenant()), Some(route.app.id()));
                }
                answer
            }
            Err(no) => no.answer(&inside.refusals, reader),
        };
        if let Some(cors) = cors {
            cors::mark(cors, origin.as_ref(), answer.headers_mut());
        }
        answer
    }

    /// Lets a request through the handlers. The answer comes with the route of the app that was asked, if one was.
    async fn run(
        self,
        inside: &Arc<Inside>,
        from: Sender,
        mut request: Request<Incoming>,
    ) -> Result<(Response<Body>, Option<Arc<Route>>), No> {
        let (Way { place, pipeline }, client) = (self, from.client);
        from.named?;
        let base = request.uri().path().get(..place.skipped());
        let base = base.unwrap_or_default().to_owned();
        target::skip(&mut request, place.skipped())?;
        Path::of(request.uri())?;
        let tenant = inside.host.tenant(pipeline.tenant());
        if let Err(refused) = pipeline.check(from.token.shown()) {
            charge(tenant.as_deref())?;
            return Err(refused.into());
        }
        let method = request.method().clone();
        let visit = pipeline.visit(client.address, base, from.trace);
        let behind = Arc::new(Behind {
            inside: inside.clone(),
            preserved: Preserved::of(&request),
            trace: from.trace,
            asked: OnceLock::new(),
            place,
        });
        let answer = pipeline
            .run(visit, request.map(patient), behind.clone())
            .await;
        let asked = behind.asked.get().cloned();
        if asked.is_none() {
            charge(tenant.as_deref())?;
        }
        let answer = settled(&method, answer)?;
        // Whoever wrote it, it leaves at the tenant's rate.
        let answer = match &tenant {
            Some(tenant) => answer.map(|body| tenant.ledger.paced(body)),
            None => answer,
        };
        Ok((answer, asked))
    }
}

/// A request that reached no app counts for its tenant, too: handlers work for it.
fn charge(tenant: Option<&Tenant>) -> Result<()> {
    tenant.map_or(Ok(()), |tenant| tenant.ledger.admit_outside())
}

/// The other end of a pipeline.
struct Behind {
    inside: Arc<Inside>,
    place: Destination,
    /// The words of the host in the request as it came.
    preserved: Preserved,
    trace: Trace,
    /// The route of the app that was asked.
    asked: OnceLock<Arc<Route>>,
}

#[async_trait]
impl End for Behind {
    async fn dispatch(&self, mut request: Request<Body>) -> Response<Body> {
        if let Err(error) = self.preserved.restore(&mut request) {
            return self.refuse(error);
        }
        let path = request.uri().path();
        let Some(route) = self.place.route(path) else {
            return self.refuse(unanswered(path));
        };
        let route = self.asked.get_or_init(|| route);
        let reader = (self.trace, self.inside.audience);
        let answer = ask(&route.app, self.trace, request).await;
        answer.unwrap_or_else(|no| no.answer(&route.refusals, reader))
    }

    fn refuse(&self, error: Error) -> Response<Body> {
        let reader = (self.trace, self.inside.audience);
        No::from(error).answer(&self.inside.refusals, reader)
    }
}
