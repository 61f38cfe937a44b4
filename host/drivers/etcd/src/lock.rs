//! Locks: a row for each, and the revision of the write that granted it is the token.

use crate::{
    lease::Leases,
    space::{Change, Committed, Row, Space, TRIES, Write, apart, overtaken},
};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use wythe_blocks::{
    Error, Key, Result,
    lock::{Acquired, Driver, Features, Grant},
    time::{NEVER, milliseconds, time, timestamp},
};

pub(crate) fn open(space: Space) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Lock {
        space,
        leases: Leases::default(),
    }))
}

struct Lock {
    space: Space,
    leases: Leases,
}

/// A grant as it is kept.
#[derive(Deserialize, Serialize)]
struct Record {
    owner: String,
    /// Milliseconds since 1970, by the clock of the host that wrote it.
    end: u64,
    /// The token; that of a grant which was never renewed is the revision of its row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<u64>,
}

/// The next state of a lock, and the answer.
enum Decided<T> {
    Nothing(T),
    Release(T),
    Grant(Record, T),
}

/// The grant of a row, if its time is not over.
fn alive(row: &Row, key: &Key) -> Result<Option<Grant>> {
    let Some(value) = &row.value else {
        return Ok(None);
    };
    let record = serde_json::from_slice::<Record>(value).ok();
    let grant = record.and_then(|record| {
        Some(Grant {
            token: record.token.unwrap_or(row.revision.cast_unsigned()),
            expires: time(record.end)?,
            owner: record.owner,
        })
    });
    let strange = || {
        Error::invalid(format!(
            "`{}` is a row in the server that is no lock: somebody else wrote it; delete it there, or use another `keyPrefixPath`",
            key.shown()
        ))
    };
    let grant = grant.ok_or_else(strange)?;
    Ok(Some(grant).filter(|grant| grant.expires > SystemTime::now()))
}

/// The grant of a token, while it is alive.
fn own(row: &Row, key: &Key, token: u64) -> Result<Grant> {
    let own = alive(row, key)?.filter(|grant| grant.token == token);
    own.ok_or_else(|| {
        Error::conflict(format!(
            "the grant of `{}` is over, or another one's",
            key.shown()
        ))
    })
}

fn about(key: &Key) -> String {
    format!("the lock `{}`", key.shown())
}

/// The time of a grant in whole milliseconds, one at least.
fn term(ttl: Duration) -> Duration {
    Duration::from_millis(milliseconds(ttl.min(NEVER)).max(1))
}

fn end(ttl: Duration) -> u64 {
    timestamp(SystemTime::now()).saturating_add(milliseconds(ttl))
}

fn at(end: u64) -> Result<SystemTime> {
    time(end).ok_or_else(|| Error::invalid("the time of the grant is too long"))
}

impl Lock {
    /// Does what is decided for the row as it is, until nobody has overtaken it; returns the revision, too.
    async fn change<T>(
        &self,
        key: &Key,
        mut row: Row,
        ttl: Duration,
        decide: impl Fn(&Row) -> Result<Decided<T>>,
    ) -> Result<(u64, T)> {
        let about = about(key);
        for turn in 0..TRIES {
            let (change, answer) = match decide(&row)? {
                Decided::Nothing(answer) => return Ok((row.revision.cast_unsigned(), answer)),
                Decided::Release(answer) => (Change::Delete, answer),
                Decided::Grant(record, answer) => {
                    let lease = self.leases.of(&self.space, ttl, &about).await?;
                    let value = serde_json::to_vec(&record);
                    let value = value.map_err(|_| Error::internal("a grant of no text"))?;
                    (Change::Put(Bytes::from(value), lease), answer)
                }
            };
            let write = Write {
                key: key.whole(),
                revision: Some(row.revision),
                change,
            };
            match self.space.commit(&[write], &about).await? {
                Committed::Done(revision) => return Ok((revision.cast_unsigned(), answer)),
                Committed::Leaseless => self.leases.forget(),
                Committed::Overtaken(newer) => {
                    row = newer.unwrap_or_default();
                    if turn > 1 {
                        apart(turn).await;
                    }
                }
            }
        }
        Err(overtaken(&about))
    }

    async fn row(&self, key: &Key) -> Result<Row> {
        self.space.row(key.whole(), &about(key)).await
    }
}

#[async_trait]
impl Driver for Lock {
    fn features(&self) -> Features {
        Features { durable: true }
    }

    async fn acquire(&self, key: &Key, owner: &str, ttl: Duration) -> Result<Acquired> {
        let ttl = term(ttl);
        let decide = |row: &Row| {
            if let Some(held) = alive(row, key)? {
                return Ok(Decided::Nothing(Err(held.expires)));
            }
            let record = Record {
                owner: owner.to_owned(),
                end: end(ttl),
                token: None,
            };
            let expires = at(record.end)?;
            Ok(Decided::Grant(record, Ok(expires)))
        };
        // A refused transaction is a write of the server, too; whoever waits for a lock only reads.
        let row = self.row(key).await?;
        let (token, granted) = self.change(key, row, ttl, decide).await?;
        Ok(match granted {
            Ok(expires) => Acquired::Granted(Grant {
                token,
                expires,
                owner: owner.to_owned(),
            }),
            Err(expires) => Acquired::Held {
                expires: Some(expires),
            },
        })
    }

    async fn renew(&self, key: &Key, token: u64, ttl: Duration) -> Result<SystemTime> {
        let ttl = term(ttl);
        let decide = |row: &Row| {
            let record = Record {
                owner: own(row, key, token)?.owner,
                end: end(ttl),
                token: Some(token),
            };
            let expires = at(record.end)?;
            Ok(Decided::Grant(record, expires))
        };
        let row = self.row(key).await?;
        let (_, expires) = self.change(key, row, ttl, decide).await?;
        Ok(expires)
    }

    async fn release(&self, key: &Key, token: u64) -> Result<()> {
        let decide = |row: &Row| own(row, key, token).map(|_| Decided::Release(()));
        let row = self.row(key).await?;
        self.change(key, row, Duration::ZERO, decide).await?;
        Ok(())
    }

    async fn holder(&self, key: &Key) -> Result<Option<Grant>> {
        alive(&self.row(key).await?, key)
    }

    fn describe(&self) -> Option<String> {
        self.space.describe()
    }

    async fn health(&self) -> Result<()> {
        self.space.health().await
    }

    async fn close(&self) -> Result<()> {
        self.space.session.close();
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
        }
    }

    #[test]
    fn a_grant_is_its_row() {
        let key = Key::from("a");
        let late = end(Duration::from_secs(60));
        let fresh = row(&format!("{{\"owner\":\"o\",\"end\":{late}}}"));
        assert_eq!(own(&fresh, &key, 7).unwrap().owner, "o");
        assert!(own(&fresh, &key, 6).is_err());
        let renewed = row(&format!("{{\"owner\":\"o\",\"end\":{late},\"token\":3}}"));
        assert!(own(&renewed, &key, 3).is_ok());
        let past = row("{\"owner\":\"o\",\"end\":1}");
        assert!(alive(&past, &key).unwrap().is_none());
        assert!(alive(&Row::default(), &key).unwrap().is_none());
        for strange in ["", "{}", "{\"owner\":1}"] {
            assert!(alive(&row(strange), &key).is_err(), "{strange}");
        }
    }
}
