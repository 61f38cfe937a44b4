//! Locks: a text with an end for each, where Dapr has it, and a token that grows with every grant.

use crate::{
    client::{Call, Client, Lua, Session},
    failure::{Effect, odd, parts, text},
};
use async_trait::async_trait;
use redis::Value;
use std::{
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime},
};
use wythe_blocks::{
    Error, Key, Result, Site,
    lock::{Acquired, Driver, Features, Grant},
    time::{NEVER, milliseconds},
};

/// The last token of the database: no lock of an app is called so.
const COUNTER: &str = "||wythe||token";
/// The time that a lock of somebody else which never ends is shown to have.
const DAY: Duration = Duration::from_secs(24 * 3_600);

static LOCK: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("lock/lock.lua")));

pub(super) async fn open(client: Arc<Client>, site: Site) -> Result<Arc<dyn Driver>> {
    let session = Session::open(client, &site.component).await?;
    Ok(Arc::new(Lock { session }))
}

struct Lock {
    session: Session,
}

impl Lock {
    async fn ask(
        &self,
        act: &'static str,
        key: &Key,
        who: String,
        ttl: Duration,
    ) -> Result<Vec<Value>> {
        let effect = match act {
            "holder" => Effect::Read,
            _ => Effect::Write,
        };
        let ttl = milliseconds(term(ttl));
        let call = Call {
            keys: vec![key.whole().to_owned().into(), COUNTER.into()],
            arguments: vec![act.into(), who.into(), ttl.to_string().into()],
        };
        let about = format!("the lock `{}`", key.shown());
        let answer = self
            .session
            .client()
            .await?
            .run(effect, &about, &LOCK, &call);
        parts(answer.await?)
    }
}

fn token(value: &Value) -> Result<u64> {
    text(value.clone())?.parse().map_err(|_| odd())
}

/// The time of a grant as the server is asked for it.
fn term(ttl: Duration) -> Duration {
    Duration::from_millis(milliseconds(ttl.min(NEVER)).max(1))
}

/// The end of a grant that has so many milliseconds left, by the clock of the host; none where it has no end.
fn end(left: &Value, now: SystemTime) -> Result<Option<SystemTime>> {
    let Value::Int(left) = left else {
        return Err(odd());
    };
    let left = u64::try_from(*left).ok().map(Duration::from_millis);
    Ok(left.and_then(|left| now.checked_add(left)))
}

fn over(key: &Key) -> Error {
    Error::conflict(format!(
        "the grant of `{}` is over, or another one's",
        key.shown()
    ))
}

#[async_trait]
impl Driver for Lock {
    fn features(&self) -> Features {
        Features {
            durable: self.session.facts.is_durable(),
        }
    }

    async fn acquire(&self, key: &Key, owner: &str, ttl: Duration) -> Result<Acquired> {
        let before = SystemTime::now();
        let parts = self.ask("acquire", key, owner.to_owned(), ttl).await?;
        match &parts[..] {
            [Value::Int(0), held] => Ok(Acquired::Held {
                expires: end(held, SystemTime::now())?,
            }),
            [Value::Int(1), granted] => Ok(Acquired::Granted(Grant {
                token: token(granted)?,
                expires: before + term(ttl),
                owner: owner.to_owned(),
            })),
            _ => Err(odd()),
        }
    }

    async fn renew(&self, key: &Key, token: u64, ttl: Duration) -> Result<SystemTime> {
        let before = SystemTime::now();
        let parts = self.ask("renew", key, token.to_string(), ttl).await?;
        match &parts[..] {
            [Value::Int(1), _] => Ok(before + term(ttl)),
            [Value::Int(-1)] => Err(over(key)),
            _ => Err(odd()),
        }
    }

    async fn release(&self, key: &Key, token: u64) -> Result<()> {
        let parts = self
            .ask("release", key, token.to_string(), Duration::ZERO)
            .await?;
        match &parts[..] {
            [Value::Int(1), ..] => Ok(()),
            [Value::Int(-1)] => Err(over(key)),
            _ => Err(odd()),
        }
    }

    async fn holder(&self, key: &Key) -> Result<Option<Grant>> {
        let parts = self
            .ask("holder", key, String::new(), Duration::ZERO)
            .await?;
        match &parts[..] {
            [Value::Int(-1)] => Ok(None),
            [Value::Int(1), granted, left, owner] => {
                let now = SystemTime::now();
                Ok(Some(Grant {
                    token: token(granted)?,
                    expires: end(left, now)?.unwrap_or(now + DAY),
                    owner: text(owner.clone())?,
                }))
            }
            _ => Err(odd()),
        }
    }

    fn describe(&self) -> Option<String> {
        self.session.describe()
    }

    async fn health(&self) -> Result<()> {
        self.session.health().await
    }

    async fn close(&self) -> Result<()> {
        self.session.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_ends_by_the_clock_of_the_host() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
        let end = |left| end(&Value::Int(left), now).unwrap();
        assert_eq!(end(250), Some(now + Duration::from_millis(250)));
        assert_eq!(end(-1), None, "it has no end");
        assert_eq!(
            end(i64::MAX),
            now.checked_add(Duration::from_millis(i64::MAX as u64))
        );
    }
}
