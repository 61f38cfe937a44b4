//! Objects of a bucket: Dapr's `create`, `get`, `delete`, `list` and `presign`.

mod listing;
mod words;

use crate::{
    client::{Call, LARGEST, Session, Shared, shared},
    fault::Fault,
    settings::{Service, Target, config, wrong},
};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use words::{check_bucket, check_class, check_ttl, checked, key};
use wythe_blocks::{
    Error, Result, Site, Wrong,
    bindings::{Driver, Features, Outcome, Request},
    random,
};
use wythe_client::{Answer, Effect, encode};
use wythe_manifest::Duration as Time;

const S3: &str = "s3";
/// Time of a request, beyond that of a small one, as objects are large.
const TRANSFER: Duration = Duration::from_secs(60);
/// Time that the block waits beyond the driver's own limit, so that the latter speaks first.
const GRACE: Duration = Duration::from_secs(1);
/// Calls at once.
const PERMITS: usize = 64;

config! {
    struct Config {
        /// The bucket.
        bucket: String,
        /// True puts the bucket into the path, in place of before the host's name; default false.
        force_path_style: Option<bool>,
        /// True asks without TLS, where `endpoint` does not say; default false.
        #[serde(rename = "disableSSL")]
        disable_ssl: Option<bool>,
        /// True takes any certificate, which is an error here; default false.
        #[serde(rename = "insecureSSL")]
        insecure_ssl: Option<bool>,
        /// True decodes base64 before data is stored; default false.
        decode_base64: Option<bool>,
        /// True encodes data in base64 before an app gets it; default false.
        encode_base64: Option<bool>,
        /// The storage class of what is created; default the bucket's own.
        storage_class: Option<String>,
        /// The time for which a URL of `presign` is good, where the request does not say.
        #[serde(rename = "presignTTL")]
        presign_ttl: Option<Time>,
    }
}

/// A config that was found good.
pub(crate) struct Parsed {
    target: Target,
    bucket: String,
    /// The bucket's part of each path, or nothing where it is in the host's name.
    root: String,
    decodes: bool,
    encodes: bool,
    storage_class: Option<String>,
    presign: Option<Duration>,
}

pub(crate) fn parse(mut config: Config) -> Result<Parsed, Wrong> {
    if config.insecure_ssl == Some(true) {
        return Err(wrong(
            "insecureSSL",
            "certificates are always checked; give the server one that an authority signed, or an `endpoint` with `http://` within one machine",
        ));
    }
    let service = Service {
        name: S3,
        is_plain: config.disable_ssl.unwrap_or(false),
    };
    let mut target = Target::parse(config.service(), service)?;
    let bucket = config.bucket;
    check_bucket(&bucket).map_err(|why| wrong("bucket", why))?;
    // A dot would be a label of its own, which no certificate covers.
    let is_label = bucket
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let is_in_path = config.force_path_style.unwrap_or(false) || target.is_bare() || !is_label;
    let mut root = format!("/{bucket}");
    if !is_in_path {
        let host = format!("{bucket}.{}", target.url.host_str().unwrap_or_default());
        let named = target.url.set_host(Some(&host));
        named.map_err(|_| wrong("bucket", "its name cannot stand before that of the host"))?;
        root.clear();
    }
    if let Some(ttl) = config.presign_ttl {
        check_ttl(ttl.into()).map_err(|why| wrong("presignTTL", &why))?;
    }
    if let Some(class) = &config.storage_class {
        check_class(class).map_err(|why| wrong("storageClass", why))?;
    }
    Ok(Parsed {
        target,
        bucket,
        root,
        decodes: config.decode_base64.unwrap_or(false),
        encodes: config.encode_base64.unwrap_or(false),
        storage_class: config.storage_class,
        presign: config.presign_ttl.map(Duration::from),
    })
}

pub(crate) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    parsed.target.warnings()
}

pub(crate) async fn open(clients: Shared, parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let client = shared(&clients, &parsed.target, &site);
    let session = Session::new(client.clone(), format!("bucket `{}`", parsed.bucket));
    let bucket = Bucket { session, parsed };
    bucket.look().await.map_err(|error| client.named(error))?;
    Ok(Arc::new(bucket))
}

struct Bucket {
    session: Session,
    parsed: Parsed,
}

impl Bucket {
    /// Asks for the bucket. A key that may not list is good enough: it may write or read.
    async fn look(&self) -> Result<()> {
        let call = self.listing(vec![("max-keys".to_owned(), "1".to_owned())]);
        match self.session.client()?.send(call, &mut |_| Ok(())).await {
            Err(fault) if !fault.is_about_rights() => {
                Err(self.failed(fault, Effect::Read, &self.about()))
            }
            _ => Ok(()),
        }
    }

    fn about(&self) -> String {
        format!("the bucket `{}`", self.parsed.bucket)
    }

    fn call<'a>(&self, path: &'a str, effect: Effect) -> Call<'a> {
        Call {
            method: Method::GET,
            path,
            extra: TRANSFER,
            ..Call::new(S3, effect)
        }
    }

    /// A request for the bucket's list, which is small.
    fn listing(&self, query: Vec<(String, String)>) -> Call<'_> {
        Call {
            method: Method::GET,
            path: match &*self.parsed.root {
                "" => "/",
                root => root,
            },
            query,
            ..Call::new(S3, Effect::Read)
        }
    }

    fn failed(&self, fault: Fault, effect: Effect, about: &str) -> Error {
        match fault.code() {
            "NoSuchBucket" => Error::unavailable(format!(
                "there is no bucket `{}`: make it, or check `bucket`, `region` and `endpoint`",
                self.parsed.bucket
            )),
            "NoSuchKey" => Error::not_found(format!("no {about}")),
            _ => fault.error(effect, about),
        }
    }

    /// The path of an object.
    fn path(&self, key: &str) -> String {
        format!("{}/{}", self.parsed.root, encode(key, "/"))
    }

    fn switch(&self, request: &Request<'_>, name: &str, default: bool) -> Result<bool> {
        match request.get(name).filter(|text| !text.is_empty()) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(Error::invalid(format!(
                "expected metadata `{name}` to be `true` or `false`"
            ))),
        }
    }

    /// The data as it is stored; what is decoded of it is held in addition.
    fn body(&self, request: &Request<'_>) -> Result<(Bytes, Option<wythe_blocks::Permit>)> {
        if !self.switch(request, "decodeBase64", self.parsed.decodes)? {
            return Ok((request.data.clone(), None));
        }
        let held = request.hold(request.data.len())?;
        let decoded = STANDARD.decode(request.data.trim_ascii());
        let decoded =
            decoded.map_err(|_| Error::invalid("the data is no base64; see `decodeBase64`"))?;
        Ok((decoded.into(), held))
    }

    async fn create(&self, request: &Request<'_>) -> Result<Outcome> {
        let key = match request.get("key").filter(|key| !key.is_empty()) {
            Some(key) => checked(key)?.to_owned(),
            None => random::name()?,
        };
        if request.get("filePath").is_some_and(|path| !path.is_empty()) {
            return Err(Error::unsupported(
                "metadata `filePath` names a file of the host, which an app does not read here; send its bytes as data",
            ));
        }
        let url = match request.get("presignTTL").filter(|ttl| !ttl.is_empty()) {
            Some(_) => Some(self.presigned(request, &key)?),
            None => None,
        };
        let (body, _held) = self.body(request)?;
        let (path, about) = (self.path(&key), format!("object `{key}`"));
        let call = Call {
            method: Method::PUT,
            headers: self.headers(request)?,
            body,
            ..self.call(&path, Effect::Write)
        };
        let answer = self.session.client()?.send(call, &mut |_| Ok(())).await;
        let answer = answer.map_err(|fault| self.failed(fault, Effect::Write, &about))?;
        let version = answer.headers.get("x-amz-version-id");
        let version = version.and_then(|version| version.to_str().ok());
        let location = format!(
            "{}{path}",
            self.parsed.target.url.as_str().trim_end_matches('/')
        );
        let mut data = json!({ "location": location, "versionID": version });
        if let Some(url) = url {
            data["presignURL"] = url.into();
        }
        Ok(outcome(data.to_string().into(), &key))
    }

    fn headers(&self, request: &Request<'_>) -> Result<Vec<(&'static str, String)>> {
        let mut headers = Vec::new();
        let written = |name| request.get(name).filter(|text| !text.is_empty());
        let class = written("storageClass").or(self.parsed.storage_class.as_deref());
        if let Some(class) = class {
            check_class(class)
                .map_err(|why| Error::invalid(format!("metadata `storageClass`: {why}")))?;
            headers.push(("x-amz-storage-class", class.to_owned()));
        }
        if let Some(kind) = written("Content-Type") {
            if kind.len() > 256 || !kind.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
                return Err(Error::invalid(
                    "expected metadata `Content-Type` to be a type such as `text/plain`",
                ));
            }
            headers.push(("content-type", kind.to_owned()));
        }
        if let Some(tags) = written("tags") {
            let tags: BTreeMap<String, String> = serde_json::from_str(tags).map_err(|_| {
                Error::invalid("expected metadata `tags` to be a JSON object of texts")
            })?;
            let tags: Vec<_> = tags.into_iter().collect();
            headers.push(("x-amz-tagging", crate::sign::query(&tags)));
        }
        Ok(headers)
    }

    async fn get(&self, request: &Request<'_>) -> Result<Outcome> {
        let key = key(request)?;
        let encodes = self.switch(request, "encodeBase64", self.parsed.encodes)?;
        let largest = match encodes {
            true => request.max_bytes / 4 * 3,
            false => request.max_bytes,
        };
        let (path, about) = (self.path(key), format!("object `{key}`"));
        let mut call = self.call(&path, Effect::Read);
        call.largest = usize::try_from(largest).unwrap_or(usize::MAX);
        let mut held = request.hold(0)?;
        let mut room = |bytes| held.as_mut().map_or(Ok(()), |held| held.grow(bytes));
        let answer = self.session.client()?.send(call, &mut room).await;
        let data = match answer {
            Ok(Answer { body, .. }) => body,
            Err(Fault::Way(wythe_client::Failed::Large)) => {
                return Err(Error::invalid(format!(
                    "the {about} has more than {largest} bytes; see `maxDataBytes`"
                )));
            }
            Err(fault) => return Err(self.failed(fault, Effect::Read, &about)),
        };
        if !encodes {
            return Ok(outcome(data, key));
        }
        room(data.len() / 3 * 4 + 4)?;
        Ok(outcome(STANDARD.encode(&data).into(), key))
    }

    async fn delete(&self, request: &Request<'_>) -> Result<Outcome> {
        let key = key(request)?;
        let (path, about) = (self.path(key), format!("object `{key}`"));
        let call = Call {
            method: Method::DELETE,
            ..self.call(&path, Effect::Write)
        };
        let deleted = self.session.client()?.send(call, &mut |_| Ok(())).await;
        deleted.map_err(|fault| self.failed(fault, Effect::Write, &about))?;
        Ok(Outcome::default())
    }

    async fn list(&self, request: &Request<'_>) -> Result<Outcome> {
        let mut call = self.listing(listing::query(request.data)?);
        let largest = usize::try_from(request.max_bytes).unwrap_or(usize::MAX);
        call.largest = largest.min(LARGEST);
        let mut held = request.hold(0)?;
        let mut room = |bytes| held.as_mut().map_or(Ok(()), |held| held.grow(bytes));
        let answer = self.session.client()?.send(call, &mut room).await;
        let answer = answer.map_err(|fault| self.failed(fault, Effect::Read, &self.about()))?;
        // The tree and the text that is made of it.
        room(answer.body.len().saturating_mul(2))?;
        let listed =
            listing::read(&answer.body).map_err(|why| Fault::Odd(why).of_read(&self.about()))?;
        Ok(Outcome {
            data: listed.to_string().into(),
            metadata: Vec::new(),
        })
    }

    fn presign(&self, request: &Request<'_>) -> Result<Outcome> {
        let key = key(request)?;
        let data: Value = json!({ "presignURL": self.presigned(request, key)? });
        Ok(outcome(data.to_string().into(), key))
    }

    /// A URL by which anybody may get the object for a time.
    fn presigned(&self, request: &Request<'_>, key: &str) -> Result<String> {
        let written = request.get("presignTTL").filter(|ttl| !ttl.is_empty());
        let expected =
            || Error::invalid("expected metadata `presignTTL`, such as `15m`, from 1s to 168h");
        let ttl = match written {
            Some(text) => text
                .parse::<Time>()
                .map(Duration::from)
                .map_err(|_| expected())?,
            None => self.parsed.presign.ok_or_else(expected)?,
        };
        check_ttl(ttl).map_err(|_| expected())?;
        let path = self.path(key);
        let query = self.session.client()?.presigned(S3, &path, ttl.as_secs());
        let url = self.parsed.target.url.as_str().trim_end_matches('/');
        Ok(format!("{url}{path}?{query}"))
    }
}

fn outcome(data: Bytes, key: &str) -> Outcome {
    Outcome {
        data,
        metadata: vec![("key".to_owned(), key.to_owned())],
    }
}

#[async_trait]
impl Driver for Bucket {
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
        Some(self.parsed.target.timeout.saturating_add(TRANSFER + GRACE))
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
        self.session.describe()
    }

    async fn health(&self) -> Result<()> {
        self.look().await
    }

    async fn close(&self) -> Result<()> {
        self.session.close();
        Ok(())
    }
}
