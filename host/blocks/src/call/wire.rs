//! A call as headers, for an app that runs elsewhere: `traceparent`, `tracestate`, `baggage`, and one header of the host's
//! own, which the front door removes from whatever comes from outside.

use super::{Call, Carried, MAX_CHAIN, Trace};
use crate::{Error, Result, actors::Inside};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_manifest::Name;

/// The header in which hosts speak to each other of a call.
pub const CALL: HeaderName = HeaderName::from_static("wythe-call");

/// The name of a turn of an actor, by which the host that has the turn finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnId {
    pub number: u64,
    pub frame: u32,
}

impl Call {
    /// Writes the call as it is at `now`: its tenant, its chain of apps with the turns among them, the time that is left,
    /// and its trace. Grants stay here: an app's host knows its own.
    pub fn to_headers(&self, now: Instant) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let hops = std::iter::successors(Some(self), |caller| caller.parent());
        let mut hops: Vec<_> = hops.map(Call::hop).collect();
        hops.reverse();
        let left = self.deadline().saturating_duration_since(now).as_nanos();
        let mut text = format!(
            "1;tenant={};left={left};hops={}",
            self.tenant(),
            hops.join(",")
        );
        if let Some(parent) = self.trace().parent {
            text += &format!(";parent={parent:016x}");
        }
        // Names are plain, and so is the rest.
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(CALL, value);
        }
        self.write_trace(&mut headers);
        self.write_baggage(&mut headers);
        headers
    }

    fn hop(&self) -> String {
        let app = self.app_id();
        match self.turn_id() {
            Some(turn) => format!("{app}:{:x}.{:x}", turn.number, turn.frame),
            None => app.to_string(),
        }
    }

    /// Reads a call that another host wrote. It is granted nothing: it is only the caller of an app here. `turn` finds the
    /// turns that are this host's.
    pub fn from_headers(
        headers: &HeaderMap,
        now: Instant,
        turn: impl Fn(TurnId) -> Option<Inside>,
    ) -> Result<Self> {
        let bad = || Error::invalid(format!("the header `{CALL}` of a call"));
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let mut parts = text(&CALL).ok_or_else(bad)?.split(';');
        if parts.next() != Some("1") {
            return Err(bad());
        }
        let mut next = |name: &str| {
            let part = parts.next().and_then(|part| part.strip_prefix(name));
            part.and_then(|part| part.strip_prefix('=')).ok_or_else(bad)
        };
        let tenant: Name = next("tenant")?.parse().map_err(|_| bad())?;
        let left: u64 = next("left")?.parse().map_err(|_| bad())?;
        let hops = next("hops")?;
        let parent = next("parent").ok();
        let parent = parent.map(|parent| u64::from_str_radix(parent, 16));
        let trace = Trace::of(headers).ok_or_else(bad)?;
        let trace = Trace {
            parent: parent.transpose().map_err(|_| bad())?,
            ..trace
        };
        let deadline = now
            .checked_add(Duration::from_nanos(left))
            .ok_or_else(bad)?;
        if hops.split(',').count() > MAX_CHAIN {
            return Err(bad());
        }
        let mut call: Option<Call> = None;
        for hop in hops.split(',') {
            let (app, id) = read_hop(hop).ok_or_else(bad)?;
            let nothing = Some(Arc::default());
            let hop = Self::build(tenant.clone(), app, nothing, trace, deadline, call);
            call = Some(match id {
                Some(id) => hop.at(id, turn(id)),
                None => hop,
            });
        }
        let call = call.ok_or_else(bad)?;
        Ok(call.carrying(Carried::take(&mut headers.clone())))
    }
}

fn read_hop(hop: &str) -> Option<(Name, Option<TurnId>)> {
    let Some((app, turn)) = hop.split_once(':') else {
        return Some((hop.parse().ok()?, None));
    };
    let (number, frame) = turn.split_once('.')?;
    let id = TurnId {
        number: u64::from_str_radix(number, 16).ok()?,
        frame: u32::from_str_radix(frame, 16).ok()?,
    };
    Some((app.parse().ok()?, Some(id)))
}
