//! Locks over a bucket: an entry for each, whose version is the token of its grant.

use crate::{
    bucket::{Bucket, Change, Detail, Row},
    client::Client,
    failure::odd,
    settings::Parsed,
};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use wythe_blocks::{
    Error, Key, Result, Site,
    lock::{Acquired, Driver, Features, Grant},
    time::{NEVER, milliseconds, time, timestamp},
};

pub(super) async fn open(
    client: Arc<Client>,
    parsed: Parsed,
    site: Site,
) -> Result<Arc<dyn Driver>> {
    let bucket = Bucket::open(client, &parsed.bucket, parsed.made, &site.component).await?;
    Ok(Arc::new(Lock { bucket }))
}

struct Lock {
    bucket: Bucket,
}

/// A grant as it is kept.
#[derive(Clone, Deserialize, Serialize)]
struct Record {
    owner: String,
    /// Milliseconds since 1970, by the clock of the host that wrote it.
    end: u64,
    /// The token; that of a grant which was never renewed is the version of its entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<u64>,
}

impl Record {
    /// The grant of a row, alive or over.
    fn of(row: &Row, key: &Key) -> Result<Option<Grant>> {
        let Some(value) = &row.value else {
            return Ok(None);
        };
        let record = serde_json::from_slice::<Record>(value).ok();
        let grant = record.and_then(|record| {
            Some(Grant {
                token: record.token.unwrap_or(row.revision),
                expires: time(record.end)?,
                owner: record.owner,
            })
        });
        let strange = || {
            Error::invalid(format!(
                "`{}` is an entry in the bucket that is no lock: somebody else wrote it; delete it there, or use another bucket",
                key.shown()
            ))
        };
        grant.map(Some).ok_or_else(strange)
    }

    /// The grant of a row, if its time is not over.
    fn alive(row: &Row, key: &Key) -> Result<Option<Grant>> {
        let grant = Self::of(row, key)?;
        Ok(grant.filter(|grant| grant.expires > SystemTime::now()))
    }

    fn bytes(&self) -> Result<Bytes> {
        let bytes = serde_json::to_vec(self).map_err(|_| odd())?;
        Ok(bytes.into())
    }
}

/// The end of a grant that begins now, in whole milliseconds as it is kept.
fn end(ttl: Duration) -> u64 {
    timestamp(SystemTime::now()).saturating_add(milliseconds(ttl.min(NEVER)).max(1))
}

fn at(end: u64) -> Result<SystemTime> {
    time(end).ok_or_else(odd)
}

fn about(key: &Key) -> String {
    format!("the lock `{}`", key.shown())
}

fn over(key: &Key) -> Error {
    Error::conflict(format!(
        "the grant of `{}` is over, or another one's",
        key.shown()
    ))
}

/// The grant of a token, while it is alive.
fn own(row: &Row, key: &Key, token: u64) -> Result<Grant> {
    let grant = Record::alive(row, key)?;
    let own = grant.filter(|grant| grant.token == token);
    own.ok_or_else(|| over(key))
}

#[async_trait]
impl Driver for Lock {
    fn features(&self) -> Features {
        Features {
            durable: self.bucket.is_durable(),
        }
    }

    async fn acquire(&self, key: &Key, owner: &str, ttl: Duration) -> Result<Acquired> {
        let decide = |row: &Row| {
            if let Some(held) = Record::alive(row, key)? {
                return Ok(Change::Nothing(Err(held.expires)));
            }
            let record = Record {
                owner: owner.to_owned(),
                end: end(ttl),
                token: None,
            };
            let expires = at(record.end)?;
            Ok(Change::Put(record.bytes()?, Detail::default(), Ok(expires)))
        };
        let about = about(key);
        let (revision, granted) = self
            .bucket
            .change(key.whole(), &about, false, decide)
            .await?;
        Ok(match granted {
            Ok(expires) => Acquired::Granted(Grant {
                token: revision,
                expires,
                owner: owner.to_owned(),
            }),
            Err(expires) => Acquired::Held {
                expires: Some(expires),
            },
        })
    }

    async fn renew(&self, key: &Key, token: u64, ttl: Duration) -> Result<SystemTime> {
        let decide = |row: &Row| {
            let record = Record {
                owner: own(row, key, token)?.owner,
                end: end(ttl),
                token: Some(token),
            };
            let expires = at(record.end)?;
            Ok(Change::Put(record.bytes()?, Detail::default(), expires))
        };
        let about = about(key);
        let (_, expires) = self
            .bucket
            .change(key.whole(), &about, false, decide)
            .await?;
        Ok(expires)
    }

    async fn release(&self, key: &Key, token: u64) -> Result<()> {
        let decide = |row: &Row| own(row, key, token).map(|_| Change::Delete(()));
        let about = about(key);
        self.bucket
            .change(key.whole(), &about, false, decide)
            .await?;
        Ok(())
    }

    async fn holder(&self, key: &Key) -> Result<Option<Grant>> {
        let row = self.bucket.get(key.whole(), &about(key)).await?;
        Record::alive(&row, key)
    }

    fn describe(&self) -> Option<String> {
        self.bucket.session.describe()
    }

    async fn health(&self) -> Result<()> {
        self.bucket.session.health().await
    }

    async fn close(&self) -> Result<()> {
        self.bucket.session.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: &str) -> Row {
        Row {
            revision: 7,
            value: Some(Bytes::from(value.to_owned())),
            ..Row::default()
        }
    }

    #[test]
    fn a_grant_is_its_entry() {
        let key = Key::from("a");
        let late = end(Duration::from_secs(60));
        let fresh = row(&format!("{{\"owner\":\"o\",\"end\":{late}}}"));
        assert_eq!(own(&fresh, &key, 7).unwrap().owner, "o");
        assert!(own(&fresh, &key, 6).is_err());
        let renewed = row(&format!("{{\"owner\":\"o\",\"end\":{late},\"token\":3}}"));
        assert!(own(&renewed, &key, 3).is_ok());
        let past = row("{\"owner\":\"o\",\"end\":1}");
        assert!(Record::alive(&past, &key).unwrap().is_none());
        assert!(Record::alive(&Row::default(), &key).unwrap().is_none());
        for strange in ["", "{}", "{\"owner\":1}"] {
            assert!(Record::of(&row(strange), &key).is_err(), "{strange}");
        }
    }
}
