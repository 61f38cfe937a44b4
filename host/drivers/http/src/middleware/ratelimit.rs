//! A rate of requests for each client, by its address.

use async_trait::async_trait;
use http::{Request, Response};
use parking_lot::Mutex;
use serde::Deserialize;
use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};
use tokio::time::Instant;
use wythe_blocks::{
    Body, Error, Result, Site, Wrong,
    connections::network,
    middleware::{Driver, Next, Visit},
};

const RATE: f64 = 100.0;
const MIN_RATE: f64 = 0.001;
const MAX_RATE: f64 = 1e6;
/// Clients that are told apart at once.
const CLIENTS: usize = 65_536;
/// Time between two looks for clients that are at rest, each of which takes a millisecond or two.
const SWEEP: Duration = Duration::from_millis(250);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// Requests a second of one client; default 100.
    max_requests_per_second: Option<f64>,
}

pub(super) fn parse(config: Config) -> Result<RateLimit, Wrong> {
    let rate = config.max_requests_per_second.unwrap_or(RATE);
    if !(MIN_RATE..=MAX_RATE).contains(&rate) {
        let error = Error::invalid(format!(
            "`maxRequestsPerSecond: {rate}`; expected a number from {MIN_RATE} to {MAX_RATE}"
        ));
        return Err(Wrong::new("maxRequestsPerSecond", error));
    }
    Ok(RateLimit::new(rate))
}

pub(super) async fn open(limit: RateLimit, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(limit))
}

pub(super) struct RateLimit {
    /// Time that one request costs.
    cost: Duration,
    /// Time that a client may be ahead: a second, or one request where that costs more.
    burst: Duration,
    clients: Mutex<Clients>,
}

/// The moment at which each client is at rest again.
#[derive(Default)]
struct Clients {
    by_address: HashMap<IpAddr, Instant>,
    /// All those together for whom there was no room.
    others: Option<Instant>,
    swept: Option<Instant>,
}

impl RateLimit {
    fn new(rate: f64) -> Self {
        let cost = Duration::from_secs_f64(1.0 / rate);
        RateLimit {
            cost,
            burst: cost.max(Duration::from_secs(1)),
            clients: Mutex::default(),
        }
    }

    /// Counts a request. An error is the time after which the next one passes.
    fn pass(&self, client: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut clients = self.clients.lock();
        let rest = clients.rest(network(client), now);
        let from = (*rest).max(now);
        let next = from + self.cost;
        let early = next.saturating_duration_since(now + self.burst);
        if !early.is_zero() {
            return Err(early);
        }
        *rest = next;
        Ok(())
    }
}

impl Clients {
    /// The moment at which a client is at rest. Where there is no room for another one, those without room share one: a
    /// crowd that fills the table has neither memory nor a rate of its own for it.
    fn rest(&mut self, client: IpAddr, now: Instant) -> &mut Instant {
        let is_known = self.by_address.contains_key(&client);
        if !is_known && self.by_address.len() >= CLIENTS {
            let is_due = self.swept.is_none_or(|last| now >= last + SWEEP);
            if is_due {
                self.by_address.retain(|_, rest| *rest > now);
                self.swept = Some(now);
            }
        }
        match is_known || self.by_address.len() < CLIENTS {
            true => self.by_address.entry(client).or_insert(now),
            false => self.others.get_or_insert(now),
        }
    }
}

#[async_trait]
impl Driver for RateLimit {
    async fn handle(
        &self,
        visit: &Arc<Visit>,
        request: Request<Body>,
        next: Next,
    ) -> Result<Response<Body>> {
        match self.pass(visit.client, Instant::now()) {
            Ok(()) => Ok(next.run(request).await),
            Err(after) => Err(Error::exhausted(format!(
                "more requests of {} than `maxRequestsPerSecond`",
                visit.client
            ))
            .with_retry_after(after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(number))
    }

    #[test]
    fn each_client_has_its_rate() {
        let (limit, now) = (RateLimit::new(10.0), Instant::now());
        let passed = |client, at| (0..100).filter(|_| limit.pass(client, at).is_ok()).count();
        assert_eq!(passed(address(1), now), 10);
        assert_eq!(passed(address(2), now), 10);
        let later = now + Duration::from_millis(300);
        assert_eq!(passed(address(1), later), 3);
        let after = limit.pass(address(1), later).expect_err("too many");
        assert_eq!(after, Duration::from_millis(100));
    }

    #[test]
    fn a_rate_below_one_lets_one_pass() {
        let (limit, now) = (RateLimit::new(0.1), Instant::now());
        assert!(limit.pass(address(1), now).is_ok());
        let after = limit.pass(address(1), now).expect_err("too many");
        assert_eq!(after, Duration::from_secs(10));
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let (limit, now) = (RateLimit::new(1.0), Instant::now());
        let [one, same, other] = ["2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"]
            .map(|text| text.parse().expect("an address"));
        assert!(limit.pass(one, now).is_ok());
        assert!(limit.pass(same, now).is_err());
        assert!(limit.pass(other, now).is_ok());
        let mapped = "::ffff:9.9.9.9".parse().expect("an address");
        assert!(limit.pass(mapped, now).is_ok());
        assert!(limit.pass(address(0x0909_0909), now).is_err());
    }

    #[test]
    fn a_million_clients_have_a_bounded_table_and_one_rate_beyond_it() {
        let (limit, now) = (RateLimit::new(1.0), Instant::now());
        let passed = (0..1_000_000).filter(|number| limit.pass(address(*number), now).is_ok());
        assert_eq!(passed.count(), CLIENTS + 1);
        assert_eq!(limit.clients.lock().by_address.len(), CLIENTS);
        // One that was known has not been forgotten for them.
        assert!(limit.pass(address(0), now).is_err());
        // Once they are at rest, others have their places.
        let later = now + Duration::from_secs(2);
        assert!(limit.pass(address(2_000_000), later).is_ok());
        assert_eq!(limit.clients.lock().by_address.len(), 1);
    }

    #[test]
    fn a_rate_is_a_number_that_can_be_held() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            let config = Config {
                max_requests_per_second: Some(rate),
            };
            assert!(parse(config).is_err(), "{rate}");
        }
    }
}
