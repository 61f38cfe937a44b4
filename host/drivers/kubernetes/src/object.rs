//! The parts of objects and lists that the host reads. Whatever else is in an answer is passed over and takes no memory: held whole, an
//! answer can come to a hundred times its bytes.

use serde::Deserialize;
use wythe_client::few;

/// Objects of one list.
const LISTED: usize = 10_000;

/// A list, or a page of it.
#[derive(Deserialize)]
pub(crate) struct List {
    #[serde(deserialize_with = "few::<LISTED, _, _>")]
    pub items: Vec<Object>,
    #[serde(default)]
    pub metadata: Metadata,
}

#[derive(Default, Deserialize)]
pub(crate) struct Object {
    pub metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub name: Option<String>,
    pub resource_version: Option<String>,
    /// The beginning of the next page.
    #[serde(rename = "continue")]
    pub next: Option<String>,
}

impl Metadata {
    /// The version of an object or a list.
    pub fn version(&self) -> Option<&str> {
        let version = self.resource_version.as_deref()?;
        let is_plain =
            (1..=64).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_graphic());
        is_plain.then_some(version)
    }
}

/// The server's word on a failure.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub kind: String,
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Objects that take a hundred times their bytes where they are held as they are.
    #[test]
    fn what_is_not_asked_for_is_not_held() {
        let listed = |count: usize| {
            let other = r#"{"metadata":{"name":"a","other":[{"":0},{"":0}]},"data":{"":0}}"#;
            format!("{{\"items\":[{}]}}", vec![other; count].join(","))
        };
        let list: List = serde_json::from_str(&listed(2)).unwrap();
        let names = list.items.iter().map(|item| item.metadata.name.as_deref());
        assert_eq!(names.collect::<Vec<_>>(), [Some("a"), Some("a")]);
        assert!(serde_json::from_str::<List>(&listed(LISTED + 1)).is_err());
    }
}
