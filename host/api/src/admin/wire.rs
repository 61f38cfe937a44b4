//! The form of a command in HTTP: `POST /v1/<block>/<action>`, with its fields as JSON.

use super::Command;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, IntoDeserializer, MapAccess, Visitor, value::StrDeserializer},
    forward_to_deserialize_any,
};
use serde_json::Value;
use std::fmt;

/// The prefix of every path.
const VERSION: &str = "/v1/";
/// The names of the tags that a path stands for.
const TAGS: [&str; 2] = ["block", "action"];

/// Every block with its actions; a test compares them with the commands.
const COMMANDS: [(&str, &[&str]); 11] = [
    ("actors", &["active", "invoke", "list", "state"]),
    ("bindings", &["invoke", "operations"]),
    ("configuration", &["delete", "get", "set"]),
    (
        "crypto",
        &["decrypt", "encrypt", "keys", "public", "sign", "verify"],
    ),
    ("invocation", &["invoke"]),
    (
        "jobs",
        &["delete", "get", "list", "pause", "resume", "schedule"],
    ),
    ("lock", &["holder", "release"]),
    (
        "pubsub",
        &["groups", "letters", "publish", "purge", "redrive"],
    ),
    ("secrets", &["list"]),
    ("state", &["delete", "get", "list", "set"]),
    (
        "workflow",
        &[
            "get",
            "history",
            "list",
            "purge",
            "raise",
            "rerun",
            "resume",
            "start",
            "suspend",
            "sweep",
            "terminate",
        ],
    ),
];

/// The body of an answer that is no success.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// The kind of the error.
    pub error: String,
    pub message: String,
}

/// The command that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    Ping,
    Action(&'static str, &'static str),
}

impl Path {
    /// The command of this path, which is matched whole.
    pub fn find(path: &str) -> Option<Self> {
        let path = path.strip_prefix(VERSION)?;
        let Some((block, action)) = path.split_once('/') else {
            return (path == "ping").then_some(Path::Ping);
        };
        let (block, actions) = COMMANDS.iter().find(|(name, _)| *name == block)?;
        let action = actions.iter().find(|name| **name == action)?;
        Some(Path::Action(block, action))
    }

    /// The only method.
    pub fn method(self) -> &'static str {
        match self {
            Path::Ping => "GET",
            Path::Action(..) => "POST",
        }
    }

    /// Reads the fields of the command.
    pub fn command(self, body: &[u8]) -> serde_json::Result<Command> {
        let Path::Action(block, action) = self else {
            return Ok(Command::Ping);
        };
        let mut fields = serde_json::Deserializer::from_slice(body);
        let named = Named {
            names: [block, action],
            fields: &mut fields,
        };
        let command = Command::deserialize(named)?;
        fields.end()?;
        Ok(command)
    }
}

impl Command {
    /// The method, the path and the body.
    pub fn request(&self) -> serde_json::Result<(&'static str, String, Vec<u8>)> {
        let mut value = serde_json::to_value(self)?;
        let mut names = Vec::new();
        if let Value::Object(fields) = &mut value {
            let tags = TAGS.iter().filter_map(|tag| fields.remove(*tag));
            names.extend(tags.filter_map(|tag| tag.as_str().map(str::to_owned)));
        }
        let path = VERSION.to_owned() + &names.join("/");
        match self {
            Command::Ping => Ok(("GET", path, Vec::new())),
            _ => Ok(("POST", path, serde_json::to_vec(&value)?)),
        }
    }
}

/// An object that has the tags of a path before its own fields.
struct Named<D> {
    names: [&'static str; 2],
    fields: D,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Named<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let names = self.names;
        self.fields.deserialize_map(Before { names, visitor })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Before<V> {
    names: [&'static str; 2],
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Before<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the fields of the command")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<V::Value, A::Error> {
        let tags = TAGS.into_iter().zip(self.names);
        self.visitor.visit_map(Chained {
            tags,
            name: None,
            fields,
        })
    }
}

/// The tags, then the fields.
struct Chained<T, A> {
    tags: T,
    name: Option<&'static str>,
    fields: A,
}

impl<'de, T, A> MapAccess<'de> for Chained<T, A>
where
    T: Iterator<Item = (&'static str, &'static str)>,
    A: MapAccess<'de>,
{
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let Some((tag, name)) = self.tags.next() else {
            return self.fields.next_key_seed(seed);
        };
        self.name = Some(name);
        let tag: StrDeserializer<'_, A::Error> = tag.into_deserializer();
        seed.deserialize(tag).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        let Some(name) = self.name.take() else {
            return self.fields.next_value_seed(seed);
        };
        let name: StrDeserializer<'_, A::Error> = name.into_deserializer();
        seed.deserialize(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::{
        Binary,
        state::{Action, Only, Set, State},
    };

    /// The names that the command knows in place of these.
    fn known(names: [&'static str; 2]) -> Vec<String> {
        let mut fields = serde_json::Deserializer::from_str(
            r#"{"component": "a", "store": "a", "name": "a", "app": "a"}"#,
        );
        let named = Named {
            names,
            fields: &mut fields,
        };
        let error = Command::deserialize(named)
            .expect_err("no such name")
            .to_string();
        let (_, expected) = error.split_once("expected").expect("a list");
        let mut known: Vec<_> = expected.split('`').skip(1).step_by(2).collect();
        known.sort_unstable();
        known.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn every_command_has_its_path_and_no_other_has_one() {
        let mut blocks = known(["nothing", "nothing"]);
        blocks.retain(|name| name != "ping");
        assert_eq!(blocks, COMMANDS.map(|(block, _)| block));
        for (block, actions) in COMMANDS {
            assert_eq!(known([block, "nothing"]), actions, "{block}");
        }
    }

    #[test]
    fn a_command_is_a_path_and_an_object_that_reads_well() {
        let action = Action::Set(Set {
            key: "a\nb".into(),
            value: Binary(vec![0, 255]),
            content_type: None,
            ttl_milliseconds: Some(5),
            only: Only::IfMatch("7".into()),
        });
        let (component, app) = ("statestore".into(), "cart".into());
        let command = Command::State(State {
            component,
            app,
            action,
        });
        let (method, path, body) = command.request().expect("JSON");
        assert_eq!((method, path.as_str()), ("POST", "/v1/state/set"));
        let expected = r#"{"app":"cart","component":"statestore","content_type":null,"key":"a\nb","only":{"if-match":"7"},"ttl_milliseconds":5,"value":"AP8="}"#;
        assert_eq!(String::from_utf8_lossy(&body), expected);
        let read = Path::find(&path).expect("a path").command(&body);
        let again = read.expect("the same command").request().expect("JSON");
        assert_eq!(again, (method, path, body));
        let ping = Command::Ping.request().expect("JSON");
        assert_eq!(ping, ("GET", "/v1/ping".into(), Vec::new()));
    }

    #[test]
    fn a_path_is_matched_whole() {
        let found = Path::Action("state", "get");
        assert_eq!(Path::find("/v1/state/get"), Some(found));
        assert_eq!(Path::find("/v1/ping"), Some(Path::Ping));
        let wrong = [
            "",
            "/",
            "/v1",
            "/v1/",
            "/v1/state",
            "/v1/state/",
            "/v1/state/get/",
            "/v1/state/Get",
            "/v1//get",
            "/v2/state/get",
            "/v1/ping/",
            "/v1/../v1/ping",
        ];
        for path in wrong {
            assert_eq!(Path::find(path), None, "{path}");
        }
    }

    #[test]
    fn fields_are_those_of_the_command() {
        let cases = [
            ("", "EOF while parsing a value"),
            ("[]", "invalid type: sequence, expected an object"),
            ("{}", "missing field `component`"),
            (r#"{"component": "a", "app": "b"}"#, "missing field `key`"),
            (
                r#"{"component": "a", "app": "b", "key": "c", "keys": 1}"#,
                "unknown field `keys`",
            ),
            (
                r#"{"component": "a", "app": "b", "key": "c", "action": "delete"}"#,
                "duplicate field `action`",
            ),
            (
                r#"{"component": "a", "app": "b", "key": "c", "block": "lock"}"#,
                "duplicate field `block`",
            ),
            (
                r#"{"component": "a", "app": "b", "key": "c"} {}"#,
                "trailing characters",
            ),
        ];
        for (body, expected) in cases {
            let path = Path::find("/v1/state/get").expect("a path");
            let error = path.command(body.as_bytes()).expect_err(body).to_string();
            assert!(error.starts_with(expected), "{body}: {error}");
        }
    }
}
