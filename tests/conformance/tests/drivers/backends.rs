//! The servers under test: one of each kind for the whole run, in which each test has a key space of its own.

use crate::list::Subject;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use servers::{MariaDb, Missing, Postgres, Redis, Server, are_required};
use std::sync::{
    LazyLock,
    atomic::{AtomicU16, Ordering::SeqCst},
};

/// A kind of server.
pub(crate) struct Backend {
    server: LazyLock<Result<Server, Missing>>,
    /// The placeholders of a subject's metadata, for a key space that is new.
    fresh: fn(&Server) -> Vec<(&'static str, Value)>,
}

pub(crate) static REDIS: Backend = Backend {
    server: LazyLock::new(|| Server::start(Redis::default().with("databases 8192"))),
    fresh: |server| {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let database = NEXT.fetch_add(1, SeqCst);
        vec![
            ("host", server.address().to_string().into()),
            ("database", database.to_string().into()),
        ]
    },
};

pub(crate) static POSTGRES: Backend = Backend {
    server: LazyLock::new(|| Server::start(Postgres)),
    fresh: |server| {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, SeqCst);
        // The name keeps tests apart that would share connections, each in a runtime of its own.
        let connection = format!(
            "host=127.0.0.1 port={} user=postgres application_name=test{number}",
            server.address().port()
        );
        vec![
            ("connection", connection.into()),
            ("prefix", format!("test{number}_").into()),
        ]
    },
};

pub(crate) static MARIADB: Backend = Backend {
    server: LazyLock::new(|| Server::start(MariaDb)),
    fresh: |server| {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, SeqCst);
        let port = server.address().port();
        // The time keeps tests apart that would share connections, each in a runtime of its own.
        let time = format!("readTimeout={}ms", 20_000 + u32::from(number));
        let named = |schema| format!("wythe:secret@tcp(127.0.0.1:{port})/{schema}?{time}");
        vec![
            ("connection", named("").into()),
            ("url", named("mysql").into()),
            ("schema", format!("test{number}").into()),
        ]
    },
};

const ALL: [&Backend; 3] = [&MARIADB, &POSTGRES, &REDIS];

impl Backend {
    pub(crate) fn server(&self) -> Result<&Server, Missing> {
        self.server.as_ref().map_err(Clone::clone)
    }

    pub(crate) fn fresh(&self) -> Vec<(&'static str, Value)> {
        let server = self.server();
        server.map_or_else(|_| Vec::new(), |server| (self.fresh)(server))
    }
}

impl Subject {
    /// A test in place of all those of a server that is missing, which is ignored.
    pub(crate) fn missing(&self) -> Option<Trial> {
        let missing = self.backend?.server().err()?;
        let name = format!("{}::{} ({missing})", self.parts().0, self.name());
        let trial = Trial::test(name, move || Err(Failed::from(missing)));
        Some(trial.with_ignored_flag(true))
    }
}

/// Fails without a server where all of them must be there, whatever the filter of the run.
pub(crate) fn check() -> Result<(), Missing> {
    let required = ALL.into_iter().filter(|_| are_required());
    let missing = required.map(Backend::server).find_map(Result::err);
    missing.map_or(Ok(()), |Missing(why)| {
        end();
        Err(Missing(format!("{why}, and WYTHE_SERVERS=required")))
    })
}

/// Ends every server that was started.
pub(crate) fn end() {
    for backend in ALL {
        if let Some(Ok(server)) = LazyLock::get(&backend.server) {
            server.end();
        }
    }
}
