//! The suite of the pub/sub block.

mod backlog;
mod consumers;
mod delay;
mod delivery;
mod groups;
mod letters;
mod ordering;
mod restart;
mod steps;

use futures::{FutureExt as _, future::BoxFuture};
use wythe_blocks::pubsub::{Driver, Features};

pub type Subject = crate::Subject<dyn Driver>;

/// Messages that a driver under test must keep, and no more; what runs the suite configures it so.
pub const BACKLOG: usize = 200;

pub struct Case {
    pub name: &'static str,
    /// The reason why a driver with these features cannot run it.
    pub needs: fn(&Features) -> Option<&'static str>,
    /// True if the driver must have been opened with a backlog of [`BACKLOG`].
    pub needs_backlog: bool,
    /// True if a message must come with its content type, its key and its attributes.
    pub needs_headers: bool,
    /// Panics if the driver does not do as it must.
    pub run: fn(Subject) -> BoxFuture<'static, ()>,
}

const fn case(
    name: &'static str,
    needs: fn(&Features) -> Option<&'static str>,
    run: fn(Subject) -> BoxFuture<'static, ()>,
) -> Case {
    Case {
        name,
        needs,
        needs_backlog: false,
        needs_headers: false,
        run,
    }
}

const fn limited(name: &'static str, run: fn(Subject) -> BoxFuture<'static, ()>) -> Case {
    Case {
        name,
        needs: nothing,
        needs_backlog: true,
        needs_headers: false,
        run,
    }
}

const fn limited_letters(name: &'static str, run: fn(Subject) -> BoxFuture<'static, ()>) -> Case {
    Case {
        name,
        needs: dead_letters,
        needs_backlog: true,
        needs_headers: false,
        run,
    }
}

fn nothing(_: &Features) -> Option<&'static str> {
    None
}

fn large(features: &Features) -> Option<&'static str> {
    (features.max_message_bytes < 4 << 20).then_some("the driver takes no message of 4 MiB")
}

fn delay(features: &Features) -> Option<&'static str> {
    (!features.delay).then_some("the driver has no delay")
}

fn durable(features: &Features) -> Option<&'static str> {
    (!features.durable).then_some("the driver is not durable")
}

fn ordering(features: &Features) -> Option<&'static str> {
    (!features.ordering).then_some("the driver has no ordering")
}

fn dead_letters(features: &Features) -> Option<&'static str> {
    (!features.dead_letters).then_some("the driver has no dead letters")
}

/// A driver that counts what waits can say so at any time; another one would have to look through it.
fn counted(features: &Features) -> Option<&'static str> {
    let uncounted = "the driver does not count what waits";
    dead_letters(features).or_else(|| (!features.counted).then_some(uncounted))
}

fn dead_letters_and_durable(features: &Features) -> Option<&'static str> {
    dead_letters(features).or_else(|| durable(features))
}

fn ordering_and_durable(features: &Features) -> Option<&'static str> {
    ordering(features).or_else(|| durable(features))
}

fn delay_and_durable(features: &Features) -> Option<&'static str> {
    delay(features).or_else(|| durable(features))
}

pub const CASES: &[Case] = &[
    case("ten_messages_arrive", nothing, |s| delivery::ten(s).boxed()),
    Case {
        needs_headers: true,
        ..case("a_message_arrives_as_it_was_published", nothing, |s| {
            delivery::round_trip(s).boxed()
        })
    },
    case("a_message_may_have_4_mib", large, |s| {
        delivery::big(s).boxed()
    }),
    case("pull_returns_no_more_than_asked", nothing, |s| {
        delivery::at_most(s).boxed()
    }),
    case("pull_waits_for_a_message", nothing, |s| {
        delivery::waits(s).boxed()
    }),
    case("a_dropped_pull_loses_nothing", nothing, |s| {
        delivery::dropped_pull(s).boxed()
    }),
    case("what_is_refused_comes_again", nothing, |s| {
        delivery::refused(s).boxed()
    }),
    case("attempts_are_counted", nothing, |s| {
        delivery::attempts(s).boxed()
    }),
    case("what_is_acknowledged_never_comes_back", nothing, |s| {
        delivery::acknowledged(s).boxed()
    }),
    case("a_delivery_is_settled_once", nothing, |s| {
        delivery::settled_once(s).boxed()
    }),
    case("an_ack_answers_by_receipt", nothing, |s| {
        delivery::positional(s).boxed()
    }),
    case("publish_many_is_positional", nothing, |s| {
        delivery::publish_many(s).boxed()
    }),
    case("a_bulk_of_messages_is_pulled_at_once", nothing, |s| {
        delivery::bulk(s).boxed()
    }),
    case("publish_to_nobody_is_no_error", nothing, |s| {
        delivery::nobody(s).boxed()
    }),
    case("many_publishers_lose_nothing", nothing, |s| {
        delivery::many(s).boxed()
    }),
    case("a_delayed_message_is_not_early", delay, |s| {
        super::pubsub::delay::message(s).boxed()
    }),
    case("a_delayed_redelivery_is_not_early", nothing, |s| {
        super::pubsub::delay::redelivery(s).boxed()
    }),
    case("a_delayed_message_holds_up_no_other", delay, |s| {
        super::pubsub::delay::others(s).boxed()
    }),
    case("a_key_is_in_order", ordering, |s| {
        super::pubsub::ordering::order(s).boxed()
    }),
    case("a_key_is_in_order_with_redelivery", ordering, |s| {
        super::pubsub::ordering::redelivery(s).boxed()
    }),
    case("a_key_is_in_order_over_two_seats", ordering, |s| {
        super::pubsub::ordering::two_consumers(s).boxed()
    }),
    case("one_message_of_a_key_is_out_at_a_time", ordering, |s| {
        super::pubsub::ordering::one_out(s).boxed()
    }),
    case("a_key_holds_up_no_other", ordering, |s| {
        super::pubsub::ordering::others(s).boxed()
    }),
    case("two_topics_are_separate", nothing, |s| {
        groups::topics(s).boxed()
    }),
    case("two_groups_get_all", nothing, |s| groups::groups(s).boxed()),
    case(
        "a_new_group_gets_what_is_published_from_now_on",
        nothing,
        |s| groups::from_now_on(s).boxed(),
    ),
    case("a_group_waits_for_its_next_seat", nothing, |s| {
        groups::waits(s).boxed()
    }),
    case("an_ephemeral_group_ends_with_its_last_seat", nothing, |s| {
        groups::ephemeral(s).boxed()
    }),
    case("ephemeral_groups_get_all_beside_others", nothing, |s| {
        groups::broadcast(s).boxed()
    }),
    case("two_seats_share_the_messages", nothing, |s| {
        consumers::share(s).boxed()
    }),
    case(
        "a_seat_that_leaves_leaves_the_other_receiving",
        nothing,
        |s| consumers::leave(s).boxed(),
    ),
    case(
        "a_seat_that_leaves_gives_back_what_it_holds",
        nothing,
        |s| consumers::give_back(s).boxed(),
    ),
    case("a_receipt_of_a_seat_that_left_is_over", nothing, |s| {
        consumers::over(s).boxed()
    }),
    limited("publish_beyond_the_backlog_is_exhausted", |s| {
        backlog::exhausted(s).boxed()
    }),
    limited("an_ack_makes_room", |s| backlog::room(s).boxed()),
    limited("publish_many_fills_the_backlog_in_order", |s| {
        backlog::partial(s).boxed()
    }),
    limited("a_deserted_ephemeral_group_makes_room", |s| {
        backlog::deserted(s).boxed()
    }),
    case("a_burial_settles_and_publishes", dead_letters, |s| {
        letters::buried(s).boxed()
    }),
    limited_letters("a_letter_goes_over_the_limit_of_the_backlog", |s| {
        letters::over_the_limit(s).boxed()
    }),
    case("letters_wait_for_the_first_reader", dead_letters, |s| {
        letters::held(s).boxed()
    }),
    case(
        "letters_wait_for_the_first_reader_across_restarts",
        dead_letters_and_durable,
        |s| letters::held_across_a_restart(s).boxed(),
    ),
    case("an_operator_sees_what_groups_hold", dead_letters, |s| {
        letters::seen(s).boxed()
    }),
    case("metrics_see_what_groups_hold", counted, |s| {
        backlog::shown(s).boxed()
    }),
    case("an_operator_replaces_a_message", dead_letters, |s| {
        letters::replaced(s).boxed()
    }),
    case("an_operator_purges_a_group", dead_letters, |s| {
        letters::purged(s).boxed()
    }),
    limited_letters("a_removed_group_makes_room", |s| {
        letters::removed(s).boxed()
    }),
    case(
        "what_is_not_acknowledged_survives_a_restart",
        durable,
        |s| restart::unacknowledged(s).boxed(),
    ),
    case(
        "what_is_acknowledged_is_gone_after_a_restart",
        durable,
        |s| restart::acknowledged(s).boxed(),
    ),
    case("attempts_survive_a_restart", durable, |s| {
        restart::attempts(s).boxed()
    }),
    case(
        "a_group_gets_what_it_missed_across_a_restart",
        durable,
        |s| restart::missed(s).boxed(),
    ),
    case("a_delay_survives_a_restart", delay_and_durable, |s| {
        restart::delay(s).boxed()
    }),
    case(
        "a_key_is_in_order_across_a_restart",
        ordering_and_durable,
        |s| restart::order(s).boxed(),
    ),
    case(
        "an_ephemeral_group_does_not_survive_a_restart",
        durable,
        |s| restart::ephemeral(s).boxed(),
    ),
];
