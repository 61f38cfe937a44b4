//! The way from the one function of the contract to the methods of a struct.
use serde::{Serialize, de::DeserializeOwned};

use super::{Actor, ActorType, Context, STATE, Trigger, actor_context, lacks, load};
use crate::{Error, Result, milliseconds};

/// Something that can be called by its name: a function of the struct, the context and, or not, an input.
pub trait Method<S, Marker> {
    fn run(&self, state: &mut S, context: &Context, data: &[u8]) -> Result<Vec<u8>>;
}

impl<S, O, F> Method<S, (O,)> for F
where
    O: Serialize,
    F: Fn(&mut S, &Context) -> Result<O>,
{
    fn run(&self, state: &mut S, context: &Context, _: &[u8]) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(&self(state, context)?)?)
    }
}

impl<S, I, O, F> Method<S, (I, O)> for F
where
    I: DeserializeOwned,
    O: Serialize,
    F: Fn(&mut S, &Context, I) -> Result<O>,
{
    fn run(&self, state: &mut S, context: &Context, data: &[u8]) -> Result<Vec<u8>> {
        // Whoever gives nothing gives null.
        let data = if data.is_empty() { b"null" } else { data };
        let input = serde_json::from_slice(data)
            .map_err(|error| Error::invalid(format!("the method's input: {error}")))?;
        Ok(serde_json::to_vec(&self(state, context, input)?)?)
    }
}

/// The parts that `act!` is made of.
#[doc(hidden)]
pub mod macros {
    use super::*;

    pub type Methods<S> = fn(&str, &mut S, &Context, &[u8]) -> Option<Result<Vec<u8>>>;

    pub fn describe<S: Actor>() -> ActorType {
        let options = S::options();
        ActorType {
            name: S::TYPE.to_owned(),
            reentrant: options.reentrant,
            warm: options.warm,
            lifecycle: options.lifecycle,
            idle: options.idle.map(milliseconds),
        }
    }

    pub fn turn<S: Actor>(id: String, trigger: Trigger, methods: Methods<S>) -> Result<Vec<u8>> {
        let context = Context { id };
        let before = actor_context::get(STATE)?;
        let mut state: S = load(before.as_deref())?;
        let answer = run(&mut state, &context, trigger, methods)?;
        // A call that came back may have written meanwhile.
        let known = match S::options().reentrant {
            true => actor_context::get(STATE)?,
            false => before,
        };
        let known = known.map_or_else(|| serde_json::to_vec(&S::default()), Ok)?;
        let after = serde_json::to_vec(&state)?;
        if after != known {
            actor_context::put(STATE, &after, None)?;
        }
        Ok(answer)
    }

    pub fn run<S: Actor>(
        state: &mut S,
        context: &Context,
        trigger: Trigger,
        methods: Methods<S>,
    ) -> Result<Vec<u8>> {
        let nothing = |()| Vec::new();
        match trigger {
            Trigger::Activate => state.activate(context).map(nothing),
            Trigger::Deactivate => state.deactivate(context).map(nothing),
            Trigger::Timer((name, data)) => state.on_timer(context, &name, &data).map(nothing),
            Trigger::Reminder((name, data)) => {
                state.on_reminder(context, &name, &data).map(nothing)
            }
            Trigger::Call((method, data)) => methods(&method, state, context, &data)
                .unwrap_or_else(|| Err(lacks(S::TYPE, "method", &method))),
        }
    }

    pub fn unknown(kind: &str) -> Error {
        Error::not_found(format!("this app has no actor type `{kind}`"))
    }
}

/// Exports `wythe:blocks/actor-handler` for types that implement [`actors::Actor`](Actor), each with the methods that
/// others may call: `act!(App: Account { deposit, balance }, Cart { add })`.
#[macro_export]
macro_rules! act {
    ($app:ident: $($actor:ident { $($method:ident),* $(,)? }),+ $(,)?) => {
        impl $crate::contract::acts::exports::wythe::blocks::actor_handler::Guest for $app {
            fn types() -> ::std::vec::Vec<$crate::actors::ActorType> {
                ::std::vec![$($crate::actors::macros::describe::<$actor>()),+]
            }

            fn turn(
                actor: $crate::contract::acts::exports::wythe::blocks::actor_handler::Actor,
                trigger: $crate::actors::Trigger,
            ) -> ::std::result::Result<
                ::std::vec::Vec<u8>,
                $crate::contract::app::wythe::blocks::types::Error,
            > {
                $(
                    if actor.actor_type == <$actor as $crate::actors::Actor>::TYPE {
                        let turn = $crate::actors::macros::turn::<$actor>(
                            actor.id,
                            trigger,
                            |method, state, context, data| match method {
                                $(::std::stringify!($method) => ::std::option::Option::Some(
                                    $crate::actors::Method::run(&$actor::$method, state, context, data),
                                ),)*
                                _ => ::std::option::Option::None,
                            },
                        );
                        return turn.map_err(::std::convert::Into::into);
                    }
                )+
                ::std::result::Result::Err($crate::actors::macros::unknown(&actor.actor_type).into())
            }
        }
        $crate::contract::acts::export_actor_handler!($app with_types_in $crate::contract::acts);
    };
}
