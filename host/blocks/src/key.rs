//! The key that a driver gets: whole, for what it keeps, and as the app knows it, for what it says.

use crate::Error;
use std::{fmt, ops::Deref};

/// A key of an entry or a lock. It derefs to the whole of it, which has the keyspace before what the app calls it;
/// messages name it by [`Key::shown`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    whole: String,
    /// Bytes of the keyspace.
    space: usize,
}

impl Key {
    /// The key that is `shown` in a keyspace.
    pub fn new(space: impl Into<String>, shown: &str) -> Self {
        let mut whole = space.into();
        let space = whole.len();
        whole.push_str(shown);
        Key { whole, space }
    }

    /// The key as a driver keeps it.
    pub fn whole(&self) -> &str {
        &self.whole
    }

    /// The key as the app knows it.
    pub fn shown(&self) -> &str {
        &self.whole[self.space..]
    }

    pub fn into_whole(self) -> String {
        self.whole
    }

    /// An error of somebody who got nothing but the whole key, as a plugin does: it names the key as the app knows it.
    #[must_use]
    pub fn plain(&self, error: Error) -> Error {
        match self.space {
            0 => error,
            _ => error.map_message(|message| message.replace(self.whole(), self.shown())),
        }
    }
}

impl Deref for Key {
    type Target = str;

    fn deref(&self) -> &str {
        &self.whole
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole.fmt(f)
    }
}

/// A key in no keyspace.
impl From<String> for Key {
    fn from(whole: String) -> Self {
        Key { whole, space: 0 }
    }
}

impl From<&String> for Key {
    fn from(whole: &String) -> Self {
        whole.clone().into()
    }
}

impl From<&str> for Key {
    fn from(whole: &str) -> Self {
        whole.to_owned().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_whole_and_shown_without_its_keyspace() {
        let key = Key::new("cart||", "order");
        assert_eq!(
            (key.whole(), key.shown(), &*key),
            ("cart||order", "order", "cart||order")
        );
        assert_eq!(Key::from("order").shown(), "order");
        assert_eq!(key.clone().into_whole(), "cart||order");
        let said = key.plain(Error::conflict("`cart||order` is not `cart||other`"));
        assert_eq!(said.message(), "`order` is not `cart||other`");
    }
}
