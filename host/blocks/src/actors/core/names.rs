//! The names of actors: tenant, type and id, in an alphabet that no separator is in.

use crate::{Error, Result, Shard};
use std::fmt;
use wythe_manifest::Name;

/// Bytes of a type, an id, and the name of a timer or a reminder.
pub const MAX_NAME: usize = 256;

/// The name of an actor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Actor {
    pub tenant: Name,
    /// The name of its type.
    pub kind: String,
    pub id: String,
}

impl Actor {
    pub(in crate::actors) fn new(tenant: &Name, kind: &str, id: &str) -> Result<Self> {
        check("actor type", kind)?;
        check("actor id", id)?;
        Ok(Actor {
            tenant: tenant.clone(),
            kind: kind.to_owned(),
            id: id.to_owned(),
        })
    }

    /// The shard of the rows that loops read of it.
    pub(in crate::actors) fn shard(&self) -> Shard {
        shard(&self.kind, &self.id)
    }
}

/// The shard of an actor by its type and id.
pub(in crate::actors) fn shard(kind: &str, id: &str) -> Shard {
    Shard::of(&format!("{kind}/{id}"))
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// Refuses a name that is too long or has other characters; `what` is it that has this name.
pub(in crate::actors) fn check(what: &str, name: &str) -> Result<()> {
    if !(1..=MAX_NAME).contains(&name.len()) {
        return Err(Error::invalid(format!(
            "the {what} has {} bytes; expected 1 to {MAX_NAME}",
            name.len()
        )));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:@".contains(c);
    if !name.chars().all(is_plain) {
        return Err(Error::invalid(format!(
            "the {what} `{}`; expected letters, digits, `-`, `_`, `.`, `:` and `@`",
            name.escape_debug()
        )));
    }
    Ok(())
}

/// A method is the actor's own word, so only its length is the host's.
pub(in crate::actors) fn check_method(method: &str) -> Result<()> {
    if (1..=MAX_NAME).contains(&method.len()) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the method has {} bytes; expected 1 to {MAX_NAME}",
        method.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reported(name: &str) -> String {
        check("actor id", name).unwrap_err().message().to_owned()
    }

    #[test]
    fn names_are_plain() {
        for good in ["a", "a-b_c.D:e@f", "7", &"x".repeat(256)] {
            check("actor id", good).unwrap();
        }
        let alphabet = "expected letters, digits, `-`, `_`, `.`, `:` and `@`";
        assert_eq!(reported("a/b"), format!("the actor id `a/b`; {alphabet}"));
        assert_eq!(reported("a||b"), format!("the actor id `a||b`; {alphabet}"));
        assert_eq!(reported("\n"), format!("the actor id `\\n`; {alphabet}"));
        assert_eq!(reported(""), "the actor id has 0 bytes; expected 1 to 256");
        let long = "x".repeat(257);
        assert_eq!(
            reported(&long),
            "the actor id has 257 bytes; expected 1 to 256"
        );
    }
}
