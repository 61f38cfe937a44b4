//! The server as it says it is: its name and version, whether it is a replica, and what it does before it answers.

use crate::{
    failure::{self, Effect, odd},
    settings::Target,
};
use redis::{Value, aio::MultiplexedConnection};
use wythe_blocks::{Error, Result};

/// The first version that has all of the commands that the drivers need.
const OLDEST: (u64, u64) = (6, 2);
/// Characters of a name or a version.
const WORD: usize = 32;

/// A server as it was found when a connection began.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    name: String,
    version: String,
    durability: Durability,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Durability {
    /// Each write is on disk before its answer.
    Always,
    /// It is not; with the settings that say so.
    Not(String),
    /// The server does not say, as a user may not ask, or a provider forbids it.
    #[default]
    Unknown,
}

impl Facts {
    pub async fn of(connection: &mut MultiplexedConnection) -> Result<Self> {
        let failed = |error| failure::of_call(error, Effect::Read, "`INFO`");
        let info = redis::cmd("INFO").query_async(connection).await;
        let info: String = info.map_err(failed)?;
        let mut ask = redis::cmd("CONFIG");
        ask.arg("GET").arg("append*");
        let settings = match ask.query_async::<Value>(connection).await {
            Ok(value) => Some(pairs(value)?),
            // A user may not ask, or a provider forbids it.
            Err(error) if error.code().is_some() => None,
            Err(error) => return Err(failed(error)),
        };
        Self::read(&info, settings.as_deref())
    }

    /// `settings` is none where the server does not say them.
    fn read(info: &str, settings: Option<&[(String, String)]>) -> Result<Self> {
        let field = |name: &str| {
            let mut lines = info.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.map(word)
        };
        let own = field("valkey_version");
        let (name, version) = match own {
            Some(version) => ("Valkey", version),
            None => ("Redis", field("redis_version").ok_or_else(odd)?),
        };
        check_version(&field("redis_version").ok_or_else(odd)?)?;
        if field("redis_mode").as_deref() == Some("cluster") {
            return Err(Error::unsupported(
                "the server is a node of a cluster, which this build does not speak to: name a server that is none",
            ));
        }
        if field("role").as_deref() == Some("slave") {
            return Err(Error::unavailable(
                "the server is a replica, which takes no writes: name the one that is written to, or set `failover` and `sentinelMasterName`",
            ));
        }
        Ok(Facts {
            name: name.to_owned(),
            version,
            durability: settings.map_or(Durability::Unknown, Durability::read),
        })
    }

    /// Returns whether what was answered is on disk.
    pub fn is_durable(&self) -> bool {
        self.durability == Durability::Always
    }

    /// Says in the log that a crash of the server may take back what was acknowledged.
    pub fn warn(&self, component: &str) {
        if !self.is_durable() {
            tracing::warn!(
                component,
                "the server may lose what it acknowledged when it crashes: set `appendonly yes` and `appendfsync always` there, if that matters"
            );
        }
    }

    /// One line for operators.
    pub fn describe(&self, target: &Target) -> String {
        let (name, version) = match self.name.is_empty() {
            true => ("Redis", "of an unknown version"),
            false => (self.name.as_str(), self.version.as_str()),
        };
        let durability = match &self.durability {
            Durability::Always => "durable (appendfsync always)".to_owned(),
            Durability::Not(why) => format!("not durable ({why})"),
            Durability::Unknown => "not known to be durable (CONFIG GET has no answer)".to_owned(),
        };
        let (address, database) = (target.address(), target.database);
        format!("{name} {version} at {address}, database {database}, {durability}")
    }
}

impl Durability {
    fn read(settings: &[(String, String)]) -> Self {
        let value = |name: &str| {
            let found = settings.iter().find(|(known, _)| known == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        match (value("appendonly"), value("appendfsync")) {
            ("yes", "always") => Durability::Always,
            ("yes", policy) => Durability::Not(format!("appendfsync {}", word(policy))),
            (file, _) => Durability::Not(format!("appendonly {}", word(file))),
        }
    }
}

/// A word of the server, short and of plain characters.
fn word(text: &str) -> String {
    let plain = text.chars().filter(|c| c.is_ascii_graphic());
    plain.take(WORD).collect()
}

fn check_version(version: &str) -> Result<()> {
    let mut numbers = version.split('.').map(|part| part.parse::<u64>().ok());
    let found = (numbers.next().flatten(), numbers.next().flatten());
    let (Some(major), Some(minor)) = found else {
        return Err(odd());
    };
    match (major, minor) >= OLDEST {
        true => Ok(()),
        false => Err(Error::unsupported(format!(
            "the server is of version {version}; expected {}.{} or later",
            OLDEST.0, OLDEST.1
        ))),
    }
}

fn pairs(value: Value) -> Result<Vec<(String, String)>> {
    redis::from_redis_value(value).map_err(|_| odd())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(info: &str, settings: Option<[&str; 2]>) -> Result<Facts> {
        let settings = settings.map(|[file, policy]| {
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            [pair("appendonly", file), pair("appendfsync", policy)]
        });
        Facts::read(info, settings.as_ref().map(|settings| &settings[..]))
    }

    #[test]
    fn only_a_server_that_syncs_each_write_is_durable() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\n";
        let facts = |settings| read(info, settings).unwrap();
        assert!(facts(Some(["yes", "always"])).is_durable());
        let others = [Some(["yes", "everysec"]), Some(["no", "always"]), None];
        assert!(
            !others
                .into_iter()
                .any(|settings| facts(settings).is_durable())
        );
        let valkey = read(&format!("{info}valkey_version:8.1.0\r\n"), None).unwrap();
        assert_eq!(
            (valkey.name.as_str(), valkey.version.as_str()),
            ("Valkey", "8.1.0")
        );
    }

    #[test]
    fn a_server_that_does_not_fit_says_why() {
        let cases = [
            (
                "redis_version:6.0.16",
                "version 6.0.16; expected 6.2 or later",
            ),
            ("redis_version:7.0.15\nrole:slave", "is a replica"),
            (
                "redis_version:7.0.15\nredis_mode:cluster",
                "node of a cluster",
            ),
            ("role:master", "is it Redis?"),
            ("redis_version:seven", "is it Redis?"),
        ];
        for (info, expected) in cases {
            let error = read(info, None).unwrap_err();
            assert!(error.message().contains(expected), "{info}: {error}");
        }
    }
}
