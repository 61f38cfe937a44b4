//! The suite of the crypto block. A driver under test holds some of the keys in [`KEYS`]; a case says which it needs.

mod sign;
mod wrap;

use futures::{FutureExt as _, future::BoxFuture};
use wythe_blocks::crypto::Driver;

pub type Subject = crate::Subject<dyn Driver>;

/// Every key of the suite, in order. Those that end with `-public` are the public halves of others.
pub const KEYS: [&str; 11] = [
    "aes128",
    "aes192",
    "aes256",
    "ed25519",
    "ed25519-public",
    "p256",
    "p256-public",
    "p384",
    "p521",
    "rsa",
    "rsa-public",
];

pub struct Case {
    pub name: &'static str,
    /// The keys that a driver must hold to run it.
    pub keys: &'static [&'static str],
    /// Panics if the driver does not do as it must.
    pub run: fn(Subject) -> BoxFuture<'static, ()>,
}

impl Case {
    /// Why a driver that holds these keys cannot run it.
    pub fn needs(&self, held: &[String]) -> Option<&'static str> {
        let lacks = |key: &&&str| !held.iter().any(|held| held == **key);
        let missing = self.keys.iter().find(lacks);
        missing.map(|_| "the driver lacks a key of the case")
    }
}

const fn case(
    name: &'static str,
    keys: &'static [&'static str],
    run: fn(Subject) -> BoxFuture<'static, ()>,
) -> Case {
    Case { name, keys, run }
}

pub const CASES: &[Case] = &[
    case("names_are_in_order", &[], |s| wrap::names(s).boxed()),
    case("an_absent_key_is_not_found", &[], |s| {
        wrap::absent(s).boxed()
    }),
    case("a_key_says_what_it_is_good_for", &[], |s| {
        wrap::described(s).boxed()
    }),
    case("a_key_of_256_bits_wraps_and_unwraps", &["aes256"], |s| {
        wrap::symmetric(s, "aes256").boxed()
    }),
    case("a_key_of_192_bits_wraps_and_unwraps", &["aes192"], |s| {
        wrap::symmetric(s, "aes192").boxed()
    }),
    case("a_key_of_128_bits_wraps_and_unwraps", &["aes128"], |s| {
        wrap::symmetric(s, "aes128").boxed()
    }),
    case("an_rsa_key_wraps_and_unwraps", &["rsa"], |s| {
        wrap::rsa(s).boxed()
    }),
    case(
        "a_public_rsa_key_wraps_for_the_private_one",
        &["rsa", "rsa-public"],
        |s| wrap::public(s).boxed(),
    ),
    case(
        "a_wrapped_key_that_was_changed_is_refused",
        &["aes256"],
        |s| wrap::tampered(s).boxed(),
    ),
    case(
        "a_key_unwraps_nothing_of_another",
        &["aes256", "rsa"],
        |s| wrap::others(s).boxed(),
    ),
    case(
        "an_algorithm_that_does_not_fit_is_invalid",
        &["aes256"],
        |s| wrap::misfit(s).boxed(),
    ),
    case("an_ed25519_key_signs_messages", &["ed25519"], |s| {
        sign::key(s, "ed25519").boxed()
    }),
    case("a_p256_key_signs_digests", &["p256"], |s| {
        sign::key(s, "p256").boxed()
    }),
    case("a_p384_key_signs_digests", &["p384"], |s| {
        sign::key(s, "p384").boxed()
    }),
    case("a_p521_key_signs_digests", &["p521"], |s| {
        sign::key(s, "p521").boxed()
    }),
    case("an_rsa_key_signs_digests", &["rsa"], |s| {
        sign::key(s, "rsa").boxed()
    }),
    case(
        "a_public_key_verifies_what_the_private_one_signed",
        &["ed25519", "ed25519-public"],
        |s| sign::public(s, "ed25519").boxed(),
    ),
    case(
        "a_public_p256_key_verifies",
        &["p256", "p256-public"],
        |s| sign::public(s, "p256").boxed(),
    ),
    case("a_public_rsa_key_verifies", &["rsa", "rsa-public"], |s| {
        sign::public(s, "rsa").boxed()
    }),
    case("a_symmetric_key_signs_nothing", &["aes256"], |s| {
        sign::misfit(s).boxed()
    }),
    case("a_public_half_shows_nothing_private", &["ed25519"], |s| {
        sign::shows_nothing(s).boxed()
    }),
];
