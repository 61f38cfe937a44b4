//! The place of the keys, and the keys that were read there last: read anew now and then, and when a token names one that is
//! not there.

use super::keys::Keys;
use crate::fetch::{self, Fetch};
use parking_lot::RwLock;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};
use url::Url;
use wythe_blocks::{Error, Result};
use wythe_manifest::AnchoredPath;

/// Time after which keys are read anew; of a file, whose reading costs nothing, sooner.
const REFRESH: Duration = Duration::from_secs(600);
const REFRESH_FILE: Duration = Duration::from_secs(10);
/// Time between two attempts, however many tokens name keys that are not there.
const PAUSE: Duration = Duration::from_secs(30);
/// Time for which a token waits for keys that are read because of it.
const WAIT: Duration = Duration::from_secs(5);
/// Age up to which keys are used that cannot be read anew.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// Bytes of a file of keys.
const LARGEST: u64 = 256 << 10;

/// The place of a set of keys.
pub enum Origin {
    File(AnchoredPath),
    Url(Url),
    /// The issuer, whose configuration says where its keys are.
    Issuer(Url),
}

/// Keys with the time at which they were read.
struct Held {
    keys: Keys,
    read: Instant,
}

/// The keys of one component.
pub struct Source {
    shared: Arc<Shared>,
    refresher: AbortHandle,
}

struct Shared {
    component: String,
    origin: Origin,
    /// The issuer as it is written, which its configuration has to name.
    issuer: String,
    held: RwLock<Arc<Held>>,
    wanted: Notify,
    /// The time of the last attempt.
    attempts: watch::Sender<Instant>,
}

impl Source {
    /// Reads the keys for the first time, without which nothing opens.
    #[expect(
        clippy::disallowed_methods,
        reason = "the refresher belongs to the driver, which ends it when it is dropped"
    )]
    pub async fn open(component: String, issuer: String, origin: Origin) -> Result<Self> {
        let keys = origin.read(&issuer).await.map_err(|why| {
            Error::unavailable(format!(
                "{} {why}; no token can be checked without keys, so nothing starts",
                origin.shown()
            ))
        })?;
        let read = Instant::now();
        let shared = Arc::new(Shared {
            component,
            origin,
            issuer,
            held: RwLock::new(Arc::new(Held { keys, read })),
            wanted: Notify::new(),
            attempts: watch::Sender::new(read),
        });
        let refresher = tokio::spawn(refresh(shared.clone())).abort_handle();
        Ok(Source { shared, refresher })
    }

    /// Looks something up in the keys. Where it is not there, they are read anew, unless that was done a moment ago.
    pub async fn find<T>(&self, find: impl Fn(&Keys) -> Option<T>) -> Result<Option<T>> {
        if let Some(found) = find(&self.shared.fresh()?.keys) {
            return Ok(Some(found));
        }
        let mut attempts = self.shared.attempts.subscribe();
        if attempts.borrow_and_update().elapsed() < PAUSE {
            return Ok(None);
        }
        self.shared.wanted.notify_one();
        // One that waits in vain is refused by the keys that are there.
        let _ = timeout(WAIT, attempts.changed()).await;
        Ok(find(&self.shared.fresh()?.keys))
    }

    /// Says why tokens cannot be checked, if they cannot.
    pub fn health(&self) -> Result<()> {
        self.shared.fresh().map(drop)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.refresher.abort();
    }
}

impl Shared {
    fn fresh(&self) -> Result<Arc<Held>> {
        let held = self.held.read().clone();
        match held.read.elapsed() <= MAX_AGE {
            true => Ok(held),
            false => Err(Error::unavailable(format!(
                "{} could not be read for more than 24 h, and older keys are not believed; the log says why",
                self.origin.shown()
            ))),
        }
    }

    async fn attempt(&self) {
        match self.origin.read(&self.issuer).await {
            Ok(keys) => {
                let read = Instant::now();
                *self.held.write() = Arc::new(Held { keys, read });
            }
            Err(why) => {
                let age = self.held.read().read.elapsed().as_secs();
                tracing::warn!(
                    component = self.component,
                    "{} {why}; the keys of {age} s ago are used until they are 24 h old",
                    self.origin.shown()
                );
            }
        }
        self.attempts.send_replace(Instant::now());
    }
}

async fn refresh(shared: Arc<Shared>) {
    let every = match shared.origin {
        Origin::File(_) => REFRESH_FILE,
        Origin::Url(_) | Origin::Issuer(_) => REFRESH,
    };
    loop {
        // Nobody asks within the pause; who did while an attempt was under way has its answer.
        tokio::select! {
            () = shared.wanted.notified() => {
                if shared.attempts.borrow().elapsed() < PAUSE {
                    continue;
                }
            }
            () = sleep(every) => {}
        }
        shared.attempt().await;
    }
}

/// The parts of an issuer's configuration that are read (OpenID Connect Discovery 1.0, section 3).
#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

impl Origin {
    /// The place in words, which a reason follows.
    fn shown(&self) -> String {
        match self {
            Origin::File(place) => format!("the JWKS `{}`", place.path().display()),
            Origin::Url(url) => format!("the JWKS at `{}`", bare(url)),
            Origin::Issuer(url) => format!("the issuer `{}`", bare(url)),
        }
    }

    async fn read(&self, issuer: &str) -> Result<Keys, String> {
        match self {
            Origin::File(place) => {
                let file = place.open().and_then(|file| file.read(LARGEST));
                let bytes = file.map_err(|why| format!("cannot be read: {why}"))?;
                Keys::parse(&bytes)
            }
            Origin::Url(url) => Keys::parse(&Fetch::new().get(url).await?),
            // It is asked twice, in the time of one answer.
            Origin::Issuer(url) => timeout(fetch::TIME, discover(url, issuer))
                .await
                .unwrap_or_else(|_| Err(fetch::late())),
        }
    }
}

/// Reads keys from where an issuer's configuration says that they are.
async fn discover(url: &Url, issuer: &str) -> Result<Keys, String> {
    const PLACE: &str = ".well-known/openid-configuration";
    let place = format!("{}/{PLACE}", url.as_str().trim_end_matches('/'));
    let place = fetch::url("issuer", &place)?;
    let found = Fetch::new().get(&place).await?;
    let found: Configuration = serde_json::from_slice(&found)
        .map_err(|_| format!("has no configuration of OpenID at `/{PLACE}`; write `jwksURL`"))?;
    if found.issuer != issuer {
        return Err(format!(
            "names itself otherwise in its configuration; expected `{issuer}` there, letter by letter"
        ));
    }
    let keys = fetch::url("jwks_uri", &found.jwks_uri)?;
    if url.scheme() == "https" && keys.scheme() != "https" {
        return Err("has its keys at a URL without TLS".to_owned());
    }
    let fetch = match keys.host() == url.host() {
        true => Fetch::new(),
        false => Fetch::public(),
    };
    let named = |why| format!("has its keys at `{}`, which {why}", bare(&keys));
    let bytes = fetch.get(&keys).await.map_err(named)?;
    Keys::parse(&bytes).map_err(named)
}

/// A URL without its query, which may have a secret.
fn bare(url: &Url) -> &str {
    &url[..url::Position::AfterPath]
}
