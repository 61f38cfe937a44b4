//! The suite of the bindings block: over drivers that keep what they are given, and over those that deliver it.
//!
//! A driver that keeps records has the operations `create`, `delete`, `get` and `list`. The first entry of the metadata
//! that answers `create` is the record's name, and under the same key the other operations take it.

mod ear;
mod heard;
mod records;
mod steps;

pub use ear::{Ear, Reading};
pub use steps::ask;

use futures::{FutureExt as _, future::BoxFuture};
use wythe_blocks::bindings::{Driver, Features};

pub type Subject = crate::Subject<dyn Driver>;

pub struct Case {
    pub name: &'static str,
    /// The reason why a driver with these features cannot run it.
    pub needs: fn(&Features) -> Option<&'static str>,
    /// True if what it was given must outlive it, of which the features say nothing.
    pub needs_durable: bool,
    /// Panics if the driver does not do as it must.
    pub run: fn(Subject) -> BoxFuture<'static, ()>,
}

impl Case {
    /// The reason why this driver cannot run it, if it cannot.
    pub fn reason(&self, features: &Features, durable: bool) -> Option<&'static str> {
        let fleeting = (self.needs_durable && !durable).then_some("the driver is not durable");
        (self.needs)(features).or(fleeting)
    }
}

const fn case(
    name: &'static str,
    needs: fn(&Features) -> Option<&'static str>,
    run: fn(Subject) -> BoxFuture<'static, ()>,
) -> Case {
    Case {
        name,
        needs,
        needs_durable: false,
        run,
    }
}

const fn durable(
    name: &'static str,
    needs: fn(&Features) -> Option<&'static str>,
    run: fn(Subject) -> BoxFuture<'static, ()>,
) -> Case {
    Case {
        needs_durable: true,
        ..case(name, needs, run)
    }
}

fn nothing(_: &Features) -> Option<&'static str> {
    None
}

fn stores(features: &Features) -> Option<&'static str> {
    let has = |name: &str| features.operations.iter().any(|known| known == name);
    let all = ["create", "delete", "get", "list"].into_iter().all(has);
    (!all).then_some("the driver keeps no records")
}

/// A store of objects, which signs URLs, deletes what is not there without a word.
fn finds(features: &Features) -> Option<&'static str> {
    let signs = features.operations.iter().any(|known| known == "presign");
    stores(features).or(signs.then_some("the driver does not tell what was there"))
}

fn delivers(features: &Features) -> Option<&'static str> {
    let input = (!features.input).then_some("the driver delivers nothing");
    stores(features).or(input)
}

fn redelivers(features: &Features) -> Option<&'static str> {
    let again = (!features.redelivers).then_some("the driver delivers nothing again");
    delivers(features).or(again)
}

pub const CASES: &[Case] = &[
    case("operations_are_in_order", nothing, |s| {
        records::operations(s).boxed()
    }),
    case("what_is_created_is_got", stores, |s| {
        records::round_trip(s).boxed()
    }),
    case("a_record_may_have_a_name_of_its_own", stores, |s| {
        records::named(s).boxed()
    }),
    case("names_of_metadata_have_any_case", stores, |s| {
        records::any_case(s).boxed()
    }),
    case("what_is_created_again_is_replaced", stores, |s| {
        records::replaced(s).boxed()
    }),
    case("what_is_deleted_is_gone", stores, |s| {
        records::deleted(s).boxed()
    }),
    case("what_is_absent_is_not_found", stores, |s| {
        records::absent(s).boxed()
    }),
    case("what_is_absent_is_not_deleted", finds, |s| {
        records::deleted_twice(s).boxed()
    }),
    case("a_name_is_needed", stores, |s| records::nameless(s).boxed()),
    case("all_names_are_listed_in_order", stores, |s| {
        records::listed(s).boxed()
    }),
    case("a_record_may_have_4_mib", stores, |s| {
        records::big(s).boxed()
    }),
    case("many_may_create_at_once", stores, |s| {
        records::concurrent(s).boxed()
    }),
    case("one_name_has_one_whole_record", stores, |s| {
        records::whole(s).boxed()
    }),
    durable("what_is_created_survives_a_restart", stores, |s| {
        records::restart(s).boxed()
    }),
    case("what_is_created_is_delivered", delivers, |s| {
        heard::delivered(s).boxed()
    }),
    case("what_is_acknowledged_does_not_come_again", delivers, |s| {
        heard::once(s).boxed()
    }),
    case("what_is_refused_comes_again", redelivers, |s| {
        heard::refused(s).boxed()
    }),
    case("a_refusal_holds_up_no_other", redelivers, |s| {
        heard::others(s).boxed()
    }),
    case("many_are_all_delivered", delivers, |s| {
        heard::many(s).boxed()
    }),
    case(
        "what_is_under_way_finishes_when_reading_ends",
        delivers,
        |s| heard::under_way(s).boxed(),
    ),
    case("the_next_reader_goes_on", redelivers, |s| {
        heard::next_reader(s).boxed()
    }),
    case("what_is_deleted_is_not_delivered", redelivers, |s| {
        heard::deleted(s).boxed()
    }),
];
