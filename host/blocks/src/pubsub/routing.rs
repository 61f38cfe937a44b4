//! Which route an event takes: CEL rules in order, then the default.

use crate::{Error, Result, pubsub::Event};
use cel::{Context, Program, Value};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;
use wythe_manifest::Rule;

/// A subscription's rules, compiled once.
pub(crate) struct Routes {
    rules: Vec<(Arc<Program>, String)>,
    default: Option<String>,
}

impl Routes {
    pub fn compile(rules: &[Rule], default: Option<&str>) -> Result<Self> {
        let default = match default {
            None if rules.is_empty() => Some(String::new()),
            given => given.map(str::to_owned),
        };
        let rules = rules.iter().map(compile).collect::<Result<_>>()?;
        Ok(Routes { rules, default })
    }

    /// The first rule that matches, else the default. A rule that fails on this event, say because it asks for
    /// an attribute that the event lacks, does not match.
    pub fn route(&self, event: &Event, source: &str, topic: &str) -> Option<String> {
        if self.rules.is_empty() {
            return self.default.clone();
        }
        let mut context = Context::default();
        let attributes = attributes(event, source, topic);
        if context.add_variable("event", attributes).is_err() {
            return self.default.clone();
        }
        let matched = self
            .rules
            .iter()
            .find(|(program, _)| matches!(program.execute(&context), Ok(Value::Bool(true))));
        matched
            .map(|(_, route)| route.clone())
            .or_else(|| self.default.clone())
    }
}

fn compile(rule: &Rule) -> Result<(Arc<Program>, String)> {
    let program = Program::compile(&rule.expression).map_err(|error| {
        let first = error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        Error::invalid(format!(
            "the rule `{}` is no CEL expression: {first}",
            rule.expression
        ))
    })?;
    Ok((Arc::new(program), rule.route.clone()))
}

fn attributes(event: &Event, source: &str, topic: &str) -> Json {
    let mut map = Map::new();
    for (name, value) in &event.extensions {
        map.insert(name.clone(), json!(value));
    }
    map.insert("id".into(), json!(event.id));
    map.insert("type".into(), json!(event.kind));
    map.insert("source".into(), json!(source));
    map.insert("topic".into(), json!(topic));
    map.insert("subject".into(), json!(event.subject));
    map.insert("datacontenttype".into(), json!(event.content_type));
    let data = serde_json::from_slice(&event.data)
        .unwrap_or_else(|_| Json::String(String::from_utf8_lossy(&event.data).into_owned()));
    map.insert("data".into(), data);
    Json::Object(map)
}
