//! Which route an event takes: CEL rules in order, then the default.

use crate::{Error, Result, pubsub::Event};
use cel::{Context, Program, Value};
use serde_json::Value as Json;
use std::{collections::HashMap, sync::Arc};
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
        context.add_variable_from_value("event", attributes(event, source, topic));
        let matched = self
            .rules
            .iter()
            .find(|(program, _)| matches!(program.execute(&context), Ok(Value::Bool(true))));
        matched
            .map(|(_, route)| route.clone())
            .or_else(|| self.default.clone())
    }
}

/// Whether a rule can be used: what is wrong with one in a resource file is told before anything is opened.
pub fn check_rule(rule: &Rule) -> Result<()> {
    compile(rule).map(|_| ())
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

fn attributes(event: &Event, source: &str, topic: &str) -> Value {
    let mut map = HashMap::new();
    for (name, value) in &event.extensions {
        map.insert(name.clone(), text(value));
    }
    let absent = |value: &Option<String>| value.as_deref().map_or(Value::Null, text);
    map.insert("id".to_owned(), absent(&event.id));
    map.insert("type".to_owned(), text(&event.kind));
    map.insert("source".to_owned(), text(source));
    map.insert("topic".to_owned(), text(topic));
    map.insert("subject".to_owned(), absent(&event.subject));
    map.insert("datacontenttype".to_owned(), text(&event.content_type));
    let data = match serde_json::from_slice(&event.data) {
        Ok(json) => value(json),
        Err(_) => text(&String::from_utf8_lossy(&event.data)),
    };
    map.insert("data".to_owned(), data);
    Value::Map(map.into())
}

fn text(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

/// JSON has one kind of number and CEL three: whole numbers become `int`, so that they meet literals such as `2`.
fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(bool),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::Int(int),
            (None, Some(uint)) => Value::UInt(uint),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(Arc::new(text)),
        Json::Array(items) => Value::List(Arc::new(items.into_iter().map(value).collect())),
        Json::Object(fields) => {
            let fields = fields.into_iter().map(|(name, field)| (name, value(field)));
            Value::Map(fields.collect::<HashMap<String, Value>>().into())
        }
    }
}
