//! Changes of one object, told by the server as they happen.

use crate::{
    client::{Asked, Client, JSON, LARGEST},
    failure::{large, odd, of_way, refused},
    lines::Lines,
    object::{List, Metadata},
    settings::RESYNC,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;
use wythe_blocks::{Error, Result};
use wythe_client::{Fault, encode};

/// The pause after a watch: the block, which waits for [`RESYNC`] in one go, gives up in it, and a server that ends watches
/// at once is not asked all the time.
const PAUSE: Duration = Duration::from_secs(1);
/// Seconds after which the server ends a watch, so that its connection is used again.
const SECONDS: u64 = RESYNC.as_secs() - PAUSE.as_secs();

/// A collection of which one object is watched.
pub(crate) struct Watched<'a> {
    pub client: &'a Client,
    pub namespace: &'a str,
    pub name: &'a str,
    pub about: &'a str,
}

/// A line of a watch.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    object: Subject,
}

/// An object that has changed, or the reason why a watch ends.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Subject {
    metadata: Metadata,
    code: Option<u16>,
    message: String,
}

/// The end of a watch.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The object is another one, or gone.
    Changed,
    /// The server has nothing more to tell, or does not know the version any more after which it was to begin.
    Over,
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
                // A change in the pause is in the list that follows.
                End::Over => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn path(&self, query: &str) -> String {
        let (namespace, name) = (self.namespace, encode(self.name, ""));
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
        let list: Option<List> = self.client.ask(&asked).await?;
        let list = list.ok_or_else(|| odd(self.about))?;
        let version = |of: &Metadata| {
            let version = of.version().map(str::to_owned);
            version.ok_or_else(|| odd(self.about))
        };
        let mut items = list.items.iter().map(|item| &item.metadata);
        let object = items.find(|item| self.is(item)).map(version);
        Ok((object.transpose()?, version(&list.metadata)?))
    }

    async fn watch(&self, from: &str, version: &str) -> Result<End> {
        let from = encode(from, "");
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
        let shown = self.client.shown();
        let mut opened = self.client.open(asked).await?;
        let status = opened.response.status();
        let body = opened.response.body_mut();
        let (mut bytes, mut lines) = (0, Lines::default());
        while let Some(frame) = opened.connection.frame(body).await {
            let frame = frame.map_err(|fault| of_way(fault, true))?;
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            bytes += piece.len();
            if bytes > LARGEST {
                return Err(large(LARGEST));
            }
            lines.add(&piece);
            while status == StatusCode::OK
                && let Some(line) = lines.next()
            {
                if let Some(end) = self.event(line, before)? {
                    return Ok(end);
                }
            }
        }
        self.client.put_back(opened.connection).await;
        match status {
            StatusCode::OK | StatusCode::GONE => Ok(End::Over),
            // The next request has the token that its file has by then.
            StatusCode::UNAUTHORIZED if self.client.renew(shown.as_ref()).await? => Ok(End::Over),
            status => Err(refused(status, lines.rest(), asked.verb, self.about)),
        }
    }

    /// The end that an event is of the watch; none where it goes on.
    fn event(&self, line: &[u8], before: &str) -> Result<Option<End>> {
        let event: Event = serde_json::from_slice(line).map_err(|_| odd(self.about))?;
        let object = event.object;
        match event.kind.as_str() {
            "ADDED" | "MODIFIED" if self.is(&object.metadata) => {
                let is_same = object.metadata.version() == Some(before);
                Ok((!is_same).then_some(End::Changed))
            }
            "DELETED" if self.is(&object.metadata) => Ok(Some(End::Changed)),
            "ERROR" => match object.code {
                Some(410) => Ok(Some(End::Over)),
                code => {
                    let status = code.and_then(|code| StatusCode::from_u16(code).ok());
                    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                    let said = json!({ "message": object.message }).to_string();
                    Err(refused(status, said.as_bytes(), "watch", self.about))
                }
            },
            _ => Ok(None),
        }
    }

    fn is(&self, metadata: &Metadata) -> bool {
        metadata.name.as_deref() == Some(self.name)
    }
}

/// The error where there is no such object.
pub(crate) fn missing(about: &str) -> Error {
    Error::unavailable(format!(
        "there is no {about}: make it, or check `configMapName` and `namespace`"
    ))
}
