//! Bodies that are held in memory until an app has them: so many bytes in all, at one webhook, and of one peer.

use crate::body::LATE;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, hash::Hash, net::IpAddr, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};
use wythe_blocks::{Error, Result};

/// Bytes in all, at one webhook and of one peer; a webhook that takes larger bodies takes one of them.
const ALL: u64 = 128 << 20;
const ROUTE: u64 = 64 << 20;
const PEER: u64 = 32 << 20;
/// Time for a whole body.
const WHOLE: Duration = Duration::from_secs(30);
/// Bytes a second, in the mean, after [`LATE`].
const RATE: u64 = 1 << 10;

/// The bytes of all bodies.
#[derive(Clone, Default)]
pub struct Bodies(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    all: u64,
    routes: HashMap<String, u64>,
    peers: HashMap<IpAddr, u64>,
}

/// The bytes of one body; dropping it gives them back.
pub struct Share {
    bodies: Bodies,
    route: String,
    peer: IpAddr,
    bytes: u64,
}

impl Bodies {
    pub fn share(&self, route: &str, peer: IpAddr) -> Share {
        Share {
            bodies: self.clone(),
            route: route.to_owned(),
            peer,
            bytes: 0,
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock()
    }
}

impl Share {
    /// Reads a body whole; none where it has more than `limit` bytes. Only bytes that have come count.
    pub async fn read<B>(&mut self, mut body: B, limit: u64) -> Result<Option<Bytes>>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (begun, mut whole) = (Instant::now(), BytesMut::new());
        loop {
            let earned = Duration::from_secs(whole.len() as u64 / RATE);
            let until = begun + WHOLE.min(LATE + earned);
            let frame = timeout_at(until, body.frame()).await;
            let Some(frame) = frame.map_err(|_| Error::invalid("the body comes too slowly"))?
            else {
                return Ok(Some(whole.freeze()));
            };
            let frame = frame.map_err(|error| {
                Error::unavailable("the client's body ended early").with_source(error)
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if (whole.len() + data.len()) as u64 > limit {
                return Ok(None);
            }
            self.add(data.len() as u64, limit)?;
            whole.extend_from_slice(&data);
        }
    }

    fn add(&mut self, bytes: u64, limit: u64) -> Result<()> {
        let mut held = self.bodies.held();
        let of_route = held.routes.get(&self.route).copied().unwrap_or_default();
        let of_peer = held.peers.get(&self.peer).copied().unwrap_or_default();
        let fits = held.all + bytes <= ALL.max(limit)
            && of_route + bytes <= ROUTE.max(limit)
            && of_peer + bytes <= PEER.max(limit);
        if !fits {
            let busy = Error::exhausted("the bodies of webhooks fill their memory");
            return Err(busy.with_retry_after(Duration::from_secs(1)));
        }
        held.all += bytes;
        held.routes.insert(self.route.clone(), of_route + bytes);
        held.peers.insert(self.peer, of_peer + bytes);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.bodies.held();
        held.all -= self.bytes;
        give(&mut held.routes, &self.route, self.bytes);
        give(&mut held.peers, &self.peer, self.bytes);
    }
}

fn give<K: Hash + Eq>(held: &mut HashMap<K, u64>, key: &K, bytes: u64) {
    if let Some(has) = held.get_mut(key) {
        *has -= bytes;
        if *has == 0 {
            held.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};
    use std::convert::Infallible;
    use wythe_blocks::Kind;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
    const MIB: usize = 1 << 20;

    async fn reads(bodies: &Bodies, route: &str, peer: IpAddr, mib: usize) -> Option<Share> {
        let mut share = bodies.share(route, peer);
        let body = Full::new(Bytes::from(vec![0; mib * MIB]));
        match share.read(body, (16 * MIB) as u64).await {
            Ok(whole) => {
                assert!(whole.is_some_and(|whole| whole.len() == mib * MIB));
                Some(share)
            }
            Err(error) => {
                assert_eq!(error.kind(), Kind::Exhausted);
                None
            }
        }
    }

    #[tokio::test]
    async fn a_peer_and_a_route_have_their_shares() {
        let bodies = Bodies::default();
        let first = [
            reads(&bodies, "/a", ONE, 16).await,
            reads(&bodies, "/a", ONE, 16).await,
        ];
        assert!(first.iter().all(Option::is_some));
        assert!(reads(&bodies, "/b", ONE, 1).await.is_none(), "of a peer");
        let second = [
            reads(&bodies, "/a", TWO, 16).await,
            reads(&bodies, "/a", TWO, 15).await,
        ];
        assert!(second.iter().all(Option::is_some));
        let third: IpAddr = [192, 0, 2, 3].into();
        assert!(reads(&bodies, "/a", third, 2).await.is_none(), "of a route");
        assert!(reads(&bodies, "/b", third, 2).await.is_some());
        drop(first);
        assert!(reads(&bodies, "/a", ONE, 16).await.is_some());
        drop(second);
        assert!(bodies.held().peers.is_empty() && bodies.held().all == 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let drip = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let piece = Frame::data(Bytes::from_static(b"x"));
            Some((Ok::<_, Infallible>(piece), ()))
        });
        let never = futures::stream::pending::<Result<Frame<Bytes>, Infallible>>();
        let bodies = Bodies::default();
        let mut share = bodies.share("/a", ONE);
        let late = share.read(StreamBody::new(never), 100).await;
        assert_eq!(late.unwrap_err().message(), "the body comes too slowly");
        let late = share.read(StreamBody::new(Box::pin(drip)), 100).await;
        assert_eq!(late.unwrap_err().message(), "the body comes too slowly");
    }
}
