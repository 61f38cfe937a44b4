//! Parts that configuration stores share: items out of a tree, by their keys, and those who wait for a change.

use aws_lc_rs::digest::{Context, SHA256};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::watch;
use wythe_blocks::{
    Error, Result,
    configuration::{Item, MAX_KEY, NewItem},
    text::hex,
};
use wythe_manifest::Document;

/// Bytes of a digest that are told: more than chance can meet twice.
const SHOWN: usize = 16;

/// Bytes of all keys of a tree: a file of one MiB can ask for some hundred times as many.
const MAX_KEYS: usize = 8 << 20;

/// Items by key.
pub(crate) type Items = BTreeMap<String, Item>;

/// The items of a tree: what is nested has its parents' keys before its own. An error says what is wrong with it.
pub(crate) fn of_tree(tree: &Document, separator: &str) -> Result<Items, String> {
    let mut items = Items::new();
    match tree {
        Document::Null => Ok(items),
        Document::Map(entries) => {
            let mut bytes = 0;
            for (key, value) in entries {
                flatten(value, key.clone(), separator, &mut items, &mut bytes)?;
            }
            Ok(items)
        }
        _ => Err("expected an object of items".into()),
    }
}

/// Adds the items of a subtree, and the bytes of their keys: nothing is no item, and a list is one item.
fn flatten(
    tree: &Document,
    key: String,
    separator: &str,
    items: &mut Items,
    bytes: &mut usize,
) -> Result<(), String> {
    let value = match tree {
        Document::Null => return Ok(()),
        Document::Map(entries) => {
            return entries.iter().try_for_each(|(below, value)| {
                flatten(
                    value,
                    format!("{key}{separator}{below}"),
                    separator,
                    items,
                    bytes,
                )
            });
        }
        Document::Text { text, .. } => text.clone(),
        Document::List(_) => {
            let mut json = String::new();
            write_json(tree, &mut json);
            json
        }
    };
    add(key, value, items, bytes)
}

fn add(key: String, value: String, items: &mut Items, bytes: &mut usize) -> Result<(), String> {
    let size = key.len();
    if !(1..=MAX_KEY).contains(&size) || key.contains('\0') {
        return Err(format!(
            "a key of {size} bytes; expected 1 to {MAX_KEY} without NUL"
        ));
    }
    *bytes += size;
    if *bytes > MAX_KEYS {
        return Err(format!(
            "its keys have more than {} MiB once they are flat; shorten the keys of what nests others",
            MAX_KEYS >> 20
        ));
    }
    if items.contains_key(&key) {
        return Err(format!(
            "`{key}` is there twice, once as a key and once nested"
        ));
    }
    let item = item(NewItem {
        key: key.clone(),
        value,
        metadata: Vec::new(),
    });
    items.insert(key, item);
    Ok(())
}

/// Writes JSON by hand, so that a number stays as it was written.
fn write_json(tree: &Document, json: &mut String) {
    match tree {
        Document::Null => json.push_str("null"),
        Document::Text { text, plain: true } if is_literal(text) => json.push_str(text),
        Document::Text { text, .. } => quote(text, json),
        Document::List(list) => {
            json.push('[');
            for (place, value) in list.iter().enumerate() {
                json.push_str(if place > 0 { "," } else { "" });
                write_json(value, json);
            }
            json.push(']');
        }
        Document::Map(entries) => {
            json.push('{');
            for (place, (key, value)) in entries.iter().enumerate() {
                json.push_str(if place > 0 { "," } else { "" });
                quote(key, json);
                json.push(':');
                write_json(value, json);
            }
            json.push('}');
        }
    }
}

fn quote(text: &str, json: &mut String) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

/// Tells texts that JSON has without quotes, too.
fn is_literal(text: &str) -> bool {
    use serde_json::Value;
    matches!(
        serde_json::from_str(text),
        Ok(Value::Number(_) | Value::Bool(_))
    )
}

/// Makes an item with a version out of its value, so that the same value has the same one after a restart, too.
pub(crate) fn item(new: NewItem) -> Item {
    let mut digest = Context::new(&SHA256);
    let metadata = new.metadata.iter();
    let texts = metadata.flat_map(|(name, value)| [name, value]);
    for text in std::iter::once(&new.value).chain(texts) {
        digest.update(&(text.len() as u64).to_le_bytes());
        digest.update(text.as_bytes());
    }
    let digest = digest.finish();
    Item {
        key: new.key,
        value: new.value,
        version: hex(&digest.as_ref()[..SHOWN]),
        metadata: new.metadata,
    }
}

/// Selects the items with these keys in order, or all of them where no key is given.
pub(crate) fn select(items: &Items, keys: &[String]) -> Vec<Item> {
    if keys.is_empty() {
        return items.values().cloned().collect();
    }
    let keys: BTreeSet<_> = keys.iter().collect();
    let found = keys.into_iter().filter_map(|key| items.get(key));
    found.cloned().collect()
}

/// The version of a store as of now, and those who wait for another one.
pub(crate) struct Versions(watch::Sender<u64>);

impl Versions {
    pub(crate) fn new(first: u64) -> Self {
        Versions(watch::Sender::new(first))
    }

    pub(crate) fn now(&self) -> u64 {
        *self.0.borrow()
    }

    /// Tells those who wait that the items have changed; the version is none that was there before.
    pub(crate) fn notify(&self, version: u64) {
        self.0.send_replace(version);
    }

    pub(crate) async fn wait(&self, version: &str) -> Result<()> {
        let mut versions = self.0.subscribe();
        while versions.borrow_and_update().to_string() == version {
            let changed = versions.changed().await;
            changed.map_err(|_| Error::unavailable("the store is closed"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn shown(text: &str) -> Result<Vec<String>, String> {
        let tree = wythe_manifest::parse_document(text, Path::new("a.yaml")).unwrap();
        let items = of_tree(&tree, ".")?;
        let items = items.into_iter();
        Ok(items
            .map(|(key, item)| format!("{key}={}", item.value))
            .collect())
    }

    #[test]
    fn nested_keys_are_joined_and_scalars_are_texts() {
        let text = "
            checkout: { enabled: yes, 'limit': 2.50, deep: { er: 010 } }
            name: \"tea \\u00e9\"
            none: null
            empty: ''
            list: [1, 2.50, yes, true, 'x\"y', null, { a: [] }]
        ";
        let expected = [
            "checkout.deep.er=010",
            "checkout.enabled=yes",
            "checkout.limit=2.50",
            "empty=",
            r#"list=[1,2.50,"yes",true,"x\"y",null,{"a":[]}]"#,
            "name=tea é",
        ];
        assert_eq!(shown(text).unwrap(), expected);
        assert!(shown("").unwrap().is_empty());
    }

    #[test]
    fn keys_that_are_long_together_are_refused() {
        let tree = |count: usize| {
            let below: Vec<_> = (0..count).map(|number| format!("k{number}: 1")).collect();
            format!("{}: {{ {} }}", "x".repeat(1_000), below.join(", "))
        };
        assert_eq!(shown(&tree(8_000)).unwrap().len(), 8_000);
        let expected = "its keys have more than 8 MiB once they are flat; shorten the keys of what nests others";
        assert_eq!(shown(&tree(9_000)).unwrap_err(), expected);
    }

    #[test]
    fn what_is_no_object_of_items_is_told() {
        let long = format!("a: {{ {}: 1 }}", "x".repeat(MAX_KEY - 1));
        let cases = [
            ("[1]", "expected an object of items"),
            ("text", "expected an object of items"),
            (
                "{ '': 1 }",
                "a key of 0 bytes; expected 1 to 1024 without NUL",
            ),
            (&long, "a key of 1025 bytes; expected 1 to 1024 without NUL"),
            (
                "{ a.b: 1, a: { b: 2 } }",
                "`a.b` is there twice, once as a key and once nested",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text).unwrap_err(), expected);
        }
    }
}
