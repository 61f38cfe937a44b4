//! The view of readers: the tree as it was at the last sync, although the batch being committed is in it already.

use parking_lot::{RwLock, RwLockReadGuard};
use sled::{IVec, Tree};
use std::collections::BTreeMap;

/// Values of the last sync under keys that the running commit changes; none where there was no entry.
pub(super) type Before = BTreeMap<Vec<u8>, Option<IVec>>;

/// Readers hold the lock while they read, so that one read sees one state.
pub(super) struct View {
    tree: Tree,
    before: RwLock<Before>,
}

impl View {
    pub(super) fn new(tree: Tree) -> Self {
        View {
            tree,
            before: RwLock::default(),
        }
    }

    /// Shows `before` instead of the tree under its keys; empty ends that.
    pub(super) fn show(&self, before: Before) {
        let old = std::mem::replace(&mut *self.before.write(), before);
        drop(old);
    }

    pub(super) fn read(&self) -> Reader<'_> {
        Reader {
            tree: &self.tree,
            before: self.before.read(),
        }
    }
}

pub(super) struct Reader<'a> {
    tree: &'a Tree,
    before: RwLockReadGuard<'a, Before>,
}

impl Reader<'_> {
    pub(super) fn get(&self, key: &[u8]) -> sled::Result<Option<IVec>> {
        match self.before.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.tree.get(key),
        }
    }

    /// Keys and values from `start` to before `end`, in order: the tree's merged with those of before.
    pub(super) fn range<'b>(
        &'b self,
        start: &[u8],
        end: &[u8],
    ) -> impl Iterator<Item = sled::Result<(IVec, IVec)>> + 'b {
        let mut tree = self.tree.range(start..end).filter(|item| match item {
            Ok((key, _)) => !self.before.contains_key(&key[..]),
            Err(_) => true,
        });
        let mut before = self
            .before
            .range(start.to_vec()..end.to_vec())
            .filter_map(|(key, value)| Some((IVec::from(&key[..]), value.clone()?)));
        let (mut from_tree, mut from_before) = (tree.next(), before.next());
        std::iter::from_fn(move || {
            let tree_first = match (&from_tree, &from_before) {
                (Some(Ok((a, _))), Some((b, _))) => a < b,
                (Some(_), _) => true,
                (None, _) => false,
            };
            if tree_first {
                return std::mem::replace(&mut from_tree, tree.next());
            }
            std::mem::replace(&mut from_before, before.next()).map(Ok)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_commit_is_not_seen() {
        let database = sled::Config::new().temporary(true).open().unwrap();
        for (key, value) in [("b", "new"), ("c", "same"), ("d", "added")] {
            database.insert(key, value).unwrap();
        }
        let view = View::new(Tree::clone(&database));
        let before = [("a", Some("deleted")), ("b", Some("old")), ("d", None)];
        view.show(
            before
                .map(|(key, value)| (key.into(), value.map(IVec::from)))
                .into(),
        );
        let listed = |from: &str| -> Vec<String> {
            let reader = view.read();
            let items = reader
                .range(from.as_bytes(), b"z")
                .map(|item| item.unwrap());
            items
                .map(|(k, v)| format!("{}={}", text(&k), text(&v)))
                .collect()
        };
        assert_eq!(listed("a"), ["a=deleted", "b=old", "c=same"]);
        assert_eq!(listed("b"), ["b=old", "c=same"]);
        assert_eq!(view.read().get(b"b").unwrap().unwrap(), "old");
        assert_eq!(view.read().get(b"d").unwrap(), None);
        view.show(Before::new());
        assert_eq!(listed("a"), ["b=new", "c=same", "d=added"]);
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }
}
