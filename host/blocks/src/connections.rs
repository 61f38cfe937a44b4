//! Connections at once: how many there may be, how many of one peer and of one tenant, and which one is closed when there
//! is no room.

mod accept;
mod permit;
#[cfg(test)]
mod tests;

pub use accept::Listener;
pub use permit::{Permit, Work};

use crate::{
    Rate, Result,
    quota::{Held, Ledger},
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use wythe_manifest::Metered;

/// Time from the accept to the end of the first request's headers.
pub const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// Time between two requests.
pub const IDLE: Duration = Duration::from_secs(60);
/// Lines of the log about connections that were refused, a minute.
const LINES: u32 = 6;

/// Connections at once, in all and of one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    pub all: usize,
    pub peer: usize,
}

impl Allowed {
    /// Half of them at most are one peer's, so that no single one shuts out the others.
    pub fn shared(all: usize) -> Self {
        let peer = (all / 2).max(1);
        Allowed { all, peer }
    }

    /// Bounds of a listener that knows no peers.
    pub fn unshared(all: usize) -> Self {
        Allowed { all, peer: all }
    }
}

/// The connections of one listener. A connection without a request under way is idle; the one that has been idle for
/// longest is closed to make room for another.
pub struct Connections {
    /// Their name in the log.
    name: &'static str,
    allowed: Allowed,
    table: Mutex<Table>,
    refused: Rate,
}

/// Owner of a connection. An IPv6 network of 64 bits is one peer: its addresses cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Peer(IpAddr);

#[derive(Default)]
struct Table {
    next: u64,
    open: HashMap<u64, Entry>,
    all: Share,
    peers: HashMap<Peer, Share>,
    /// Shares by the numbers of the tenants' ledgers.
    tenants: HashMap<u64, Share>,
}

/// Those among which the one that has been idle for longest is looked for.
#[derive(Clone, Copy)]
enum Among {
    All,
    Peer(Peer),
    Tenant(u64),
}

/// The tenant that a connection asked last.
struct Asked {
    ledger: u64,
    _held: Held,
}

/// The connections of one peer or one tenant, or of all: how many are open, and the idle ones by the time since which they are.
#[derive(Default)]
struct Share {
    open: usize,
    idle: BTreeMap<u64, u64>,
}

struct Entry {
    peer: Option<Peer>,
    /// Absent before its first request.
    asked: Option<Asked>,
    /// Its key among the idle ones, while it is idle.
    idle: Option<u64>,
    evicted: CancellationToken,
}

impl Connections {
    pub fn new(name: &'static str, allowed: Allowed) -> Arc<Self> {
        Arc::new(Connections {
            name,
            allowed,
            table: Mutex::default(),
            refused: Rate::per_minute(LINES),
        })
    }

    /// A permit for a connection, idle at first. Absent where all are in use, or all of this peer's.
    pub fn admit(self: &Arc<Self>, peer: Option<IpAddr>) -> Option<Permit> {
        let peer = peer.map(Peer::of);
        let mut table = self.table();
        let has = peer.and_then(|peer| table.peers.get(&peer));
        let is_full = has.is_some_and(|share| share.open >= self.allowed.peer);
        if is_full && !peer.is_some_and(|peer| table.evict(Among::Peer(peer))) {
            return None;
        }
        if table.all.open >= self.allowed.all && !table.evict(Among::All) {
            return None;
        }
        let (id, evicted) = table.insert(peer);
        Some(Permit::new(self.clone(), id, evicted))
    }

    /// Closes the connection that has been idle for longest; false where none is.
    pub fn make_room(&self) -> bool {
        self.table().evict(Among::All)
    }

    /// Connections now.
    pub fn open(&self) -> usize {
        self.table().all.open
    }

    fn set_idle(&self, id: u64, idle: bool) {
        self.table().set_idle(id, idle);
    }

    fn ask(&self, id: u64, ledger: &Arc<Ledger>) -> Result<()> {
        self.table().ask(id, ledger)
    }

    fn remove(&self, id: u64) {
        self.table().remove(id);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock()
    }
}

impl Entry {
    fn is_of(&self, ledger: u64) -> bool {
        let asked = self.asked.as_ref();
        asked.is_some_and(|asked| asked.ledger == ledger)
    }
}

impl Peer {
    fn of(address: IpAddr) -> Self {
        Peer(network(address))
    }
}

/// The owner of an address: an IPv4 address, or the IPv6 network that is one subscriber's.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            Ipv6Addr::from_bits(network).into()
        }
        address => address,
    }
}

impl Table {
    fn insert(&mut self, peer: Option<Peer>) -> (u64, CancellationToken) {
        self.next += 1;
        let (id, evicted) = (self.next, CancellationToken::new());
        let entry = Entry {
            peer,
            asked: None,
            idle: None,
            evicted: evicted.clone(),
        };
        self.open.insert(id, entry);
        self.all.open += 1;
        if let Some(peer) = peer {
            self.peers.entry(peer).or_default().open += 1;
        }
        self.set_idle(id, true);
        (id, evicted)
    }

    fn set_idle(&mut self, id: u64, idle: bool) {
        let Some(entry) = self.open.get_mut(&id) else {
            return;
        };
        let before = entry.idle.take();
        if idle {
            self.next += 1;
            entry.idle = Some(self.next);
        }
        let now = entry.idle;
        let of_peer = entry.peer.and_then(|peer| self.peers.get_mut(&peer));
        let asked = entry.asked.as_ref();
        let of_tenant = asked.and_then(|asked| self.tenants.get_mut(&asked.ledger));
        let shares = [Some(&mut self.all), of_peer, of_tenant];
        for share in shares.into_iter().flatten() {
            before.map(|number| share.idle.remove(&number));
            now.map(|number| share.idle.insert(number, id));
        }
    }

    /// Counts a connection with a request under way to the tenant of that request, and no more to that of the one before.
    fn ask(&mut self, id: u64, ledger: &Arc<Ledger>) -> Result<()> {
        let number = ledger.number();
        match self.open.get(&id) {
            Some(entry) if !entry.is_of(number) => {}
            // It is that tenant's already, or it has to go.
            _ => return Ok(()),
        }
        self.leave(id);
        if !ledger.has(Metered::Connections, 1) {
            self.evict(Among::Tenant(number));
        }
        let asked = Asked {
            ledger: number,
            _held: ledger.hold(Metered::Connections, 1)?,
        };
        if let Some(entry) = self.open.get_mut(&id) {
            entry.asked = Some(asked);
            self.tenants.entry(number).or_default().open += 1;
        }
        Ok(())
    }

    /// Counts a connection that is not idle to no tenant.
    fn leave(&mut self, id: u64) {
        let entry = self.open.get_mut(&id);
        let Some(asked) = entry.and_then(|entry| entry.asked.take()) else {
            return;
        };
        if let Some(share) = self.tenants.get_mut(&asked.ledger) {
            share.open -= 1;
            if share.open == 0 {
                self.tenants.remove(&asked.ledger);
            }
        }
    }

    /// Ends the oldest idle one.
    fn evict(&mut self, among: Among) -> bool {
        let share = match among {
            Among::Peer(peer) => self.peers.get(&peer),
            Among::Tenant(number) => self.tenants.get(&number),
            Among::All => Some(&self.all),
        };
        let oldest = share.and_then(|share| share.idle.first_key_value());
        let Some((_, id)) = oldest.map(|(number, id)| (*number, *id)) else {
            return false;
        };
        self.remove(id);
        true
    }

    fn remove(&mut self, id: u64) {
        self.set_idle(id, false);
        self.leave(id);
        let Some(entry) = self.open.remove(&id) else {
            return;
        };
        entry.evicted.cancel();
        self.all.open -= 1;
        let Some(peer) = entry.peer else {
            return;
        };
        if let Some(share) = self.peers.get_mut(&peer) {
            share.open -= 1;
            if share.open == 0 {
                self.peers.remove(&peer);
            }
        }
    }
}
