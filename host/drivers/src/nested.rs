//! Trees of YAML or JSON as flat names with text values: what is nested has its parents' names before its own.

use std::collections::BTreeMap;
use wythe_blocks::secrets::{Found, Value};
use wythe_manifest::Document;

/// How secrets are taken out of a tree.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Between the names of parents and children.
    pub separator: String,
    /// A nested object at the top is one secret of several values, rather than several secrets.
    pub multi_valued: bool,
}

/// The secrets of a tree; none where it is no object.
pub(crate) fn secrets(tree: &Document, shape: &Shape) -> Option<BTreeMap<String, Found>> {
    let Document::Map(entries) = tree else {
        return None;
    };
    let mut found = BTreeMap::new();
    for (name, below) in entries {
        let mut values = BTreeMap::new();
        let nests = matches!(below, Document::Map(_));
        if shape.multi_valued && nests {
            flatten(below, "", &shape.separator, &mut values);
            found.insert(name.clone(), several(values));
        } else {
            flatten(below, name, &shape.separator, &mut values);
            let secrets = values.into_iter();
            found.extend(secrets.map(|(name, value)| (name.clone(), Found::one(&name, value))));
        }
    }
    Some(found)
}

fn several(values: BTreeMap<String, Value>) -> Found {
    Found {
        values,
        version: None,
    }
}

/// Nothing is no value; items of lists are named by their place, from 0.
fn flatten(tree: &Document, name: &str, separator: &str, values: &mut BTreeMap<String, Value>) {
    let below = |key: &str| match name {
        "" => key.to_owned(),
        _ => format!("{name}{separator}{key}"),
    };
    match tree {
        Document::Null => {}
        Document::Text { text, .. } => {
            values.insert(name.to_owned(), Value::new(text.as_bytes()));
        }
        Document::List(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, &below(&index.to_string()), separator, values);
            }
        }
        Document::Map(entries) => {
            for (key, value) in entries {
                flatten(value, &below(key), separator, values);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn told(text: &str, multi_valued: bool) -> Vec<String> {
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
        "redis": { "password": "r", "ports": [1, 2.50], "tls": { "key": true } } }"#;

    #[test]
    fn nested_objects_are_secrets_with_longer_names() {
        let expected = [
            "a.a=p/é😀",
            "redis:password.redis:password=r",
            "redis:ports:0.redis:ports:0=1",
            "redis:ports:1.redis:ports:1=2.50",
            "redis:tls:key.redis:tls:key=true",
        ];
        assert_eq!(told(TREE, false), expected);
    }

    #[test]
    fn nested_objects_may_be_one_secret() {
        let expected = [
            "a.a=p/é😀",
            "redis.password=r",
            "redis.ports:0=1",
            "redis.ports:1=2.50",
            "redis.tls:key=true",
        ];
        assert_eq!(told(TREE, true), expected);
    }
}
