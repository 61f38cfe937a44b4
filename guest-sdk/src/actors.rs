//! Actors: a struct with methods is a type of them; each actor of the type is one value of the struct, by its id.
mod dispatch;

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::contract::acts::exports::wythe::blocks::actor_handler;
use crate::contract::acts::wythe::blocks::actor_context;
use crate::contract::app::wythe::blocks::actors;
use crate::pubsub::Event;
use crate::{Error, Result, milliseconds};

#[doc(inline)]
pub use actor_handler::{ActorType, Trigger};
pub use dispatch::{Method, macros};

/// The key under which a struct is kept among its actor's values.
const STATE: &str = "state";

/// Calls a method of an actor with its input, and returns what it answered. Both are JSON.
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// let balance: i64 = wythe_sdk::actors::call("account", "ada", "deposit", &100)?;
/// # Ok(())
/// # }
/// ```
pub fn call<I, O>(kind: &str, id: &str, method: &str, input: &I) -> Result<O>
where
    I: Serialize + ?Sized,
    O: DeserializeOwned,
{
    let answer = invoke(kind, id, method, &serde_json::to_vec(input)?)?;
    Ok(serde_json::from_slice(&answer)?)
}

/// Does what [`call`] does, with bytes that the actor reads as it likes.
pub fn invoke(kind: &str, id: &str, method: &str, data: &[u8]) -> Result<Vec<u8>> {
    Ok(actors::invoke(kind, id, method, data)?)
}

/// A type of actors. The struct is read before a turn and written after it, all of the turn or nothing; a new actor is
/// the default.
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use wythe_sdk::{Error, Result, actors::{Actor, Context}};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Account {
///     balance: u64,
/// }
///
/// impl Account {
///     fn deposit(&mut self, _: &Context, amount: u64) -> Result<u64> {
///         self.balance += amount;
///         Ok(self.balance)
///     }
///
///     fn balance(&mut self, _: &Context) -> Result<u64> {
///         Ok(self.balance)
///     }
/// }
///
/// impl Actor for Account {
///     const TYPE: &str = "account";
/// }
///
/// struct App;
///
/// wythe_sdk::act!(App: Account { deposit, balance });
/// ```
pub trait Actor: Default + Serialize + DeserializeOwned {
    /// Its name for those who call.
    const TYPE: &'static str;

    /// The host's treatment of these actors; asked once, when the app is loaded.
    fn options() -> Options {
        Options::new()
    }

    /// Runs before the first turn of an activation, with [`Options::lifecycle`].
    fn activate(&mut self, context: &Context) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// Runs after the last turn of an activation, with [`Options::lifecycle`]; not where the host or the instance ends.
    fn deactivate(&mut self, context: &Context) -> Result<()> {
        let _ = context;
        Ok(())
    }

    fn on_timer(&mut self, context: &Context, name: &str, data: &[u8]) -> Result<()> {
        let _ = (context, data);
        Err(lacks(Self::TYPE, "timer", name))
    }

    /// An error brings it again, later.
    fn on_reminder(&mut self, context: &Context, name: &str, data: &[u8]) -> Result<()> {
        let _ = (context, data);
        Err(lacks(Self::TYPE, "reminder", name))
    }
}

/// The host's treatment of the actors of a type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    reentrant: bool,
    warm: bool,
    lifecycle: bool,
    idle: Option<Duration>,
}

impl Options {
    /// The default options: calls that come back are refused, each turn has a fresh instance, and an actor is idle
    /// after 60 s.
    pub fn new() -> Self {
        Self {
            reentrant: false,
            warm: false,
            lifecycle: false,
            idle: None,
        }
    }

    /// A call that comes back in a chain runs inside the turn that it came from. Turns call others by
    /// [`Context::call_out`], so that both see what the other did.
    pub fn reentrant(mut self) -> Self {
        self.reentrant = true;
        self
    }

    /// The actors that are used most keep their instances between turns.
    pub fn warm(mut self) -> Self {
        self.warm = true;
        self
    }

    /// [`Actor::activate`] and [`Actor::deactivate`] are called.
    pub fn lifecycle(mut self) -> Self {
        self.lifecycle = true;
        self
    }

    /// Sets the time after which an actor that is not called is deactivated.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = Some(idle);
        self
    }
}

/// The time of a timer or a reminder, and the data that it brings along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    due: Duration,
    period: Option<Duration>,
    data: Vec<u8>,
}

impl Wake {
    /// A wake that comes once, after this long.
    pub fn after(due: Duration) -> Self {
        let (period, data) = (None, Vec::new());
        Self { due, period, data }
    }

    /// A wake that comes again and again, for the first time one period from now.
    pub fn every(period: Duration) -> Self {
        Self {
            period: Some(period),
            ..Self::after(period)
        }
    }

    /// Sets the data, at most 64 KiB.
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    pub fn data_json<T: Serialize + ?Sized>(self, data: &T) -> Result<Self> {
        Ok(self.data(serde_json::to_vec(data)?))
    }
}

/// The turn that runs now. What is done through it is kept with the turn, or not at all.
#[derive(Debug)]
pub struct Context {
    id: String,
}

impl Context {
    /// The actor's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A value beside the struct, for what is too large to be read in each turn.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(actor_context::get(&beside(key))?)
    }

    pub fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let value = self.get(key)?;
        Ok(value
            .map(|value| serde_json::from_slice(&value))
            .transpose()?)
    }

    pub fn put(&self, key: &str, value: impl AsRef<[u8]>) -> Result<()> {
        Ok(actor_context::put(&beside(key), value.as_ref(), None)?)
    }

    pub fn put_json<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<()> {
        self.put(key, serde_json::to_vec(value)?)
    }

    /// Writes a value that is gone after this long.
    pub fn put_for(&self, key: &str, value: impl AsRef<[u8]>, ttl: Duration) -> Result<()> {
        let ttl = Some(milliseconds(ttl));
        Ok(actor_context::put(&beside(key), value.as_ref(), ttl)?)
    }

    /// Deletes a value; deleting what is absent is fine.
    pub fn delete(&self, key: &str) -> Result<()> {
        Ok(actor_context::delete(&beside(key))?)
    }

    /// Keys that start with `prefix`, in order, at most 10,000.
    pub fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let start = beside("").len();
        let keys = actor_context::keys(&beside(prefix))?.into_iter();
        Ok(keys.map(|key| key[start..].to_owned()).collect())
    }

    /// Sets a timer, which is volatile: it ends with the activation. See [`Actor::on_timer`].
    pub fn set_timer(&self, name: &str, wake: &Wake) -> Result<()> {
        let (due, period) = (milliseconds(wake.due), wake.period.map(milliseconds));
        Ok(actor_context::set_timer(name, due, period, &wake.data)?)
    }

    pub fn clear_timer(&self, name: &str) -> Result<()> {
        Ok(actor_context::clear_timer(name)?)
    }

    /// Sets a reminder, which is durable: it wakes the actor. See [`Actor::on_reminder`].
    pub fn set_reminder(&self, name: &str, wake: &Wake) -> Result<()> {
        let (due, period) = (milliseconds(wake.due), wake.period.map(milliseconds));
        Ok(actor_context::set_reminder(name, due, period, &wake.data)?)
    }

    pub fn clear_reminder(&self, name: &str) -> Result<()> {
        Ok(actor_context::clear_reminder(name)?)
    }

    /// Publishes an event, which is sent after the turn is kept, at least once and always with the same id.
    pub fn publish(&self, component: &str, topic: &str, event: &Event) -> Result<()> {
        Ok(actor_context::publish(component, topic, event)?)
    }

    /// Calls another actor from a turn of a reentrant one: a call that comes back sees what this turn did so far, and
    /// this turn sees afterwards what that did.
    pub fn call_out<S, I, O>(
        &self,
        state: &mut S,
        (kind, id): (&str, &str),
        method: &str,
        input: &I,
    ) -> Result<O>
    where
        S: Actor,
        I: Serialize + ?Sized,
        O: DeserializeOwned,
    {
        let before = serde_json::to_vec(state)?;
        actor_context::put(STATE, &before, None)?;
        let answer = call(kind, id, method, input);
        *state = load(actor_context::get(STATE)?.as_deref())?;
        answer
    }
}

/// Own keys have a name of their own, so that none is the struct's.
fn beside(key: &str) -> String {
    format!("own/{key}")
}

fn load<S: Actor>(bytes: Option<&[u8]>) -> Result<S> {
    let Some(bytes) = bytes else {
        return Ok(S::default());
    };
    serde_json::from_slice(bytes).map_err(|error| {
        let kind = S::TYPE;
        Error::internal(format!("an actor of type `{kind}` cannot be read: {error}"))
    })
}

fn lacks(kind: &str, what: &str, name: &str) -> Error {
    Error::unsupported(format!("actor type `{kind}` has no {what} `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Default, Serialize, Deserialize)]
    struct Counter {
        count: i64,
    }

    impl Counter {
        fn add(&mut self, _: &Context, more: i64) -> Result<i64> {
            self.count += more;
            Ok(self.count)
        }

        fn name(&mut self, context: &Context) -> Result<String> {
            Ok(context.id().to_owned())
        }
    }

    impl Actor for Counter {
        const TYPE: &str = "counter";

        fn options() -> Options {
            Options::new().warm().idle(Duration::from_secs(5))
        }
    }

    struct App;

    crate::act!(App: Counter { add, name });

    fn methods(
        method: &str,
        state: &mut Counter,
        context: &Context,
        data: &[u8],
    ) -> Option<Result<Vec<u8>>> {
        match method {
            "add" => Some(Counter::add.run(state, context, data)),
            "name" => Some(Counter::name.run(state, context, data)),
            _ => None,
        }
    }

    fn reported(state: &mut Counter, trigger: Trigger) -> Result<String> {
        let context = Context { id: "a".into() };
        let answer = macros::run(state, &context, trigger, methods)?;
        Ok(String::from_utf8(answer).unwrap())
    }

    fn call(method: &str, data: &str) -> Trigger {
        Trigger::Call((method.into(), data.into()))
    }

    #[test]
    fn methods_are_found_by_name_and_take_json() {
        let mut state = Counter::default();
        assert_eq!(reported(&mut state, call("add", "3")).unwrap(), "3");
        assert_eq!(reported(&mut state, call("add", "4")).unwrap(), "7");
        assert_eq!(reported(&mut state, call("name", "")).unwrap(), "\"a\"");
        let wrong = reported(&mut state, call("add", "\"x\"")).unwrap_err();
        assert!(
            wrong
                .message()
                .starts_with("the method's input: invalid type: string")
        );
        let unknown = reported(&mut state, call("sub", "3")).unwrap_err();
        assert_eq!(
            unknown.message(),
            "actor type `counter` has no method `sub`"
        );
        let reminder = Trigger::Reminder(("late".into(), vec![]));
        let unknown = reported(&mut state, reminder).unwrap_err();
        assert_eq!(
            unknown.message(),
            "actor type `counter` has no reminder `late`"
        );
    }

    #[test]
    fn a_type_is_described_with_its_options() {
        let expected = ActorType {
            name: "counter".into(),
            reentrant: false,
            warm: true,
            lifecycle: false,
            idle: Some(5_000),
        };
        assert_eq!(macros::describe::<Counter>(), expected);
    }
}
