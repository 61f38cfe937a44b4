//! The beats of this host in a store that others may use, and the takeover of what one of them left when it died.

use super::{Engine, Heads};
use crate::workflow::{
    core::peers::{BEAT, Beat, HostId, Peers},
    store::{keys, rows},
};
use crate::{
    Error, Kind, Rate, Result, key_file, random,
    state::{Condition, Delete},
};
use parking_lot::Mutex;
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// The file in the tenant's data by which a host knows itself after a start. No component has a name that begins with a dot.
const FILE: &str = ".host.key";

/// Tries of one beat.
const BEATS: usize = 3;
/// The interval of takeovers for which nobody is seen to go: rows that were written late.
const AGAIN: Duration = Duration::from_secs(300);
/// The interval of looks whether nothing is under way any more.
const LEAVING: Duration = Duration::from_millis(50);

/// The hosts of one store.
pub(super) struct Hosts {
    home: PathBuf,
    process: u64,
    known: Mutex<Known>,
    /// One has gone.
    gone: Notify,
    /// Lines of the log about work whose app is not here.
    pub absent: Rate,
}

#[derive(Default)]
struct Known {
    /// This host; absent where nobody else can use the store.
    own: Option<HostId>,
    /// The version of its record.
    version: Option<String>,
    count: u64,
    peers: Peers,
}

impl Hosts {
    pub fn new(home: PathBuf) -> Self {
        Hosts {
            home,
            process: random::next(),
            known: Mutex::default(),
            gone: Notify::new(),
            absent: Rate::per_minute(1),
        }
    }

    /// This host, where others may use its store.
    pub fn own(&self) -> Option<HostId> {
        self.known.lock().own
    }

    /// The name of this host, by a file that is made at its first start.
    async fn name(&self) -> HostId {
        let file = self.home.join(FILE);
        let loaded = tokio::task::spawn_blocking(move || key_file::load(&file)).await;
        let key = loaded.map_err(std::io::Error::other).flatten();
        match key {
            Ok([a, b, c, d, e, f, g, h, ..]) => {
                HostId(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
            Err(error) => {
                tracing::warn!(
                    "this host has no name that outlives it, so that what it leaves at its end waits some seconds longer: {error}"
                );
                HostId(random::next())
            }
        }
    }
}

impl Engine {
    /// Makes this host known to the others, where the store is one that they can use.
    pub(super) async fn enter_hosts(&self) -> Result<()> {
        if !self.internal_store.is_shared() {
            *self.hosts.known.lock() = Known::default();
            return Ok(());
        }
        if self.hosts.own().is_none() {
            let name = self.hosts.name().await;
            self.hosts.known.lock().own = Some(name);
        }
        self.beat().await?;
        if self.look_at_hosts().await? {
            self.hosts.gone.notify_one();
        }
        Ok(())
    }

    /// Beats, and takes over from hosts that do not any more, until this one stops.
    pub(super) async fn watch_hosts(self: Arc<Self>) {
        tokio::join!(self.clone().take_over_always(), self.beat_always());
    }

    /// Beats and looks, whatever else takes its time. The component of the store may be another one by the next time.
    async fn beat_always(&self) {
        let failures = Rate::per_minute(1);
        // Not all tenants at once.
        let mut pause = BEAT.mul_f64(random::next() as f64 / u64::MAX as f64);
        while self.pause(pause).await {
            pause = BEAT;
            let beaten = tokio::time::timeout(BEAT, self.enter_hosts()).await;
            let late = |_| Err(Error::timeout("the store did not answer within 5 s"));
            if let Err(error) = beaten.unwrap_or_else(late)
                && let Some(suppressed) = failures.allows()
            {
                tracing::warn!(tenant = %self.tenant, suppressed, "other hosts are not seen: {}", error.chain());
            }
        }
        self.leave_hosts().await;
    }

    /// Takes the record away once nothing is under way here: the others take over at once what waits.
    async fn leave_hosts(&self) {
        let Some(own) = self.hosts.own() else {
            return;
        };
        while !self.working.lock().is_empty() {
            tokio::time::sleep(LEAVING).await;
        }
        let version = self.hosts.known.lock().version.clone();
        if let Some(version) = version {
            let (key, condition) = (keys::host(own).into(), Condition::Matches(version));
            // One that stays is taken for dead after its time.
            let _ = self
                .internal_store
                .delete(&self.caller(), Delete { key, condition })
                .await;
        }
    }

    /// Takes over when one has gone, and now and then for what came too late to be seen then.
    async fn take_over_always(self: Arc<Self>) {
        let failures = Rate::per_minute(1);
        loop {
            tokio::select! {
                () = self.hosts.gone.notified() => {}
                () = tokio::time::sleep(AGAIN) => {}
                () = async { self.stopping().cancelled().await } => return,
            }
            while self.hosts.own().is_some()
                && let Err(error) = self.take_over().await
            {
                if let Some(suppressed) = failures.allows() {
                    tracing::warn!(tenant = %self.tenant, suppressed, "what another host left waits: {}", error.chain());
                }
                if !self.pause(BEAT).await {
                    return;
                }
            }
        }
    }

    async fn beat(&self) -> Result<()> {
        for _ in 0..BEATS {
            let (own, version, beat) = {
                let mut known = self.hosts.known.lock();
                known.count += 1;
                let (process, count) = (self.hosts.process, known.count);
                (known.own, known.version.clone(), Beat { process, count })
            };
            let Some(own) = own else {
                return Ok(());
            };
            let condition = match version {
                Some(version) => Condition::Matches(version),
                // That of the process before this one, which is dead.
                None => self
                    .record(own)
                    .await?
                    .map_or(Condition::Absent, |found| Condition::Matches(found.1)),
            };
            let value = serde_json::to_vec(&beat).unwrap_or_default();
            let put = rows::put_if(keys::host(own), value.into(), condition);
            let caller = self.caller();
            match self.internal_store.transact(&caller, vec![put]).await {
                Ok(mut versions) => {
                    self.hosts.known.lock().version = versions.pop().flatten();
                    return Ok(());
                }
                Err(error) if error.kind() == Kind::Conflict => self.find_itself(own).await?,
                Err(error) => return Err(error),
            }
        }
        Err(Error::conflict(
            "the record of this host is changed by others all the time",
        ))
    }

    /// Looks why the record is not the one that this host wrote: its answer was lost, somebody took over from this host, or
    /// another process has the same name.
    async fn find_itself(&self, own: HostId) -> Result<()> {
        let found = self.record(own).await?;
        let mut known = self.hosts.known.lock();
        known.version = None;
        match found {
            Some((beat, version))
                if beat.is_some_and(|beat| beat.process == self.hosts.process) =>
            {
                known.version = Some(version);
            }
            Some(_) if known.count > 1 => {
                tracing::warn!(
                    tenant = %self.tenant,
                    "another host on the same store has a copy of this one's data directory; give each host a directory of its own, or remove {} from one",
                    self.hosts.home.join(FILE).display()
                );
                known.own = Some(HostId(random::next()));
            }
            _ => {}
        }
        Ok(())
    }

    async fn record(&self, id: HostId) -> Result<Option<(Option<Beat>, String)>> {
        let stored = self
            .internal_store
            .get(&self.caller(), &keys::host(id))
            .await?;
        Ok(stored.map(|stored| (serde_json::from_slice(&stored.value).ok(), stored.etag)))
    }

    /// Returns whether a host is gone, or is silent for too long.
    async fn look_at_hosts(&self) -> Result<bool> {
        let (mut scan, mut records) = (self.scan(keys::hosts()), Vec::new());
        let own = self.hosts.own();
        while let Some(rows) = scan.next().await? {
            let found = rows.into_iter().filter_map(|(key, row)| {
                let id = keys::parse_host(&key)?;
                (Some(id) != own).then_some((id, row.etag))
            });
            records.extend(found);
        }
        let mut known = self.hosts.known.lock();
        Ok(known.peers.look(records, Instant::now()))
    }

    /// Returns whether a host lives. One that was not seen yet may have just come.
    pub(super) async fn lives(&self, host: HostId) -> Result<bool> {
        let seen = self.hosts.known.lock().peers.lives(host, Instant::now());
        match seen {
            Some(lives) => Ok(lives),
            None => Ok(self.record(host).await?.is_some()),
        }
    }

    /// Takes up what is nobody's now, and forgets those who had it.
    async fn take_over(self: &Arc<Self>) -> Result<()> {
        let dead: Vec<_> = {
            let known = self.hosts.known.lock();
            let dead = known.peers.dead(Instant::now());
            dead.map(|(id, version)| (id, version.to_owned())).collect()
        };
        for (id, _) in &dead {
            tracing::info!(tenant = %self.tenant, host = %id, "another host is silent: its workflows go on here");
        }
        self.recover_rows().await?;
        *self.expected.lock() = Heads::unknown();
        self.earlier.notify_one();
        for (id, version) in dead {
            let (key, condition) = (keys::host(id).into(), Condition::Matches(version));
            // One that beats again keeps its record.
            self.internal_store
                .delete(&self.caller(), Delete { key, condition })
                .await?;
        }
        Ok(())
    }
}
