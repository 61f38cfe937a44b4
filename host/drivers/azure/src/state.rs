//! State in a container of blobs, as version 2 of Dapr's store lays it out: a blob for each entry, whose name is the whole
//! key. A write is one request, with its condition; the service gives each version of a blob an etag that never returns.

mod names;

use crate::{
    client::{Call, Shared, text},
    container::{Container, Target, version},
    fault::Fault,
    settings::config,
};
use async_trait::async_trait;
use http::Method;
use std::sync::Arc;
use wythe_blocks::{
    Error, Key, Result, Site, Wrong,
    state::{Condition, Delete, Driver, Entry, Etag, Features, Put},
};
use wythe_client::{Answer, Effect};

/// Bytes of a value.
const MAX_VALUE: u64 = 16 << 20;
/// Bytes of a content type.
const MAX_TYPE: usize = 256;
/// The content type that the service gives a blob which comes without one.
const NO_TYPE: &str = "application/octet-stream";

config! {
    struct Config {
        /// The container.
        #[serde(alias = "container", alias = "storageAccountContainer")]
        container_name: Option<String>,
        /// The access of the public to a container that is made; default `none`.
        public_access_level: Option<String>,
        /// True makes no container, which has to be there; default false.
        disable_entity_management: Option<bool>,
    }
}

pub(crate) fn parse(mut config: Config) -> Result<Target, Wrong> {
    let written = config.account();
    Target::parse(
        written,
        config.container_name,
        config.public_access_level.as_deref(),
        config.disable_entity_management,
    )
}

pub(crate) fn warnings(place: &Target) -> Vec<Wrong> {
    place.account.warnings()
}

pub(crate) async fn open(clients: Shared, place: Target, site: Site) -> Result<Arc<dyn Driver>> {
    let container = Container::open(&clients, place, &site).await?;
    Ok(Arc::new(Store(container)))
}

struct Store(Container);

fn about(key: &Key) -> String {
    format!("`{}`", key.shown())
}

fn conflict(key: &Key, condition: &Condition) -> Error {
    let why = match condition {
        Condition::Absent => "there is one already",
        _ => "it was changed or deleted meanwhile",
    };
    Error::conflict(format!("the entry {} is another one: {why}", about(key)))
}

/// Returns whether the service refused for the condition of a request. One for an etag finds nothing where the blob is gone.
fn is_lost(fault: &Fault, condition: &Condition) -> bool {
    match fault.code() {
        "ConditionNotMet" | "TargetConditionNotMet" => true,
        "BlobAlreadyExists" => *condition == Condition::Absent,
        "BlobNotFound" => matches!(condition, Condition::Matches(_)),
        _ => false,
    }
}

/// Puts an etag into a request; none that the service never gave comes into a header.
fn expect(call: &mut Call, key: &Key, condition: &Condition) -> Result<()> {
    match condition {
        Condition::Always => {}
        Condition::Absent => call.header("if-none-match", "*"),
        Condition::Matches(etag) => {
            let bare = etag
                .strip_prefix('"')
                .and_then(|etag| etag.strip_suffix('"'));
            let is_own = |etag: &str| {
                (1..=128).contains(&etag.len()) && etag.chars().all(|c| c.is_ascii_alphanumeric())
            };
            if !bare.is_some_and(is_own) {
                return Err(conflict(key, condition));
            }
            call.header("if-match", etag.as_str());
        }
    }
    Ok(())
}

impl Store {
    fn call(&self, method: Method, key: &Key, effect: Effect) -> Call {
        self.0.blob(method, &names::name(key), effect)
    }

    fn failed(&self, fault: Fault, effect: Effect, about: &str) -> Error {
        self.0.failed(fault, effect, about)
    }

    /// The entry, or nothing where there is no blob.
    async fn find(&self, key: &Key) -> Result<Option<Answer>> {
        let call = Call {
            largest: usize::try_from(MAX_VALUE).unwrap_or(usize::MAX),
            ..self.call(Method::GET, key, Effect::Read)
        };
        match self.0.session.send(call).await? {
            Ok(answer) => Ok(Some(answer)),
            Err(fault) if fault.code() == "BlobNotFound" => Ok(None),
            Err(fault) => Err(self.failed(fault, Effect::Read, &about(key))),
        }
    }
}

fn check(put: &Put) -> Result<()> {
    let (key, options) = (put.key.shown(), &put.options);
    if put.value.len() as u64 > MAX_VALUE {
        return Err(Error::invalid(format!(
            "the value of `{key}` has {} bytes; at most {MAX_VALUE} are allowed",
            put.value.len()
        )));
    }
    if options.ttl.is_some() {
        return Err(Error::unsupported("the driver has no ttl"));
    }
    if options.fence.is_some() {
        return Err(Error::unsupported("the driver has no fences"));
    }
    let is_plain = |kind: &String| {
        (1..=MAX_TYPE).contains(&kind.len())
            && kind.chars().all(|c| c == ' ' || c.is_ascii_graphic())
    };
    match options.content_type.as_ref().is_none_or(is_plain) {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "expected the content type of `{key}` to be one such as `text/plain`"
        ))),
    }
}

#[async_trait]
impl Driver for Store {
    fn features(&self) -> Features {
        Features {
            transactions: false,
            ttl: false,
            list: false,
            increment: false,
            fence: false,
            durable: true,
            linearizable: false,
            counted: false,
            max_value_bytes: MAX_VALUE,
            max_operations: 1,
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let Some(answer) = self.find(key).await? else {
            return Ok(None);
        };
        let kind = text(&answer.headers, "content-type").filter(|kind| *kind != NO_TYPE);
        let etag = version(&answer.headers);
        Ok(Some(Entry {
            etag: etag.map_err(|fault| fault.error(Effect::Read, &about(key)))?,
            content_type: kind.map(str::to_owned),
            value: answer.body,
            expires: None,
        }))
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        check(&put)?;
        let (key, condition) = (&put.key, &put.options.condition);
        let about = about(key);
        let mut call = self.call(Method::PUT, key, Effect::Write);
        expect(&mut call, key, condition)?;
        let kind = put.options.content_type.as_deref().unwrap_or(NO_TYPE);
        call.header("x-ms-blob-content-type", kind);
        call.body = put.value.clone();
        match self.0.put(call).await? {
            Ok(etag) => Ok(etag),
            Err(fault) if is_lost(&fault, condition) => Err(conflict(key, condition)),
            Err(fault) => Err(self.failed(fault, Effect::Write, &about)),
        }
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        let (key, condition) = (&delete.key, &delete.condition);
        if *condition == Condition::Absent {
            return match self.find(key).await? {
                None => Ok(()),
                Some(_) => Err(conflict(key, condition)),
            };
        }
        let mut call = self.call(Method::DELETE, key, Effect::Write);
        expect(&mut call, key, condition)?;
        match self.0.session.send(call).await? {
            Ok(_) => Ok(()),
            Err(fault) if is_lost(&fault, condition) => Err(conflict(key, condition)),
            Err(fault) if fault.code() == "BlobNotFound" => Ok(()),
            Err(fault) => Err(self.failed(fault, Effect::Write, &about(key))),
        }
    }

    fn describe(&self) -> Option<String> {
        self.0.session.describe()
    }

    async fn health(&self) -> Result<()> {
        self.0.look().await
    }

    async fn close(&self) -> Result<()> {
        self.0.session.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_of_somebody_else_is_in_no_header() {
        let key: Key = "a".into();
        for odd in [
            "",
            "*",
            "\"*\"",
            "\"a\", \"b\"",
            "\"a\r\nx: y\"",
            "a",
            "\"\"",
        ] {
            let mut call = Call::new(Method::PUT, "/a".to_owned(), Effect::Write);
            let condition = Condition::Matches(odd.to_owned());
            let expected = expect(&mut call, &key, &condition);
            assert!(expected.is_err() && call.headers.is_empty(), "{odd}");
        }
        let mut call = Call::new(Method::PUT, "/a".to_owned(), Effect::Write);
        let condition = Condition::Matches("\"0x8D\"".to_owned());
        assert!(expect(&mut call, &key, &condition).is_ok());
        assert_eq!(call.headers.len(), 1);
    }
}
