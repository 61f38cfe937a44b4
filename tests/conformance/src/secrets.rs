//! The suite of the secrets block. A driver under test holds the secrets of [`STORED`] and [`SEVERAL`], and [`EMPTY`] if it
//! can, and no others.

mod cases;

use futures::{FutureExt as _, future::BoxFuture};
use wythe_blocks::secrets::{Driver, Features};

pub type Subject = crate::Subject<dyn Driver>;

/// Name and value of each secret, in order. The names are such as variables of the environment may have.
pub const STORED: [(&str, &str); 5] = [
    ("LINES", "one\ntwo\n"),
    ("PASSWORD", "correct horse battery staple"),
    ("QUOTED", "\"quo\\ted\" and {braces}"),
    ("TOKEN", "p/\u{e9}\u{1f600}"),
    ("token", "another"),
];

/// A secret whose value is an empty text, for stores that keep such.
pub const EMPTY: &str = "EMPTY";

/// A secret of several values, for drivers that have such: its name, and name and value of each.
pub const SEVERAL: (&str, [(&str, &str); 2]) = ("DATABASE", [("password", "r"), ("user", "s")]);

pub struct Case {
    pub name: &'static str,
    /// The reason why a driver with these features cannot run it.
    pub needs: fn(&Features) -> Option<&'static str>,
    /// True if the driver must hold [`EMPTY`].
    pub needs_empty: bool,
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
        needs_empty: false,
        run,
    }
}

fn nothing(_: &Features) -> Option<&'static str> {
    None
}

fn names(features: &Features) -> Option<&'static str> {
    (!features.names).then_some("the driver tells no names")
}

fn several(features: &Features) -> Option<&'static str> {
    (!features.multiple_values).then_some("the driver has one value a secret")
}

pub const CASES: &[Case] = &[
    case("a_secret_has_its_value", nothing, |s| {
        cases::values(s).boxed()
    }),
    Case {
        needs_empty: true,
        ..case("an_empty_secret_has_an_empty_value", nothing, |s| {
            cases::empty(s).boxed()
        })
    },
    case("an_absent_secret_is_none", nothing, |s| {
        cases::absent(s).boxed()
    }),
    case("names_are_exact", nothing, |s| cases::exact(s).boxed()),
    case("metadata_of_others_is_no_error", nothing, |s| {
        cases::metadata(s).boxed()
    }),
    case("names_are_told_in_order", names, |s| {
        cases::names(s).boxed()
    }),
    case("each_name_has_a_secret", names, |s| cases::named(s).boxed()),
    case("a_secret_may_have_several_values", several, |s| {
        cases::several(s).boxed()
    }),
    case("many_may_ask_at_once", nothing, |s| {
        cases::concurrent(s).boxed()
    }),
    case("nothing_of_a_secret_is_shown", nothing, |s| {
        cases::hidden(s).boxed()
    }),
    case("a_restart_finds_the_same", nothing, |s| {
        cases::restart(s).boxed()
    }),
];
