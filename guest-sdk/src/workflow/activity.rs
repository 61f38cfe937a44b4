//! The way from the contract to a function and back, for activities.
use serde::{Serialize, de::DeserializeOwned};

use super::value;
use crate::contract::does_activities::exports::wythe::blocks::activity_handler;
use crate::{Error, Kind, Result};

#[doc(inline)]
pub use activity_handler::{Activity, Failure};

/// Runs an activity that is a function, with JSON in and out. An error of a kind that time may mend is tried again, as
/// the workflow's policy says; what is wrong with the request itself is not.
pub fn perform<I: DeserializeOwned, O: Serialize>(
    work: impl FnOnce(&Activity, I) -> Result<O>,
    activity: &Activity,
) -> std::result::Result<Vec<u8>, Failure> {
    let answer = value(&activity.input).and_then(|input| work(activity, input));
    let answer = answer.and_then(|output| Ok(serde_json::to_vec(&output)?));
    answer.map_err(|error| match is_final(&error) {
        true => Failure::Permanent(error.to_string()),
        false => Failure::Retryable(error.to_string()),
    })
}

fn is_final(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::NotFound | Kind::Denied | Kind::Invalid | Kind::Conflict | Kind::Unsupported
    )
}

/// Exports `wythe:blocks/activity-handler` for functions `fn(&Activity, I) -> Result<O>`, each under its own name, with
/// `I` and `O` as JSON.
///
/// ```no_run
/// use wythe_sdk::{Result, state::Store, workflow::Activity};
///
/// fn count(activity: &Activity, item: String) -> Result<i64> {
///     wythe_sdk::info!("attempt {} of {}", activity.attempt, activity.key);
///     Store::open("statestore")?.increment(&item, 1)
/// }
///
/// wythe_sdk::activities!(count);
/// ```
#[macro_export]
macro_rules! activities {
    ($($activity:ident),+ $(,)?) => {
        const _: () = {
            use $crate::contract::does_activities::exports::wythe::blocks::activity_handler;

            struct Activities;

            impl activity_handler::Guest for Activities {
                fn activities() -> ::std::vec::Vec<::std::string::String> {
                    ::std::vec![$(::std::string::String::from(::std::stringify!($activity))),+]
                }

                fn run(
                    activity: activity_handler::Activity,
                ) -> ::std::result::Result<::std::vec::Vec<u8>, activity_handler::Failure> {
                    match activity.name.as_str() {
                        $(::std::stringify!($activity) => $crate::workflow::perform($activity, &activity),)+
                        other => ::std::result::Result::Err(activity_handler::Failure::Permanent(
                            ::std::format!("there is no activity `{other}` here"),
                        )),
                    }
                }
            }

            $crate::contract::does_activities::export_activity_handler!(
                Activities with_types_in $crate::contract::does_activities
            );
        };
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(input: &[u8]) -> Activity {
        Activity {
            name: "charge".into(),
            workflow: "order-17".into(),
            key: "order-17/1/0".into(),
            attempt: 1,
            input: input.to_vec(),
        }
    }

    #[test]
    fn json_goes_in_and_out() {
        let double = |_: &Activity, n: u32| Ok(2 * n);
        assert_eq!(perform(double, &activity(b"4")).unwrap(), b"8");
        let nothing = |_: &Activity, (): ()| Ok(());
        assert_eq!(perform(nothing, &activity(b"")).unwrap(), b"null");
    }

    #[test]
    fn only_what_time_may_mend_is_tried_again() {
        let fails = |error: Error| perform(|_, (): ()| Err::<(), _>(error), &activity(b""));
        let reported = "unavailable: later".to_owned();
        let later = fails(Error::unavailable("later"));
        assert_eq!(later, Err(Failure::Retryable(reported)));
        let reported = "conflict: taken".to_owned();
        assert_eq!(
            fails(Error::conflict("taken")),
            Err(Failure::Permanent(reported))
        );
    }
}
