//! The form of a command in HTTP: `POST /v1/<block>/<action>`, with its fields as JSON.

use super::{Command, fields::Fields};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The prefix of every path.
const VERSION: &str = "/v1/";
/// The field of a command that has its action.
pub const ACTION: &str = "action";

/// Every block with its actions; a test compares them with the commands.
const COMMANDS: [(&str, &[&str]); 13] = [
    ("actors", &["active", "invoke", "list", "state"]),
    ("bindings", &["invoke", "operations"]),
    ("configuration", &["delete", "get", "set"]),
    (
        "crypto",
        &["decrypt", "encrypt", "keys", "public", "sign", "verify"],
    ),
    (
        "host",
        &["logs", "ps", "purge", "status", "stop", "tenants"],
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
    ("traces", &["get", "list"]),
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
        Command::deserialize(Fields::new(&[block, action], body))
    }
}

impl Command {
    /// The method, the path and the body.
    pub fn request(&self) -> serde_json::Result<(&'static str, String, Vec<u8>)> {
        let (block, fields) = named(serde_json::to_value(self)?);
        let Command::Ping = self else {
            let (action, fields) = flat(fields);
            let path = format!("{VERSION}{block}/{action}");
            return Ok(("POST", path, serde_json::to_vec(&fields)?));
        };
        Ok(("GET", VERSION.to_owned() + &block, Vec::new()))
    }
}

/// A variant's name and its fields.
fn named(variant: Value) -> (String, Map<String, Value>) {
    match variant {
        Value::String(name) => (name, Map::new()),
        Value::Object(fields) => match fields.into_iter().next() {
            Some((name, Value::Object(fields))) => (name, fields),
            Some((name, _)) => (name, Map::new()),
            None => Default::default(),
        },
        _ => Default::default(),
    }
}

/// An action's name, and its fields beside those that are about where it is done.
fn flat(mut fields: Map<String, Value>) -> (String, Map<String, Value>) {
    let Some(action) = fields.remove(ACTION) else {
        return named(Value::Object(fields));
    };
    let (action, more) = named(action);
    fields.extend(more);
    (action, fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::{
        Binary,
        state::{Action, Only, Set, State},
    };

    /// The names that the command knows in place of the last of these.
    fn known(names: &'static [&'static str]) -> Vec<String> {
        let body = br#"{"component": "a", "store": "a", "name": "a", "app": "a"}"#;
        let named = Command::deserialize(Fields::new(names, body));
        let error = named.expect_err("no such name").to_string();
        let (_, expected) = error.split_once("expected").expect("a list");
        let mut known: Vec<_> = expected.split('`').skip(1).step_by(2).collect();
        known.sort_unstable();
        known.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn every_command_has_its_path_and_no_other_has_one() {
        let mut blocks = known(&["nothing"]);
        blocks.retain(|name| name != "ping");
        assert_eq!(blocks, COMMANDS.map(|(block, _)| block));
        for (block, actions) in COMMANDS {
            let names: &'static [&str] = Vec::leak(vec![block, "nothing"]);
            assert_eq!(known(names), actions, "{block}");
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
        let deep = "[".repeat(100_000);
        let cases = [
            ("", "EOF while parsing a value"),
            ("[]", "invalid type: sequence, expected an object"),
            ("{}", "missing field `key`"),
            (r#"{"key": "c"}"#, "missing field `component`"),
            (
                r#"{"key": [1]}"#,
                "invalid type: sequence, expected a string",
            ),
            (&format!(r#"{{"key": {deep}"#), ""),
            (&format!(r#"{{"more": {deep}"#), ""),
            (
                r#"{"component": "a", "app": "b", "key": "c", "keys": 1}"#,
                "unknown field `keys`",
            ),
            (
                r#"{"component": "a", "app": "b", "key": "c", "action": "delete"}"#,
                "unknown field `action`",
            ),
            (r#"{"key": "c", "key": "d"}"#, "duplicate field `key`"),
            (
                r#"{"key": "c", "app": "a", "app": "b"}"#,
                "duplicate field `app`",
            ),
            (
                r#"{"component": "a", "app": "b", "key": "c"} {}"#,
                "trailing characters",
            ),
        ];
        for (body, expected) in cases {
            let path = Path::find("/v1/state/get").expect("a path");
            let error = path.command(body.as_bytes()).expect_err("no command");
            let error = error.to_string();
            let shown: String = body.chars().take(80).collect();
            assert!(error.starts_with(expected), "{shown}: {error}");
        }
    }
}
