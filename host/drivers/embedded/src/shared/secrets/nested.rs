//! Trees of YAML or JSON as flat names with text values: what is nested has its parents' names before its own.

use std::{collections::BTreeMap, fmt};
use wythe_blocks::secrets::{Found, Value};
use wythe_manifest::Document;

/// Bytes of all flat names: a file of one MiB can ask for a hundred thousand times as many.
const MAX_NAMES: usize = 8 << 20;

/// The way in which secrets are taken out of a tree.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Separator between the names of parents and children.
    pub separator: String,
    /// A nested object at the top is one secret of several values, rather than several secrets.
    pub multi_valued: bool,
}

/// The reason why a tree has no secrets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// The document is no object.
    NoObject,
    /// Two values have one name once they are flat: the name, and how each is nested.
    Clash(String, [String; 2]),
    /// The flat names are too long together.
    TooLong,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::NoObject => f.write_str("expected a JSON object of secrets"),
            Misfit::TooLong => write!(
                f,
                "its names have more than {} MiB once they are flat; shorten the names of what nests others",
                MAX_NAMES >> 20
            ),
            Misfit::Clash(name, [one, other]) => write!(
                f,
                "{one} and {other} both have the name `{}`; rename one of them, or choose another separator",
                name.escape_debug()
            ),
        }
    }
}

/// The secrets of a tree.
pub(crate) fn secrets(tree: &Document, shape: &Shape) -> Result<BTreeMap<String, Found>, Misfit> {
    let Document::Map(entries) = tree else {
        return Err(Misfit::NoObject);
    };
    let mut found = BTreeMap::new();
    let mut ways = Ways::default();
    for (name, below) in entries {
        let mut values = BTreeMap::new();
        let nests = matches!(below, Document::Map(_));
        let separator = &shape.separator;
        if shape.multi_valued && nests {
            ways.take(name, &[name.as_str()])?;
            let mut inner = Ways {
                bytes: ways.bytes,
                ..Ways::default()
            };
            flatten(below, &mut vec![], separator, &mut values, &mut inner)?;
            ways.bytes = inner.bytes;
            found.insert(name.clone(), several(values));
        } else {
            flatten(
                below,
                &mut vec![name.as_str()],
                separator,
                &mut values,
                &mut ways,
            )?;
            let secrets = values.into_iter();
            found.extend(secrets.map(|(name, value)| (name.clone(), Found::one(&name, value))));
        }
    }
    Ok(found)
}

/// Nesting of the value of each flat name.
#[derive(Default)]
struct Ways {
    by_name: BTreeMap<String, String>,
    /// Bytes of the names of the whole tree so far.
    bytes: usize,
}

impl Ways {
    /// A name that somebody has already is nobody's: which of them was meant cannot be known.
    fn take(&mut self, name: &str, way: &[&str]) -> Result<(), Misfit> {
        self.bytes += name.len();
        if self.bytes > MAX_NAMES {
            return Err(Misfit::TooLong);
        }
        let way: Vec<_> = way
            .iter()
            .map(|key| format!("`{}`", key.escape_debug()))
            .collect();
        let way = way.join(" in ");
        match self.by_name.insert(name.to_owned(), way.clone()) {
            Some(first) => Err(Misfit::Clash(name.to_owned(), [first, way])),
            None => Ok(()),
        }
    }
}

fn several(values: BTreeMap<String, Value>) -> Found {
    Found {
        values,
        version: None,
    }
}

/// Flattens a tree: nothing is no value; items of lists are named by their place, from 0. `way` has the keys down to
/// `tree`.
fn flatten<'a>(
    tree: &'a Document,
    way: &mut Vec<&'a str>,
    separator: &str,
    values: &mut BTreeMap<String, Value>,
    ways: &mut Ways,
) -> Result<(), Misfit> {
    match tree {
        Document::Null => Ok(()),
        Document::Text { text, .. } => {
            let name = way.join(separator);
            let nested: Vec<_> = way.iter().rev().copied().collect();
            ways.take(&name, &nested)?;
            values.insert(name, Value::new(text.as_bytes()));
            Ok(())
        }
        Document::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let index = index.to_string();
                let mut way: Vec<&str> = way.iter().copied().chain([index.as_str()]).collect();
                flatten(item, &mut way, separator, values, ways)?;
            }
            Ok(())
        }
        Document::Map(entries) => {
            for (key, value) in entries {
                way.push(key);
                flatten(value, way, separator, values, ways)?;
                way.pop();
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn reported(text: &str, multi_valued: bool) -> Vec<String> {
        let tree = wythe_manifest::parse_document(text, Path::new("a.json")).unwrap();
        let shape = Shape {
            separator: ":".into(),
            multi_valued,
        };
        let mut lines = Vec::new();
        for (name, found) in secrets(&tree, &shape).unwrap() {
            for (key, value) in &found.values {
                let value = String::from_utf8_lossy(value.reveal());
                lines.push(format!("{name}.{key}={value}"));
            }
        }
        lines
    }

    const TREE: &str = r#"{ "a": "p\/\u00e9\ud83d\ude00", "none": null,
        "store": { "password": "r", "ports": [1, 2.50], "tls": { "key": true } } }"#;

    #[test]
    fn nested_objects_are_secrets_with_longer_names() {
        let expected = [
            "a.a=p/é😀",
            "store:password.store:password=r",
            "store:ports:0.store:ports:0=1",
            "store:ports:1.store:ports:1=2.50",
            "store:tls:key.store:tls:key=true",
        ];
        assert_eq!(reported(TREE, false), expected);
    }

    #[test]
    fn nested_objects_may_be_one_secret() {
        let expected = [
            "a.a=p/é😀",
            "store.password=r",
            "store.ports:0=1",
            "store.ports:1=2.50",
            "store.tls:key=true",
        ];
        assert_eq!(reported(TREE, true), expected);
    }

    #[test]
    fn names_that_are_long_together_are_refused() {
        let items = vec!["1"; 10_000].join(",");
        let (short, long) = ("s".repeat(500), "l".repeat(1_000));
        for multi_valued in [false, true] {
            let misfit = |name: &str| {
                let text = format!(r#"{{ "{name}": [{items}], "a": {{ "{name}": [{items}] }} }}"#);
                let tree = wythe_manifest::parse_document(&text, Path::new("a.json")).unwrap();
                let separator = ":".into();
                let shape = Shape {
                    separator,
                    multi_valued,
                };
                secrets(&tree, &shape).err()
            };
            assert_eq!(misfit(&short[..300]), None);
            assert_eq!(misfit(&short), Some(Misfit::TooLong));
            assert_eq!(misfit(&long), Some(Misfit::TooLong));
        }
    }

    #[test]
    fn names_that_become_one_are_refused() {
        let reported = |text: &str, multi_valued: bool| {
            let tree = wythe_manifest::parse_document(text, Path::new("a.json")).unwrap();
            let separator = ":".into();
            let shape = Shape {
                separator,
                multi_valued,
            };
            secrets(&tree, &shape)
                .err()
                .map(|misfit| misfit.to_string())
        };
        let clash = r#"{ "db": { "user": "u" }, "db:user": "clash?" }"#;
        let expected = "`user` in `db` and `db:user` both have the name `db:user`; rename one of them, or choose another separator";
        assert_eq!(reported(clash, false).as_deref(), Some(expected));
        assert_eq!(
            reported(clash, true),
            None,
            "they are a secret of two values and one"
        );
        let inside = r#"{ "a": { "b": { "c": 1 }, "b:c": 2 } }"#;
        let expected = "`c` in `b` and `b:c` both have the name `b:c`; rename one of them, or choose another separator";
        assert_eq!(reported(inside, true).as_deref(), Some(expected));
        let list = r#"{ "a": ["x"], "a:0": "y" }"#;
        assert!(reported(list, false).is_some());
    }
}
