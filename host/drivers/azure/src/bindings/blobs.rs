//! Blobs of a container: Dapr's `create`, `get`, `delete`, `list` and `presign`.

mod listing;
mod words;

use crate::{
    client::{Call, LARGEST, Shared},
    container::{Container, Target},
    fault::Fault,
    settings::{config, wrong},
    sign,
};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Method;
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use words::{checked, named, switch, time};
use wythe_blocks::{
    Error, Permit, Result, Site, Wrong,
    bindings::{Driver, Features, Outcome, Request},
    random,
    time::Clock as _,
};
use wythe_client::{Answer, Effect, Failed};

/// Time of a request beyond that of a small one, as blobs are large.
const TRANSFER: Duration = Duration::from_secs(60);
/// Time that the block waits beyond the driver's own limit, so that the latter speaks first.
const GRACE: Duration = Duration::from_secs(1);
/// Calls at once.
const PERMITS: usize = 64;
/// The most attempts after the first one that a component may ask for.
const RETRIES: u32 = 100;

config! {
    struct Config {
        /// The container.
        #[serde(alias = "container", alias = "storageAccountContainer")]
        container_name: Option<String>,
        /// True decodes base64 before data is stored; default false.
        decode_base64: Option<bool>,
        /// Attempts after the first one of a call that changed nothing; default those of the host.
        #[serde(alias = "retryCount")]
        get_blob_retry_count: Option<u32>,
        /// The access of the public to a container that is made; default `none`.
        public_access_level: Option<String>,
        /// True makes no container, which has to be there; default false.
        disable_entity_management: Option<bool>,
    }
}

/// A config that was found good.
pub(crate) struct Parsed {
    place: Target,
    decodes: bool,
    retries: Option<u32>,
}

pub(crate) fn parse(mut config: Config) -> Result<Parsed, Wrong> {
    if config.get_blob_retry_count > Some(RETRIES) {
        return Err(wrong("getBlobRetryCount", "expected 0 to 100"));
    }
    let written = config.account();
    Ok(Parsed {
        place: Target::parse(
            written,
            config.container_name,
            config.public_access_level.as_deref(),
            config.disable_entity_management,
        )?,
        decodes: config.decode_base64.unwrap_or(false),
        retries: config.get_blob_retry_count,
    })
}

pub(crate) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    parsed.place.account.warnings()
}

pub(crate) async fn open(clients: Shared, parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Blobs {
        container: Container::open(&clients, parsed.place, &site).await?,
        decodes: parsed.decodes,
        retries: parsed.retries,
    }))
}

struct Blobs {
    container: Container,
    decodes: bool,
    retries: Option<u32>,
}

impl Blobs {
    /// The data as it is stored; what is decoded of it is held in addition.
    fn body(&self, request: &Request<'_>) -> Result<(Bytes, Option<Permit>)> {
        if !self.decodes {
            return Ok((request.data.clone(), None));
        }
        let held = request.hold(request.data.len())?;
        let decoded = STANDARD.decode(request.data.trim_ascii());
        let decoded =
            decoded.map_err(|_| Error::invalid("the data is no base64; see `decodeBase64`"))?;
        Ok((decoded.into(), held))
    }

    fn call(&self, method: Method, name: &str, effect: Effect) -> Call {
        Call {
            extra: TRANSFER,
            ..self.container.blob(method, name, effect)
        }
    }

    async fn create(&self, request: &Request<'_>) -> Result<Outcome> {
        let name = match request.get("blobName").filter(|name| !name.is_empty()) {
            Some(name) => checked(name)?.to_owned(),
            None => random::name()?,
        };
        let mut answer = json!({ "blobURL": self.container.url(&name), "blobName": name });
        if request.get("signTTL").is_some_and(|ttl| !ttl.is_empty()) {
            answer["presignURL"] = self.signed(request, &name)?.into();
        }
        let about = format!("blob `{name}`");
        let mut call = self.call(Method::PUT, &name, Effect::Write);
        let (body, _held) = self.body(request)?;
        call.headers = words::headers(request)?;
        call.body = body;
        let put = self.container.put(call).await?;
        put.map_err(|fault| self.container.failed(fault, Effect::Write, &about))?;
        Ok(outcome(answer.to_string().into(), &name))
    }

    async fn get(&self, request: &Request<'_>) -> Result<Outcome> {
        let name = named(request)?;
        let is_described = switch(request, "includeMetadata")?;
        let about = format!("blob `{name}`");
        let mut call = self.call(Method::GET, name, Effect::Read);
        call.largest = usize::try_from(request.max_bytes).unwrap_or(usize::MAX);
        let mut held = request.hold(0)?;
        let mut room = |bytes| held.as_mut().map_or(Ok(()), |held| held.grow(bytes));
        let client = self.container.session.client()?;
        let Answer { headers, body, .. } = match client.send(call, &mut room).await {
            Ok(answer) => answer,
            Err(Fault::Way(Failed::Large)) => {
                return Err(Error::invalid(format!(
                    "the {about} has more than {} bytes; see `maxDataBytes`",
                    request.max_bytes
                )));
            }
            Err(fault) => return Err(self.container.failed(fault, Effect::Read, &about)),
        };
        let mut outcome = outcome(body, name);
        if is_described {
            outcome.metadata.extend(words::described(&headers));
        }
        Ok(outcome)
    }

    async fn delete(&self, request: &Request<'_>) -> Result<Outcome> {
        let name = named(request)?;
        let about = format!("blob `{name}`");
        let mut call = self.call(Method::DELETE, name, Effect::Write);
        match request.get("deleteSnapshots").unwrap_or_default() {
            "" => {}
            word @ ("include" | "only") => call.header("x-ms-delete-snapshots", word),
            _ => {
                return Err(Error::invalid(
                    "expected metadata `deleteSnapshots` to be `include` or `only`",
                ));
            }
        }
        let deleted = self.container.session.send(call).await?;
        deleted.map_err(|fault| self.container.failed(fault, Effect::Write, &about))?;
        Ok(Outcome::default())
    }

    async fn list(&self, request: &Request<'_>) -> Result<Outcome> {
        let container = &self.container;
        let mut call = container.whole(Method::GET, Effect::Read);
        call.query.push(("comp", "list".to_owned()));
        call.query.extend(listing::query(request.data)?);
        let largest = usize::try_from(request.max_bytes).unwrap_or(usize::MAX);
        call.largest = largest.min(LARGEST);
        call.extra = TRANSFER;
        let mut held = request.hold(0)?;
        let mut room = |bytes| held.as_mut().map_or(Ok(()), |held| held.grow(bytes));
        let answer = container.session.client()?.send(call, &mut room).await;
        let failed = |fault| container.failed(fault, Effect::Read, &container.about());
        let answer = answer.map_err(failed)?;
        // The tree and the text that is made of it.
        room(answer.body.len().saturating_mul(2))?;
        let listed = listing::read(&answer.body).map_err(|why| failed(Fault::Odd(why)))?;
        Ok(Outcome {
            data: serde_json::Value::from(listed.blobs).to_string().into(),
            metadata: vec![
                ("marker".to_owned(), listed.next),
                ("number".to_owned(), listed.number.to_string()),
                ("pagesTraversed".to_owned(), "1".to_owned()),
            ],
        })
    }

    fn presign(&self, request: &Request<'_>) -> Result<Outcome> {
        let name = named(request)?;
        let data = json!({ "presignURL": self.signed(request, name)? });
        Ok(outcome(data.to_string().into(), name))
    }

    /// A URL by which anybody may get the blob for the time that the request names.
    fn signed(&self, request: &Request<'_>, name: &str) -> Result<String> {
        self.container.session.client()?;
        let place = &self.container.place;
        let until = SystemTime::now().after(time(request)?);
        let path = format!("/{}/{name}", place.name);
        let query = sign::presigned(&place.account, &path, until);
        Ok(format!("{}?{query}", self.container.url(name)))
    }
}

fn outcome(data: Bytes, name: &str) -> Outcome {
    Outcome {
        data,
        metadata: vec![("blobName".to_owned(), name.to_owned())],
    }
}

#[async_trait]
impl Driver for Blobs {
    fn features(&self) -> Features {
        let operations = ["create", "delete", "get", "list", "presign"];
        Features {
            operations: operations.map(str::to_owned).into(),
            ..Features::default()
        }
    }

    fn permits(&self) -> Option<usize> {
        Some(PERMITS)
    }

    fn patience(&self) -> Option<Duration> {
        let timeout = self.container.place.account.timeout;
        Some(timeout.saturating_add(TRANSFER + GRACE))
    }

    fn retries(&self) -> Option<u32> {
        self.retries
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        match request.operation {
            "create" => self.create(&request).await,
            "get" => self.get(&request).await,
            "list" => self.list(&request).await,
            "presign" => self.presign(&request),
            _ => self.delete(&request).await,
        }
    }

    fn describe(&self) -> Option<String> {
        self.container.session.describe()
    }

    async fn health(&self) -> Result<()> {
        self.container.look().await
    }

    async fn close(&self) -> Result<()> {
        self.container.session.close();
        Ok(())
    }
}
