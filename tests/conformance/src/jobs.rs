//! The suite of the jobs block.

mod basics;
mod due;
mod list;
mod many;
mod restart;
mod settle;
mod steps;

use futures::{FutureExt as _, future::BoxFuture};
use wythe_blocks::jobs::{Driver, Features};

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

fn counted(features: &Features) -> Option<&'static str> {
    (!features.counted).then_some("the driver does not count its jobs")
}

pub const CASES: &[Case] = &[
    case("all_rows_of_all_apps_are_counted", counted, |s| {
        basics::counted(s).boxed()
    }),
    case("an_absent_job_has_no_row", nothing, |s| {
        basics::absent(s).boxed()
    }),
    case("a_row_comes_back_as_it_was_put", nothing, |s| {
        basics::round_trip(s).boxed()
    }),
    case("a_name_is_taken_once", nothing, |s| {
        basics::taken(s).boxed()
    }),
    case("an_overwritten_row_is_the_new_one", nothing, |s| {
        basics::overwritten(s).boxed()
    }),
    case("a_deleted_row_is_gone", nothing, |s| {
        basics::deleted(s).boxed()
    }),
    case("apps_do_not_see_each_other", nothing, |s| {
        basics::apps(s).boxed()
    }),
    case("one_of_many_puts_wins", nothing, |s| {
        basics::one_wins(s).boxed()
    }),
    case("list_has_the_prefix_in_order", nothing, |s| {
        list::order(s).boxed()
    }),
    case("list_has_pages", nothing, |s| list::pages(s).boxed()),
    case("list_goes_on_after_any_cursor", nothing, |s| {
        list::cursor(s).boxed()
    }),
    case("only_what_is_due_is_handed_out", nothing, |s| {
        due::only(s).boxed()
    }),
    case("the_earliest_comes_first", nothing, |s| {
        due::order(s).boxed()
    }),
    case("a_limit_is_kept", nothing, |s| due::limit(s).boxed()),
    case("a_row_is_handed_out_once", nothing, |s| {
        due::once(s).boxed()
    }),
    case("a_row_is_handed_out_to_one_of_many", nothing, |s| {
        due::to_one(s).boxed()
    }),
    case("a_written_row_is_handed_out_again", nothing, |s| {
        due::written(s).boxed()
    }),
    case("a_lease_ends", nothing, |s| due::lease(s).boxed()),
    case("a_row_without_a_wake_is_not_handed_out", nothing, |s| {
        due::asleep(s).boxed()
    }),
    case("what_is_next_is_known", nothing, |s| due::next(s).boxed()),
    case("what_is_overdue_is_counted", nothing, |s| {
        due::overdue(s).boxed()
    }),
    case("a_change_needs_the_version", nothing, |s| {
        settle::version(s).boxed()
    }),
    case("a_change_of_what_is_gone_conflicts", nothing, |s| {
        settle::gone(s).boxed()
    }),
    case("a_change_may_remove_the_row", nothing, |s| {
        settle::remove(s).boxed()
    }),
    case("changes_are_answered_by_position", nothing, |s| {
        settle::positional(s).boxed()
    }),
    case("a_change_sees_those_before_it", nothing, |s| {
        settle::in_order(s).boxed()
    }),
    case("no_changes_are_nothing", nothing, |s| {
        settle::empty(s).boxed()
    }),
    case("one_of_many_changes_wins", nothing, |s| {
        settle::one_wins(s).boxed()
    }),
    case("a_restart_keeps_everything", durable, |s| {
        restart::persists(s).boxed()
    }),
    case("a_restart_ends_leases", durable, |s| {
        restart::leases(s).boxed()
    }),
    case("a_closed_driver_is_unavailable", durable, |s| {
        restart::closed(s).boxed()
    }),
    case("one_of_100_000_is_found", durable, |s| {
        many::one_is_due(s).boxed()
    }),
];
