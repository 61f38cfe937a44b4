//! The process's file descriptors, shared out: connections in and out have their parts, the rest is the host's own.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Limit where the system sets none, or one beyond all use.
const MAX: u64 = 1 << 20;
/// Connections from outside at once, however many descriptors there are.
const MAX_IN: usize = 15_000;
/// Connections to the outside at once, however many descriptors there are.
const MAX_OUT: usize = 4_096;

/// The soft limit, raised to the hard one. The old one stays where the system does not allow that.
pub fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit
            .maximum
            .map_or(Some(MAX), |limit| Some(limit.min(MAX))),
        maximum: limit.maximum,
    };
    if limit.current < wanted.current {
        let _ = setrlimit(Resource::Nofile, wanted);
    }
    all()
}

/// Descriptors that the process may have open.
fn all() -> u64 {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(MAX, |limit| limit.min(MAX))
}

/// Connections from outside: half of the descriptors.
pub fn incoming() -> usize {
    part(all(), 2, MAX_IN)
}

/// Connections to the outside: a quarter of the descriptors.
pub fn outgoing() -> usize {
    part(all(), 4, MAX_OUT)
}

fn part(all: u64, of: u64, limit: usize) -> usize {
    usize::try_from(all / of).unwrap_or(limit).clamp(1, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_is_left_for_the_host() {
        for (all, into, out) in [
            (1_024, 512, 256),
            (256, 128, 64),
            (524_288, 15_000, 4_096),
            (1, 1, 1),
        ] {
            assert_eq!((part(all, 2, MAX_IN), part(all, 4, MAX_OUT)), (into, out));
        }
        assert!(incoming() + outgoing() <= usize::try_from(all()).expect("a small number"));
    }
}
