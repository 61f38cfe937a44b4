//! Changes of one object, told by the server as they happen.

use crate::{
    client::{Asked, Client, JSON, LARGEST, encode},
    failure::{large, odd, of_way, refused},
    settings::RESYNC,
};
use http::StatusCode;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;
use wythe_blocks::{Error, Result};
use wythe_client::Fault;

/// Seconds after which the server ends a watch: less than the block waits in one go, so that its connection is used again.
const SECONDS: u64 = RESYNC.as_secs() - 1;
/// The pause after a watch that the server did not begin, for it has forgotten the version before.
const PAUSE: Duration = Duration::from_secs(1);

/// A collection of which one object is watched.
pub(crate) struct Watched<'a> {
    pub client: &'a Client,
    pub namespace: &'a str,
    pub name: &'a str,
    pub about: &'a str,
}

/// The end of a watch.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The object is another one, or gone.
    Changed,
    /// The server has nothing more to tell.
    Over,
    /// The server does not know the version any more after which it was to begin.
    Gone,
}

impl Watched<'_> {
    /// Waits until the object's version is not this one any more.
    pub async fn changed(&self, version: &str) -> Result<()> {
        loop {
            let (object, list) = self.list().await?;
            if object.as_deref() != Some(version) {
                return Ok(());
            }
            // An object may be older than all that the server remembers, so the list's version counts.
            match self.watch(&list, version).await? {
                End::Changed => return Ok(()),
                End::Over => {}
                End::Gone => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn path(&self, query: &str) -> String {
        let (namespace, name) = (self.namespace, encode(self.name));
        format!(
            "/api/v1/namespaces/{namespace}/configmaps?fieldSelector=metadata.name%3D{name}{query}"
        )
    }

    /// The versions of the object, if it is there, and of the list.
    async fn list(&self) -> Result<(Option<String>, String)> {
        let path = self.path("");
        let asked = Asked {
            path: &path,
            accept: JSON,
            verb: "list",
            about: self.about,
        };
        let list = self.client.ask(&asked).await?;
        let list = list.ok_or_else(|| odd(self.about))?;
        let items = list.get("items").and_then(Value::as_array);
        let items = items.ok_or_else(|| odd(self.about))?;
        let object = items.iter().find(|item| name(item) == Some(self.name));
        let object = object.map(|item| version(item).ok_or_else(|| odd(self.about)));
        let version = version(&list).ok_or_else(|| odd(self.about))?;
        Ok((object.transpose()?, version))
    }

    async fn watch(&self, from: &str, version: &str) -> Result<End> {
        let from = encode(from);
        let path = self.path(&format!(
            "&watch=true&timeoutSeconds={SECONDS}&resourceVersion={from}"
        ));
        let asked = Asked {
            path: &path,
            accept: JSON,
            verb: "watch",
            about: self.about,
        };
        let limit = Duration::from_secs(SECONDS) + self.client.timeout();
        let watched = timeout(limit, self.read(&asked, version)).await;
        watched.unwrap_or_else(|_| Err(of_way(Fault::Late, true)))
    }

    /// Reads what a watch tells, until that is a change.
    async fn read(&self, asked: &Asked<'_>, before: &str) -> Result<End> {
        let mut opened = self.client.open(asked).await?;
        let status = opened.response.status();
        let body = opened.response.body_mut();
        let (mut bytes, mut unread) = (0, Vec::new());
        while let Some(frame) = opened.connection.frame(body).await {
            let frame = frame.map_err(|fault| of_way(fault, true))?;
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            bytes += piece.len();
            if bytes > LARGEST {
                return Err(large(LARGEST));
            }
            unread.extend_from_slice(&piece);
            while status == StatusCode::OK
                && let Some(end) = unread.iter().position(|byte| *byte == b'\n')
            {
                let line: Vec<u8> = unread.drain(..=end).collect();
                if let Some(end) = self.event(&line, before)? {
                    return Ok(end);
                }
            }
        }
        self.client.put_back(opened.connection).await;
        match status {
            StatusCode::OK => Ok(End::Over),
            StatusCode::GONE => Ok(End::Gone),
            // The next request has the token that its file has by then.
            StatusCode::UNAUTHORIZED if self.client.renew().await? => Ok(End::Gone),
            status => Err(refused(status, &unread, asked.verb, self.about)),
        }
    }

    /// The end that an event is of the watch; none where it goes on.
    fn event(&self, line: &[u8], before: &str) -> Result<Option<End>> {
        let value: Value = serde_json::from_slice(line).map_err(|_| odd(self.about))?;
        let object = value.get("object").ok_or_else(|| odd(self.about))?;
        match value.get("type").and_then(Value::as_str) {
            Some("ADDED" | "MODIFIED") if name(object) == Some(self.name) => {
                let is_same = version(object).as_deref() == Some(before);
                Ok((!is_same).then_some(End::Changed))
            }
            Some("DELETED") if name(object) == Some(self.name) => Ok(Some(End::Changed)),
            Some("ERROR") => match object.get("code").and_then(Value::as_u64) {
                Some(410) => Ok(Some(End::Gone)),
                code => {
                    let status = code.and_then(|code| u16::try_from(code).ok());
                    let status = status.and_then(|code| StatusCode::from_u16(code).ok());
                    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                    let said = object.to_string();
                    Err(refused(status, said.as_bytes(), "watch", self.about))
                }
            },
            Some(_) => Ok(None),
            None => Err(odd(self.about)),
        }
    }
}

fn name(object: &Value) -> Option<&str> {
    object.get("metadata")?.get("name")?.as_str()
}

/// The version of an object or a list.
pub(crate) fn version(object: &Value) -> Option<String> {
    let version = object.get("metadata")?.get("resourceVersion")?.as_str()?;
    let is_plain =
        (1..=64).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_graphic());
    is_plain.then(|| version.to_owned())
}

/// The error where there is no such object.
pub(crate) fn missing(about: &str) -> Error {
    Error::unavailable(format!(
        "there is no {about}: make it, or check `configMapName` and `namespace`"
    ))
}
