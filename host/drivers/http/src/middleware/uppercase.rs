//! A body in capitals, as Dapr shows middleware with.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde::Deserialize;
use std::sync::Arc;
use wythe_blocks::{
    Body, Result, Site,
    middleware::{Driver, Next, Visit},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {}

pub(super) async fn open(_: Config, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Uppercase))
}

struct Uppercase;

#[async_trait]
impl Driver for Uppercase {
    async fn handle(
        &self,
        _: &Arc<Visit>,
        request: Request<Body>,
        next: Next,
    ) -> Result<Response<Body>> {
        let capitals = |bytes: Bytes| Bytes::from(bytes.to_ascii_uppercase());
        let request = request.map(|body| {
            let frames = body.map_frame(move |frame| frame.map_data(capitals));
            frames.boxed_unsync()
        });
        Ok(next.run(request).await)
    }
}
