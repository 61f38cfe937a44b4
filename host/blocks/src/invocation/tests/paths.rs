//! Paths by the ten thousand: what a policy judges is what the callee is given.

use super::{
    RULES,
    stage::{Stage, WAYS, name},
};
use crate::{Call, Kind, invocation::fuzzing::as_callees_do, time};
use std::time::Duration;

/// Pieces that paths are made of: what could be read in two ways, and what could not.
const PIECES: [&str; 40] = [
    "/", "/", "/", "/", "/a", "/b", "/A", "/private", "/PRIVATE", "a", "b", "c", "p", "%61", "%41",
    "%70", "%2f", "%2F", "%5c", "%2e", "%00", "%25", "%2", "%", "%zz", "%C3%A4", "ä", ".", "..",
    "//", "\\", "?", "#", ";", "=", "&", "+", " ", "*", "%2a",
];

/// Paths from a seed alone.
struct Paths(u64);

impl Paths {
    fn number(&mut self) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits")
    }

    fn next(&mut self) -> String {
        let pieces = self.number() % 7;
        let mut path = String::from(["/", "/a", "/b", ""][self.number() % 4]);
        for _ in 0..pieces {
            path.push_str(PIECES[self.number() % PIECES.len()]);
        }
        path
    }
}

/// The verdict of `RULES` about `caller`, by what the callee was given alone.
fn verdict(method: &str, path: &str) -> bool {
    let segments = as_callees_do(path);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["a", "private", ..] => false,
        ["a", ..] => method == "GET",
        ["b"] | ["b", _] => true,
        _ => false,
    }
}

/// Every path is either refused as ambiguous, whoever asks, or judged as the callee that is given it would judge it.
async fn differ(count: usize) -> [usize; 3] {
    let stage = Stage::new(RULES);
    let callers = ["caller", "stranger"].map(|app| stage.caller("default", app));
    let operator = Call::operator(
        name("default"),
        name("operator"),
        time::deadline(Duration::from_secs(3_600)),
    );
    let (mut paths, mut seen) = (Paths(7), [0; 3]);
    for number in 0..count {
        let path = paths.next();
        let method = ["GET", "POST"][number % 2];
        let way = WAYS[number / 2 % 4];
        // A request by HTTP has an address already, which says where its path ends.
        let plain = stage.ask(&operator, way, method, &path).await;
        let judged = stage.ask(&callers[0], way, method, &path).await;
        let denied = stage.ask(&callers[1], way, method, &path).await;
        match (plain, judged) {
            (Ok(given), Ok(same)) => {
                assert_eq!(given, same);
                assert!(verdict(method, &given.1), "{way:?} {method} {path:?}");
                seen[0] += 1;
            }
            (Ok((_, given)), Err(error)) => {
                assert_eq!(error.kind(), Kind::Denied, "{path:?}");
                assert!(!verdict(method, &given), "{way:?} {method} {path:?}");
                seen[1] += 1;
            }
            (Err(one), Err(other)) => {
                assert_eq!((one.kind(), other.kind()), (Kind::Invalid, Kind::Invalid));
                seen[2] += 1;
                assert_eq!(denied.expect_err("ambiguous").kind(), Kind::Invalid);
                continue;
            }
            (Err(error), Ok(_)) => panic!("{path:?}: {}", error.message()),
        }
        assert_eq!(denied.expect_err("a stranger").kind(), Kind::Denied);
    }
    seen
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "more paths than in every run of the tests"
)]
async fn what_the_policy_sees_is_what_the_callee_is_given() {
    let count = std::env::var("WYTHE_PATHS").ok();
    let count = count.and_then(|count| count.parse().ok()).unwrap_or(20_000);
    let seen = differ(count).await;
    assert!(seen.iter().all(|part| *part > count / 50), "{seen:?}");
}
