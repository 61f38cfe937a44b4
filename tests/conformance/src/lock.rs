//! The suite of the lock block.

mod basics;
mod exclusion;
mod expiry;
mod model;
mod owner;
mod restart;
mod steps;

use futures::{FutureExt as _, future::BoxFuture};
use wythe_blocks::lock::{Driver, Features};

pub type Subject = crate::Subject<dyn Driver>;

pub struct Case {
    pub name: &'static str,
    /// The reason why a driver with these features cannot run it.
    pub needs: fn(&Features) -> Option<&'static str>,
    /// Panics if the driver does not do as it must.
    pub run: fn(Subject) -> BoxFuture<'static, ()>,
}

const fn case(
    name: &'static str,
    needs: fn(&Features) -> Option<&'static str>,
    run: fn(Subject) -> BoxFuture<'static, ()>,
) -> Case {
    Case { name, needs, run }
}

fn nothing(_: &Features) -> Option<&'static str> {
    None
}

fn durable(features: &Features) -> Option<&'static str> {
    (!features.durable).then_some("the driver is not durable")
}

pub const CASES: &[Case] = &[
    case("a_free_lock_is_granted", nothing, |s| {
        basics::granted(s).boxed()
    }),
    case("a_held_lock_is_not_granted", nothing, |s| {
        basics::held(s).boxed()
    }),
    case("a_free_lock_has_no_holder", nothing, |s| {
        basics::nobody(s).boxed()
    }),
    case("a_released_lock_is_free", nothing, |s| {
        basics::released(s).boxed()
    }),
    case("keys_are_kept_exactly", nothing, |s| {
        basics::exact_keys(s).boxed()
    }),
    case("a_grant_may_last_a_day", nothing, |s| {
        basics::a_day(s).boxed()
    }),
    case("many_locks_are_held_at_once", nothing, |s| {
        basics::many(s).boxed()
    }),
    case("tokens_grow_with_each_grant", nothing, |s| {
        owner::tokens(s).boxed()
    }),
    case("messages_name_the_key_without_its_keyspace", nothing, |s| {
        owner::shown(s).boxed()
    }),
    case("a_stale_token_releases_nothing", nothing, |s| {
        owner::stale_release(s).boxed()
    }),
    case("a_stale_token_renews_nothing", nothing, |s| {
        owner::stale_renewal(s).boxed()
    }),
    case("a_token_is_of_one_key", nothing, |s| {
        owner::other_key(s).boxed()
    }),
    case("a_grant_ends_at_its_time", nothing, |s| {
        expiry::ends(s).boxed()
    }),
    case("a_grant_that_is_over_is_no_grant", nothing, |s| {
        expiry::over(s).boxed()
    }),
    case("a_renewal_makes_it_longer", nothing, |s| {
        expiry::longer(s).boxed()
    }),
    case("a_renewal_makes_it_shorter", nothing, |s| {
        expiry::shorter(s).boxed()
    }),
    case("many_grants_end_at_once", nothing, |s| {
        expiry::many(s).boxed()
    }),
    case("one_of_many_is_granted", nothing, |s| {
        exclusion::one_of_many(s).boxed()
    }),
    case("a_counter_under_a_lock_loses_nothing", nothing, |s| {
        exclusion::counter(s).boxed()
    }),
    case("a_holder_that_sleeps_is_fenced_off", nothing, |s| {
        exclusion::sleeper(s).boxed()
    }),
    case("a_restart_keeps_grants", durable, |s| {
        restart::grants(s).boxed()
    }),
    case("a_restart_keeps_tokens", durable, |s| {
        restart::tokens(s).boxed()
    }),
    case("a_grant_ends_while_the_driver_is_closed", durable, |s| {
        restart::ended(s).boxed()
    }),
    case("a_closed_driver_is_unavailable", durable, |s| {
        restart::closed(s).boxed()
    }),
    case("random_operations_do_as_a_map_does", nothing, |s| {
        model::check(s).boxed()
    }),
];
