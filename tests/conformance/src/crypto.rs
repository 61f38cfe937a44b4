//! The suite of the crypto block. A driver under test holds keys of [`STORED`], as many as it can, and no others.

mod keys;
mod names;
mod signatures;
mod wraps;

use crate::{Opener, runtime, trial};
use futures::{FutureExt as _, future::BoxFuture};
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use wythe_blocks::{
    Kind,
    crypto::{Driver, KeyInfo},
};

pub use keys::{STORED, Sort, Stored};

pub type Subject = crate::Subject<dyn Driver>;

/// Those keys of the suite that the driver holds, with what it says of them.
pub type Known = BTreeMap<&'static str, KeyInfo>;

/// A case that is to be shown of one key.
struct Case {
    name: &'static str,
    /// The keys that it is about.
    of: fn(&Stored) -> bool,
    /// The reason why a key of which the driver says this cannot show it.
    needs: fn(&KeyInfo) -> Option<&'static str>,
    run: fn(Subject, &'static Stored) -> BoxFuture<'static, ()>,
}

/// A case that is to be shown of a driver, whatever keys it holds.
struct Whole {
    name: &'static str,
    run: fn(Subject, Known) -> BoxFuture<'static, ()>,
}

/// A trial for each case and each key that it is about. One of a key that the driver lacks, or that cannot do it by what
/// the driver says, is ignored, with the reason.
pub fn trials(prefix: &str, open: Opener<dyn Driver>) -> Vec<Trial> {
    let known = known(&open);
    let mut trials = Vec::new();
    for case in CASES {
        for stored in STORED.iter().filter(|stored| (case.of)(stored)) {
            let reason = match known.get(stored.name) {
                None => Some("the driver holds no such key"),
                Some(info) => (case.needs)(info),
            };
            let (name, run) = (
                format!("{prefix}::{}::{}", case.name, stored.name),
                case.run,
            );
            trials.push(trial(name, reason, open.clone(), move |subject| {
                run(subject, stored)
            }));
        }
    }
    for Whole { name, run } in WHOLES {
        let (name, known) = (format!("{prefix}::{name}"), known.clone());
        trials.push(trial(name, None, open.clone(), move |subject| {
            run(subject, known)
        }));
    }
    trials
}

fn known(open: &Opener<dyn Driver>) -> Known {
    let directory = tempfile::tempdir().expect("a directory");
    let runtime = runtime().expect("a runtime");
    runtime.block_on(async {
        let driver = Subject::start(open(directory.path())).await.driver();
        let mut known = Known::new();
        for stored in &STORED {
            match driver.describe(stored.name).await {
                Ok(info) => drop(known.insert(stored.name, info)),
                Err(error) if error.kind() == Kind::NotFound => {}
                Err(error) => panic!("`{}` is described: {}", stored.name, error.chain()),
            }
        }
        assert!(!known.is_empty(), "the driver holds a key of the suite");
        known
    })
}

fn nothing(_: &KeyInfo) -> Option<&'static str> {
    None
}

fn to_wrap(info: &KeyInfo) -> Option<&'static str> {
    info.wrap
        .is_empty()
        .then_some("the driver wraps nothing with this key")
}

fn to_sign(info: &KeyInfo) -> Option<&'static str> {
    info.sign
        .is_empty()
        .then_some("the driver signs nothing with this key")
}

const CASES: &[Case] = &[
    Case {
        name: "a_key_is_what_it_is",
        of: |_| true,
        needs: nothing,
        run: |s, k| names::described(s, k).boxed(),
    },
    Case {
        name: "the_public_half_has_nothing_private",
        of: |stored| stored.sort != Sort::Symmetric,
        needs: nothing,
        run: |s, k| names::public(s, k).boxed(),
    },
    Case {
        name: "other_algorithms_are_refused",
        of: |_| true,
        needs: nothing,
        run: |s, k| names::misfits(s, k).boxed(),
    },
    Case {
        name: "wrapped_keys_come_back",
        of: |stored| stored.wraps() && !stored.is_public(),
        needs: to_wrap,
        run: |s, k| wraps::come_back(s, k).boxed(),
    },
    Case {
        name: "what_is_no_wrapped_key_fails_with_one_message",
        of: |stored| stored.wraps() && !stored.is_public(),
        needs: to_wrap,
        run: |s, k| wraps::tampered(s, k).boxed(),
    },
    Case {
        name: "sizes_that_cannot_be_wrapped_are_refused",
        of: Stored::wraps,
        needs: to_wrap,
        run: |s, k| wraps::sizes(s, k).boxed(),
    },
    Case {
        name: "a_public_key_wraps_for_its_private_key",
        of: |stored| stored.wraps() && stored.is_public(),
        needs: to_wrap,
        run: |s, k| wraps::by_public(s, k).boxed(),
    },
    Case {
        name: "what_is_signed_verifies",
        of: |stored| stored.signs() && !stored.is_public(),
        needs: to_sign,
        run: |s, k| signatures::verify(s, k).boxed(),
    },
    Case {
        name: "a_tampered_signature_is_false",
        of: |stored| stored.signs() && !stored.is_public(),
        needs: to_sign,
        run: |s, k| signatures::tampered(s, k).boxed(),
    },
    Case {
        name: "a_public_key_verifies_for_its_private_key",
        of: |stored| stored.signs() && stored.is_public(),
        needs: to_sign,
        run: |s, k| signatures::by_public(s, k).boxed(),
    },
];

const WHOLES: &[Whole] = &[
    Whole {
        name: "an_unknown_key_is_not_found",
        run: |s, _| names::unknown(s).boxed(),
    },
    Whole {
        name: "names_are_exact",
        run: |s, k| names::exact(s, k).boxed(),
    },
    Whole {
        name: "names_are_told_in_order",
        run: |s, k| names::in_order(s, k).boxed(),
    },
    Whole {
        name: "many_may_work_at_once",
        run: |s, k| names::concurrent(s, k).boxed(),
    },
    Whole {
        name: "a_restart_finds_the_same",
        run: |s, k| names::restart(s, k).boxed(),
    },
];
