//! The suite of the actors block, over whatever keeps its records.

mod formats;
pub mod history;
mod neighbours;
mod outbox;
mod owners;
mod puppet;
mod reentrancy;
mod reminders;
mod rig;
mod store;
mod timers;
mod turns;
mod words;

pub use puppet::{Puppet, Step};
pub use rig::Rig;

use futures::{FutureExt as _, future::BoxFuture};
use wythe_blocks::state::{Driver, Features};

pub type Subject = crate::Subject<dyn Driver>;

pub struct Case {
    pub name: &'static str,
    /// The reason why a driver with these features cannot run it.
    pub needs: fn(&Features) -> Option<&'static str>,
    /// Panics if the block does not do as it must.
    pub run: fn(Subject) -> BoxFuture<'static, ()>,
}

const fn case(name: &'static str, run: fn(Subject) -> BoxFuture<'static, ()>) -> Case {
    Case {
        name,
        needs: stores,
        run,
    }
}

fn stores(features: &Features) -> Option<&'static str> {
    let all = features.transactions && features.list && features.linearizable;
    (!all).then_some("the driver cannot keep actors")
}

fn ttl(features: &Features) -> Option<&'static str> {
    (!features.ttl).then_some("the driver has no ttl")
}

fn durable(features: &Features) -> Option<&'static str> {
    (!features.durable).then_some("the driver is not durable")
}

pub const CASES: &[Case] = &[
    case("a_turn_is_kept_and_answered", |s| {
        turns::persisted(s).boxed()
    }),
    case("a_failed_turn_leaves_nothing", |s| turns::failed(s).boxed()),
    case("a_turn_that_panics_leaves_nothing", |s| {
        turns::panicked(s).boxed()
    }),
    case("a_turn_sees_what_it_staged", |s| turns::sees(s).boxed()),
    Case {
        needs: ttl,
        ..case("a_value_ends_at_its_time", |s| turns::ttl(s).boxed())
    },
    case("turns_of_one_actor_come_one_by_one", |s| {
        turns::one_by_one(s).boxed()
    }),
    case("actors_do_not_wait_for_each_other", |s| {
        turns::beside(s).boxed()
    }),
    case("a_caller_that_goes_away_cuts_no_turn", |s| {
        turns::gone(s).boxed()
    }),
    case("an_idle_actor_is_deactivated_and_comes_back", |s| {
        turns::idle(s).boxed()
    }),
    Case {
        needs: durable,
        ..case("a_restart_keeps_actors", |s| turns::restart(s).boxed())
    },
    case("a_call_that_comes_back_runs_inside", |s| {
        reentrancy::inside(s).boxed()
    }),
    case("a_call_inside_that_fails_is_undone_alone", |s| {
        reentrancy::undone(s).boxed()
    }),
    case("a_call_to_itself_is_refused", |s| {
        reentrancy::itself(s).boxed()
    }),
    case("a_circle_of_two_turns_is_refused", |s| {
        reentrancy::circle(s).boxed()
    }),
    case("a_circle_of_many_turns_is_refused", |s| {
        reentrancy::many(s).boxed()
    }),
    case("a_chain_has_an_end", |s| reentrancy::long(s).boxed()),
    case("a_reminder_comes_and_goes_on", |s| {
        reminders::repeats(s).boxed()
    }),
    case("a_reminder_is_not_early", |s| reminders::early(s).boxed()),
    case("a_reminder_that_fails_comes_again", |s| {
        reminders::again(s).boxed()
    }),
    case("a_reminder_is_replaced_and_cleared", |s| {
        reminders::replaced(s).boxed()
    }),
    case("an_occurrence_is_kept_once_by_two_hosts", |s| {
        reminders::two_hosts(s).boxed()
    }),
    case("slow_reminders_of_an_app_hold_up_no_other", |s| {
        neighbours::slow(s).boxed()
    }),
    case("failing_reminders_of_an_app_hold_up_no_other", |s| {
        neighbours::failing(s).boxed()
    }),
    case("an_occurrence_that_always_fails_is_given_up", |s| {
        neighbours::given_up(s).boxed()
    }),
    case("reminders_of_an_app_that_is_not_there_wait_unread", |s| {
        neighbours::unknown(s).boxed()
    }),
    case("active_actors_have_a_limit_and_each_app_its_sweep", |s| {
        neighbours::crowded(s).boxed()
    }),
    case("a_tenant_has_its_quota_of_active_actors", |s| {
        neighbours::quota(s).boxed()
    }),
    case("lists_without_end_end_with_the_host", |s| {
        neighbours::endless(s).boxed()
    }),
    case("a_timer_comes_and_goes_on", |s| timers::repeats(s).boxed()),
    case("timers_have_a_shortest_period_and_rest", |s| {
        timers::rests(s).boxed()
    }),
    case("a_cleared_timer_is_silent", |s| timers::cleared(s).boxed()),
    case("a_timer_ends_with_its_activation", |s| {
        timers::volatile(s).boxed()
    }),
    case("events_come_after_the_turn_with_one_id", |s| {
        outbox::sent(s).boxed()
    }),
    case("events_of_a_failed_turn_are_not_sent", |s| {
        outbox::failed(s).boxed()
    }),
    case("events_wait_for_a_broker", |s| outbox::waits(s).boxed()),
    case("of_two_hosts_one_keeps", |s| {
        owners::one_persists(s).boxed()
    }),
    case("a_stale_read_is_read_again", |s| owners::stale(s).boxed()),
    case("an_unknown_outcome_is_told", |s| owners::unknown(s).boxed()),
    case("histories_are_linearizable_over_kills", |s| {
        history::check(s).boxed()
    }),
    case("what_is_wrong_is_told", |s| words::wrong(s).boxed()),
    case("what_is_kept_is_listed", |s| words::listed(s).boxed()),
    case("rows_of_the_first_format_come_once", |s| {
        formats::first(s).boxed()
    }),
    case(
        "a_host_that_is_killed_while_it_moves_rows_loses_none",
        |s| formats::killed(s).boxed(),
    ),
    case("rows_of_a_newer_build_are_refused", |s| {
        formats::newer(s).boxed()
    }),
    case("a_reminder_is_changed_before_its_row_moves", |s| {
        formats::changed(s).boxed()
    }),
    case("apps_with_the_same_type_are_refused", |s| {
        words::twice(s).boxed()
    }),
];
