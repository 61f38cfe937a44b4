//! The suite of the state block.

mod basics;
mod batches;
mod concurrency;
mod etags;
mod expiry;
mod fence;
mod increment;
mod list;
mod model;
mod restart;
mod steps;
mod transactions;

use futures::{FutureExt as _, future::BoxFuture};
use wythe_blocks::state::{Driver, Features};

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

fn fence(features: &Features) -> Option<&'static str> {
    (!features.fence).then_some("the driver has no fence")
}

fn fence_and_durable(features: &Features) -> Option<&'static str> {
    fence(features).or_else(|| durable(features))
}

fn fence_and_linearizable(features: &Features) -> Option<&'static str> {
    fence(features).or_else(|| linearizable(features))
}

fn fence_and_transactions(features: &Features) -> Option<&'static str> {
    fence(features).or_else(|| transactions(features))
}

fn fence_and_ttl(features: &Features) -> Option<&'static str> {
    fence(features).or_else(|| ttl(features))
}

fn large(features: &Features) -> Option<&'static str> {
    (features.max_value_bytes < 4 << 20).then_some("the driver takes no value of 4 MiB")
}

fn list(features: &Features) -> Option<&'static str> {
    (!features.list).then_some("the driver has no list")
}

fn linearizable(features: &Features) -> Option<&'static str> {
    (!features.linearizable).then_some("the driver is not linearizable")
}

fn transactions(features: &Features) -> Option<&'static str> {
    (!features.transactions).then_some("the driver has no transactions")
}

fn ttl(features: &Features) -> Option<&'static str> {
    (!features.ttl).then_some("the driver has no ttl")
}

fn ttl_and_list(features: &Features) -> Option<&'static str> {
    ttl(features).or_else(|| list(features))
}

fn ttl_and_durable(features: &Features) -> Option<&'static str> {
    ttl(features).or_else(|| durable(features))
}

fn ttl_and_transactions(features: &Features) -> Option<&'static str> {
    ttl(features).or_else(|| transactions(features))
}

fn transactions_and_linearizable(features: &Features) -> Option<&'static str> {
    transactions(features).or_else(|| linearizable(features))
}

pub const CASES: &[Case] = &[
    case("an_absent_key_has_no_entry", nothing, |s| {
        basics::absent(s).boxed()
    }),
    case("an_entry_comes_back_as_it_was_put", nothing, |s| {
        basics::round_trip(s).boxed()
    }),
    case("a_put_replaces_the_entry", nothing, |s| {
        basics::replace(s).boxed()
    }),
    case("a_deleted_entry_is_gone", nothing, |s| {
        basics::delete(s).boxed()
    }),
    case("deleting_an_absent_key_is_no_error", nothing, |s| {
        basics::delete_absent(s).boxed()
    }),
    case("the_content_type_is_kept", nothing, |s| {
        basics::content_type(s).boxed()
    }),
    case("a_value_may_have_4_mib", large, |s| {
        basics::big_value(s).boxed()
    }),
    case("a_key_may_have_1_kib", nothing, |s| {
        basics::long_key(s).boxed()
    }),
    case("keys_are_kept_exactly", nothing, |s| {
        basics::exact_keys(s).boxed()
    }),
    case("features_say_what_is_so", nothing, |s| {
        basics::features(s).boxed()
    }),
    case("a_value_beyond_the_limit_is_invalid", nothing, |s| {
        basics::limit(s).boxed()
    }),
    case("get_many_is_positional", nothing, |s| {
        batches::get_many(s).boxed()
    }),
    case("put_many_is_positional", nothing, |s| {
        batches::put_many(s).boxed()
    }),
    case("put_many_fails_by_item", nothing, |s| {
        batches::partial(s).boxed()
    }),
    case("an_empty_batch_is_nothing", nothing, |s| {
        batches::empty(s).boxed()
    }),
    case("a_bulk_of_deletes_leaves_nothing", nothing, |s| {
        batches::deletes(s).boxed()
    }),
    case("an_etag_changes_with_each_write", nothing, |s| {
        etags::changes(s).boxed()
    }),
    case("put_returns_the_etag_that_get_reads", nothing, |s| {
        etags::same(s).boxed()
    }),
    case("a_put_with_a_wrong_etag_conflicts", nothing, |s| {
        etags::wrong_put(s).boxed()
    }),
    case("messages_name_the_key_without_its_keyspace", nothing, |s| {
        etags::shown(s).boxed()
    }),
    case("a_delete_with_a_wrong_etag_conflicts", nothing, |s| {
        etags::wrong_delete(s).boxed()
    }),
    case("an_etag_of_an_absent_entry_conflicts", nothing, |s| {
        etags::of_absent(s).boxed()
    }),
    case("an_etag_never_comes_back", nothing, |s| {
        etags::no_return(s).boxed()
    }),
    case("the_first_write_wins", nothing, |s| {
        etags::first_write(s).boxed()
    }),
    case("a_lost_condition_tells_no_etag", nothing, |s| {
        etags::silent(s).boxed()
    }),
    case("an_entry_ends_at_its_time", ttl, |s| {
        expiry::ends(s).boxed()
    }),
    case("an_entry_says_when_it_ends", ttl, |s| {
        expiry::says_when(s).boxed()
    }),
    case("a_write_without_ttl_clears_it", ttl, |s| {
        expiry::cleared(s).boxed()
    }),
    case("a_write_with_ttl_renews_it", ttl, |s| {
        expiry::renewed(s).boxed()
    }),
    case("an_expired_entry_is_absent_to_conditions", ttl, |s| {
        expiry::conditions(s).boxed()
    }),
    case("an_expired_entry_is_not_listed", ttl_and_list, |s| {
        expiry::unlisted(s).boxed()
    }),
    case("an_expired_number_starts_again", ttl, |s| {
        expiry::increment(s).boxed()
    }),
    case("a_transaction_sets_ttl", ttl_and_transactions, |s| {
        expiry::transaction(s).boxed()
    }),
    case("an_increment_keeps_the_ttl", ttl, |s| {
        expiry::increment_retains(s).boxed()
    }),
    case("many_entries_end_at_once", ttl, |s| expiry::many(s).boxed()),
    case("a_transaction_does_all", transactions, |s| {
        transactions::all(s).boxed()
    }),
    case("a_transaction_is_in_order", transactions, |s| {
        transactions::order(s).boxed()
    }),
    case(
        "a_transaction_may_delete_what_is_absent",
        transactions,
        |s| transactions::absent(s).boxed(),
    ),
    case("a_transaction_sees_itself", transactions, |s| {
        transactions::sees_itself(s).boxed()
    }),
    case(
        "a_transaction_with_a_lost_condition_does_nothing",
        transactions,
        |s| transactions::nothing(s).boxed(),
    ),
    case(
        "a_transaction_answers_an_etag_for_each_put",
        transactions,
        |s| transactions::etags(s).boxed(),
    ),
    case("an_empty_transaction_is_nothing", transactions, |s| {
        transactions::empty(s).boxed()
    }),
    case("a_transaction_has_the_limit_it_says", transactions, |s| {
        transactions::limit(s).boxed()
    }),
    case(
        "a_transaction_is_one_step",
        transactions_and_linearizable,
        |s| concurrency::transfers(s).boxed(),
    ),
    case("list_has_the_prefix", list, |s| list::prefix(s).boxed()),
    case("list_is_in_the_order_of_bytes", list, |s| {
        list::order(s).boxed()
    }),
    case("list_has_pages", list, |s| list::pages(s).boxed()),
    case("list_with_an_empty_prefix_is_everything", list, |s| {
        list::everything(s).boxed()
    }),
    case("list_takes_odd_prefixes_literally", list, |s| {
        list::literal(s).boxed()
    }),
    case("list_goes_on_after_any_cursor", list, |s| {
        list::cursor(s).boxed()
    }),
    case("list_of_nothing_is_empty", list, |s| {
        list::nothing(s).boxed()
    }),
    case("list_of_big_values_is_complete", list, |s| {
        list::big(s).boxed()
    }),
    case("increment_starts_at_zero", nothing, |s| {
        increment::from_absent(s).boxed()
    }),
    case("increment_subtracts", nothing, |s| {
        increment::negative(s).boxed()
    }),
    case("increment_beyond_64_bits_is_invalid", nothing, |s| {
        increment::overflow(s).boxed()
    }),
    case("increment_of_no_integer_is_invalid", nothing, |s| {
        increment::no_integer(s).boxed()
    }),
    case("increment_is_a_write", nothing, |s| {
        increment::is_a_write(s).boxed()
    }),
    case("increments_sum_up", nothing, |s| {
        concurrency::increments(s).boxed()
    }),
    case("one_of_many_swaps_wins", nothing, |s| {
        concurrency::one_swap(s).boxed()
    }),
    case("one_of_many_first_writes_wins", nothing, |s| {
        concurrency::one_first(s).boxed()
    }),
    case("swaps_lose_no_update", nothing, |s| {
        concurrency::swaps(s).boxed()
    }),
    case("a_write_is_read_at_once", linearizable, |s| {
        concurrency::read_your_writes(s).boxed()
    }),
    case("a_lower_fence_conflicts", fence, |s| {
        fence::lower(s).boxed()
    }),
    case("an_equal_or_higher_fence_is_fine", fence, |s| {
        fence::raises(s).boxed()
    }),
    case("a_write_without_a_fence_keeps_the_mark", fence, |s| {
        fence::stored(s).boxed()
    }),
    case("a_refused_write_leaves_the_mark", fence, |s| {
        fence::refused(s).boxed()
    }),
    case("a_delete_drops_the_mark", fence, |s| {
        fence::dropped(s).boxed()
    }),
    case("an_expiry_drops_the_mark", fence_and_ttl, |s| {
        fence::expired(s).boxed()
    }),
    case("a_fence_is_of_one_key", fence, |s| {
        fence::one_key(s).boxed()
    }),
    case("put_many_honours_fences_by_item", fence, |s| {
        fence::put_many(s).boxed()
    }),
    case(
        "a_transaction_honours_fences",
        fence_and_transactions,
        |s| fence::transaction(s).boxed(),
    ),
    case(
        "a_transaction_sees_its_own_fences",
        fence_and_transactions,
        |s| fence::within_transaction(s).boxed(),
    ),
    case(
        "the_highest_of_many_fences_stays",
        fence_and_linearizable,
        |s| fence::many(s).boxed(),
    ),
    case("a_restart_keeps_fences", fence_and_durable, |s| {
        fence::restart(s).boxed()
    }),
    case("a_restart_keeps_everything", durable, |s| {
        restart::persists(s).boxed()
    }),
    case("a_restart_keeps_deletes", durable, |s| {
        restart::deletes(s).boxed()
    }),
    case("a_restart_keeps_expiries", ttl_and_durable, |s| {
        restart::expiries(s).boxed()
    }),
    case("a_closed_driver_is_unavailable", durable, |s| {
        restart::closed(s).boxed()
    }),
    case("random_operations_do_as_a_map_does", nothing, |s| {
        model::check(s).boxed()
    }),
];
