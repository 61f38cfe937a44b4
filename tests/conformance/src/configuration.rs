//! The suite of the configuration block. A driver under test that cannot be written to holds the items of [`HELD`] and
//! no others; any other begins with none.

mod changes;
mod reading;
mod restart;
mod steps;
mod writing;

use futures::{FutureExt as _, future::BoxFuture};
use wythe_blocks::configuration::{Driver, Features};

pub type Subject = crate::Subject<dyn Driver>;

/// Key and value of each item, in order.
pub const HELD: [(&str, &str); 7] = [
    ("FLAG", "another"),
    ("colour", "p/\u{e9}\u{1f600}"),
    ("empty", ""),
    ("flag", "on"),
    ("flag.x", "of a longer key"),
    ("lines", "one\ntwo\n"),
    ("quoted", "\"quo\\ted\" and {braces}: [x]"),
];

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

fn writable(features: &Features) -> Option<&'static str> {
    (!features.writable).then_some("the driver does not write")
}

fn read_only(features: &Features) -> Option<&'static str> {
    features.writable.then_some("the driver writes")
}

fn durable(features: &Features) -> Option<&'static str> {
    (!features.durable).then_some("the driver is not durable")
}

pub const CASES: &[Case] = &[
    case("items_have_their_values", nothing, |s| {
        reading::values(s).boxed()
    }),
    case("no_keys_are_all_items_in_order", nothing, |s| {
        reading::all(s).boxed()
    }),
    case("asked_items_come_in_order_and_once", nothing, |s| {
        reading::asked(s).boxed()
    }),
    case("absent_items_are_left_out", nothing, |s| {
        reading::absent(s).boxed()
    }),
    case("keys_are_exact", nothing, |s| reading::exact(s).boxed()),
    case("what_does_not_change_keeps_its_version", nothing, |s| {
        reading::stable(s).boxed()
    }),
    case("many_may_ask_at_once", nothing, |s| {
        reading::concurrent(s).boxed()
    }),
    case("a_wait_for_an_old_version_is_over", nothing, |s| {
        changes::old(s).boxed()
    }),
    case("without_a_change_a_wait_goes_on", nothing, |s| {
        changes::still(s).boxed()
    }),
    case("a_store_that_does_not_write_says_so", read_only, |s| {
        reading::refused(s).boxed()
    }),
    case("a_change_ends_a_wait", writable, |s| {
        changes::ends(s).boxed()
    }),
    case("a_dropped_wait_loses_nothing", writable, |s| {
        changes::dropped(s).boxed()
    }),
    case("every_change_has_another_version", writable, |s| {
        changes::versions(s).boxed()
    }),
    case("a_change_leaves_other_items_alone", writable, |s| {
        changes::others(s).boxed()
    }),
    case("a_new_store_is_empty", writable, |s| {
        writing::empty(s).boxed()
    }),
    case("metadata_is_kept", writable, |s| {
        writing::metadata(s).boxed()
    }),
    case("a_deleted_item_is_gone", writable, |s| {
        writing::deleted(s).boxed()
    }),
    case("what_is_absent_can_be_deleted", writable, |s| {
        writing::absent(s).boxed()
    }),
    case("keys_and_values_may_be_large", writable, |s| {
        writing::large(s).boxed()
    }),
    case("two_thousand_items_are_in_order", writable, |s| {
        writing::many(s).boxed()
    }),
    case("a_reader_never_sees_half_a_change", writable, |s| {
        writing::whole(s).boxed()
    }),
    case("writers_do_not_lose_each_others_items", writable, |s| {
        writing::concurrent(s).boxed()
    }),
    case("a_restart_keeps_everything", durable, |s| {
        restart::persists(s).boxed()
    }),
    case("no_version_comes_back_after_a_restart", durable, |s| {
        restart::versions(s).boxed()
    }),
    case("a_closed_driver_is_unavailable", durable, |s| {
        restart::closed(s).boxed()
    }),
];
