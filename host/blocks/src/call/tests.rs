//! A call that travels comes back as it was, and whatever else comes is refused.

use super::fuzzing::shown;
use super::*;
use crate::{log_lines::LogLines, random, time::Clock as _};
use http::HeaderMap;

/// A generator that is good enough for choices, and says the same for the same seed.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }

    fn name(&mut self) -> Name {
        let letters = (0..=self.below(20)).map(|_| char::from(b'a' + self.below(26) as u8));
        letters.collect::<String>().parse().expect("a name")
    }

    fn trace(&mut self) -> Trace {
        let trace = Trace::start();
        Trace {
            sampled: self.below(2) == 0,
            ..trace
        }
    }
}

/// A call of one to sixteen apps, some of which are turns.
fn random(choices: &mut Choices, now: Instant) -> Call {
    let left = Duration::from_nanos(choices.below(u64::from(u32::MAX)) * 40);
    let (tenant, trace) = (choices.name(), choices.trace());
    let mut call = Call::app(
        tenant,
        choices.name(),
        Arc::default(),
        trace,
        now.after(left),
    );
    for _ in 0..choices.below(16) {
        call = call
            .enter(choices.name(), Arc::default(), Duration::from_secs(3_600))
            .expect("short enough");
        if choices.below(3) == 0 {
            let (number, frame) = (random::next(), choices.below(9) as u32);
            call = call.at(TurnId { number, frame }, None);
        }
    }
    let carried = Carried {
        tracestate: ["", "vendor=1", "a=1,b=2"][choices.below(3) as usize].to_owned(),
        baggage: ["", "user=7;p=1"][choices.below(2) as usize].to_owned(),
    };
    call.carrying(carried)
}

#[test]
fn a_call_comes_back_as_it_was() {
    let now = Instant::now();
    let mut choices = Choices(7);
    for round in 0..2_000 {
        let call = random(&mut choices, now);
        // The clock of the host that reads is another one.
        let there = now.after(Duration::from_secs(round));
        let headers = call.to_headers(now);
        let read = Call::from_headers(&headers, there, |_| None).expect("it can be read");
        assert_eq!(shown(&read, there), shown(&call, now), "round {round}");
        assert_eq!(read.to_headers(there), headers, "round {round}");
    }
}

#[test]
fn a_call_from_elsewhere_is_granted_nothing() {
    let call = random(&mut Choices(1), Instant::now());
    let headers = call.to_headers(Instant::now());
    let read = Call::from_headers(&headers, Instant::now(), |_| None).expect("it can be read");
    let reported = read.require_grant(
        |grants| grants.invoke("cart"),
        "to invoke `cart`",
        "invoke",
        "cart",
    );
    assert!(reported.is_err());
}

#[test]
fn what_is_no_call_is_refused() {
    let now = Instant::now();
    let good = random(&mut Choices(3), now).to_headers(now);
    let text = good[CALL].to_str().expect("a text").to_owned();
    let long = format!("1;tenant=t;left=1;hops={}", vec!["a"; 17].join(","));
    let wrong = [
        "",
        "1",
        "2;tenant=t;left=1;hops=a",
        "1;tenant=T/;left=1;hops=a",
        "1;tenant=t;left=-1;hops=a",
        "1;tenant=t;left=99999999999999999999;hops=a",
        "1;tenant=t;left=1;hops=",
        "1;tenant=t;left=1;hops=a:1",
        "1;tenant=t;left=1;hops=a:x.1",
        "1;left=1;tenant=t;hops=a",
        "1;tenant=t;left=1;hops=a;parent=x",
        &long,
    ];
    for text in wrong {
        let mut headers = good.clone();
        headers.insert(CALL, text.parse().expect("a header"));
        let reported = Call::from_headers(&headers, now, |_| None).err();
        let reported = reported.unwrap_or_else(|| panic!("`{text}` was taken"));
        assert_eq!(reported.message(), "the header `wythe-call` of a call");
    }
    let mut headers = HeaderMap::new();
    headers.insert(CALL, text.parse().expect("a header"));
    assert!(
        Call::from_headers(&headers, now, |_| None).is_err(),
        "it has no trace"
    );
}

#[test]
fn each_hop_has_a_span_of_its_own() {
    let now = Instant::now();
    let first = Call::app(
        "t".parse().expect("a name"),
        "a".parse().expect("a name"),
        Arc::default(),
        Trace::start().child(),
        now.after(Duration::from_secs(9)),
    );
    let limit = Duration::from_secs(1);
    let second = first.enter("b".parse().expect("a name"), Arc::default(), limit);
    let second = second.expect("short enough");
    assert_eq!(second.trace().trace, first.trace().trace);
    assert_eq!(second.trace().parent, Some(first.trace().span));
    assert_ne!(second.trace().span, first.trace().span);
}

#[test]
fn a_span_goes_into_a_record_whole() {
    for trace in [Trace::start(), Trace::start().child()] {
        let text = serde_json::to_string(&trace).expect("a text");
        let read: Trace = serde_json::from_str(&text).expect("it can be read");
        assert_eq!(read, trace, "{text}");
    }
    for wrong in [
        "\"\"",
        "\"00-1-2-3\"",
        "\"00-00000000000000000000000000000001-0000000000000002-01<x\"",
    ] {
        assert!(serde_json::from_str::<Trace>(wrong).is_err(), "{wrong}");
        let mut reader = serde_json::Deserializer::from_str(wrong);
        assert_eq!(trace_or_none(&mut reader).expect("a value"), None);
    }
}

#[test]
fn additions_are_bounded_and_need_a_trace() {
    let call = random(&mut Choices(5), Instant::now()).carrying(Carried::default());
    let mut headers = HeaderMap::new();
    headers.append("tracestate", "a=1".parse().expect("a header"));
    headers.append("tracestate", "b=2".parse().expect("a header"));
    headers.insert("baggage", "x".repeat(8_193).parse().expect("a header"));
    let mut without = headers.clone();
    assert!(Carried::take(&mut without).is_empty());
    assert!(without.is_empty(), "{without:?}");
    call.write_trace(&mut headers);
    headers.append("tracestate", "c=3".parse().expect("a header"));
    let carried = Carried::take(&mut headers);
    assert_eq!(
        (carried.tracestate.as_str(), carried.baggage.as_str()),
        ("c=3", "")
    );
    // An app's own word on the trace is not believed, and its baggage is its own.
    let call = call.carrying(Carried {
        baggage: "user=1".into(),
        ..carried
    });
    headers.insert("tracestate", "own=1".parse().expect("a header"));
    headers.insert("baggage", "own=1".parse().expect("a header"));
    call.write_trace(&mut headers);
    call.write_baggage(&mut headers);
    assert_eq!(headers["tracestate"], "c=3");
    assert_eq!(headers["baggage"], "own=1");
}

#[test]
fn a_denied_call_is_one_line_with_the_grant_to_add() {
    let lines = LogLines::start();
    let (tenant, app) = (
        "shop".parse().expect("a name"),
        "cart".parse().expect("a name"),
    );
    let trace = Trace::start();
    let call = Call::app(tenant, app, Arc::default(), trace, Instant::now());
    let granted = call.require_grant(|_| true, "to publish", "publish", "orders");
    assert!(granted.is_ok() && lines.with("").is_empty());
    let refused = call.require_grant(|_| false, "to publish to `orders`", "publish", "orders");
    let refused = refused.expect_err("it is not granted");
    let found = lines.with("");
    let [line] = found.as_slice() else {
        panic!("one line in {found:?}");
    };
    let said = "denied: app `cart` is not granted to publish to `orders`; add it to `grants: { publish: [orders] }` at ";
    assert!(
        line.contains(said) && line.contains(refused.message()),
        "{line}"
    );
    let trace = format!("trace={trace}");
    for part in ["WARN", "tenant=shop", "app=cart", trace.as_str()] {
        assert!(line.contains(part), "{part} in {line}");
    }
}
