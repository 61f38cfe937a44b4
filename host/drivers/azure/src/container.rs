//! A container of blobs: the settings that name one, how it is made or found, and requests for what is in it.

use crate::{
    client::{Call, Session, Shared, text},
    fault::Fault,
    settings::{Account, Written, name, wrong},
};
use http::{HeaderMap, Method};
use wythe_blocks::{Error, Result, Site, Wrong};
use wythe_client::{Effect, encode};

/// Part of the service's host name.
const SERVICE: &str = "blob";
/// Bytes of a blob's name.
pub(crate) const MAX_NAME: usize = 1_024;

/// The settings of a container, found good.
pub(crate) struct Target {
    pub account: Account,
    pub name: String,
    /// The access of the public to a container that is made, in the service's word.
    access: Option<&'static str>,
    /// True if a container that is missing is made.
    is_managed: bool,
}

impl Target {
    pub fn parse(
        written: Written,
        container: Option<String>,
        access: Option<&str>,
        is_unmanaged: Option<bool>,
    ) -> Result<Self, Wrong> {
        let access = match access.unwrap_or_default() {
            "" | "none" => None,
            "blob" => Some("blob"),
            "container" => Some("container"),
            _ => {
                let why = "expected `none`, `blob` or `container`";
                return Err(wrong("publicAccessLevel", why));
            }
        };
        Ok(Target {
            account: Account::parse(written, SERVICE)?,
            name: name("containerName", container)?,
            access,
            is_managed: !is_unmanaged.unwrap_or(false),
        })
    }
}

/// The version of a blob that an answer names.
pub(crate) fn version(headers: &HeaderMap) -> Result<String, Fault> {
    let found = text(headers, "etag").map(str::to_owned);
    found.ok_or_else(|| Fault::Odd("no etag".to_owned()))
}

/// A container that a component has.
pub(crate) struct Container {
    pub session: Session,
    pub place: Target,
}

impl Container {
    /// Makes the container where it is missing, unless that is forbidden; then it has to be there.
    pub async fn open(clients: &Shared, place: Target, site: &Site) -> Result<Self> {
        let shown = format!("container `{}`", place.name);
        let container = Container {
            session: Session::new(clients, &place.account, site, shown),
            place,
        };
        let opened = container.find().await;
        opened.map_err(|error| container.session.named(error))?;
        Ok(container)
    }

    async fn find(&self) -> Result<()> {
        if !self.place.is_managed {
            return self.look().await;
        }
        // Made twice it is made.
        let mut call = self.whole(Method::PUT, Effect::Read);
        if let Some(access) = self.place.access {
            call.header("x-ms-blob-public-access", access);
        }
        match self.session.send(call).await? {
            Ok(_) => Ok(()),
            Err(fault) if fault.code() == "ContainerAlreadyExists" => Ok(()),
            Err(fault) => Err(self.failed(fault, Effect::Read, &self.about())),
        }
    }

    /// Asks for the container, which has to be there.
    pub async fn look(&self) -> Result<()> {
        let call = self.whole(Method::GET, Effect::Read);
        let found = self.session.send(call).await?;
        let failed = |fault| self.failed(fault, Effect::Read, &self.about());
        found.map(drop).map_err(failed)
    }

    /// A request for the container itself.
    pub fn whole(&self, method: Method, effect: Effect) -> Call {
        let mut call = Call::new(method, format!("/{}", self.place.name), effect);
        call.query.push(("restype", "container".to_owned()));
        call
    }

    /// A request for a blob.
    pub fn blob(&self, method: Method, blob: &str, effect: Effect) -> Call {
        Call::new(method, self.path(blob), effect)
    }

    /// The path of a blob, without the account's part.
    pub fn path(&self, blob: &str) -> String {
        format!("/{}/{}", self.place.name, encode(blob, "/"))
    }

    /// The address of a blob.
    pub fn url(&self, blob: &str) -> String {
        let account = &self.place.account;
        let server = account.url.as_str().trim_end_matches('/');
        format!("{server}{}{}", account.root, self.path(blob))
    }

    /// Writes a blob whole, with the headers that are given; returns its version, without which an answer is none of the
    /// service.
    pub async fn put(&self, mut call: Call) -> Result<Result<String, Fault>> {
        call.header("x-ms-blob-type", "BlockBlob");
        let put = self.session.send(call).await?;
        Ok(put.and_then(|answer| version(&answer.headers)))
    }

    pub fn about(&self) -> String {
        format!("the container `{}`", self.place.name)
    }

    pub fn failed(&self, fault: Fault, effect: Effect, about: &str) -> Error {
        match fault.code() {
            "ContainerNotFound" | "ContainerDisabled" => Error::unavailable(format!(
                "there is no container `{}`: make it, or check `containerName`, `accountName` and `endpoint`",
                self.place.name
            )),
            "BlobNotFound" => Error::not_found(format!("no {about}")),
            "RequestBodyTooLarge" => Error::invalid(format!(
                "{about} is larger than the service takes in one request"
            )),
            "SnapshotsPresent" => Error::conflict(format!(
                "{about} has snapshots; see metadata `deleteSnapshots`"
            )),
            _ => fault.error(effect, about),
        }
    }
}
