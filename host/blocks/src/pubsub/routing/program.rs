//! The rules of one subscription as one program: read in order, evaluated in order, until one matches.

use super::values;
use crate::{Error, Result, pubsub::Event};
use cel::{Context, Env, ExecutionError, Value, extractors::This};
use regex::Regex;
use std::{
    collections::HashMap,
    fmt::{self, Write},
    sync::{Arc, LazyLock},
};
use wythe_manifest::Expression;

/// Passes over an event that all rules of a subscription may cost.
const MAX_COST: u32 = 128;
/// Bytes of a failure that the log shows.
const MAX_SAID: usize = 200;

static ENVIRONMENT: LazyLock<Arc<Env>> =
    LazyLock::new(|| Arc::new(Env::default().with_optional_support(false).with_stdlib()));

/// Rules that are bounded together.
#[derive(Default)]
pub(super) struct Program {
    rules: Vec<(Expression, String)>,
    patterns: Arc<HashMap<String, Regex>>,
    cost: u32,
    reads_data: bool,
}

/// The first rule that matched, and the first that failed on the way to it.
#[derive(Default)]
pub(super) struct Outcome {
    pub matched: Option<usize>,
    pub failure: Option<String>,
}

impl Program {
    /// Reads one more rule.
    pub fn add(mut self, text: &str) -> Result<Self> {
        let shown = Expression::shown(text);
        let rule = Expression::parse(text)
            .map_err(|wrong| Error::invalid(format!("the rule `{shown}` {wrong}")))?;
        self.cost = self.cost.saturating_add(rule.cost());
        if self.cost > MAX_COST {
            return Err(Error::invalid(format!(
                "the rules up to `{shown}` go over the event {} times; a subscription may {MAX_COST} times",
                self.cost
            )));
        }
        self.reads_data |= rule.reads_data();
        Arc::make_mut(&mut self.patterns).extend(rule.patterns().iter().cloned());
        self.rules.push((rule, shown));
        Ok(self)
    }

    pub fn patterns(&self) -> usize {
        self.patterns.len()
    }

    /// A rule that fails does not match. What is absent is no failure, for it is how events differ.
    pub fn first(&self, event: &Event, source: &str, topic: &str) -> Outcome {
        let mut outcome = Outcome::default();
        let (attributes, lacks_data) = values::attributes(event, source, topic, self.reads_data);
        let mut context = Context::with_env(ENVIRONMENT.clone());
        context.add_variable_as_val("event", attributes);
        if let Err(error) = context.add_function("matches", self.search()) {
            outcome.failure = Some(said(&error));
            return outcome;
        }
        for (index, (rule, shown)) in self.rules.iter().enumerate() {
            let answer = match lacks_data {
                Some(why) if rule.reads_data() => Err(why.to_owned()),
                _ => evaluate(rule, &context),
            };
            match answer {
                Ok(true) => {
                    outcome.matched = Some(index);
                    break;
                }
                Ok(false) => {}
                Err(why) => {
                    outcome
                        .failure
                        .get_or_insert_with(|| format!("`{shown}`: {why}"));
                }
            }
        }
        outcome
    }

    /// Patterns were compiled when the rules were read.
    fn search(
        &self,
    ) -> impl Fn(This<Arc<String>>, Arc<String>) -> Result<bool, ExecutionError> + use<> {
        let patterns = self.patterns.clone();
        move |This(text), pattern| {
            let failed = |why: &str| ExecutionError::function_error("matches", why);
            if text.len() > Expression::MAX_SEARCHED {
                let limit = Expression::MAX_SEARCHED;
                return Err(failed(&format!("the text has more than {limit} bytes")));
            }
            let regex = patterns.get(&*pattern);
            let regex = regex.ok_or_else(|| failed("the pattern is not known"))?;
            Ok(regex.is_match(&text))
        }
    }
}

fn evaluate(rule: &Expression, context: &Context) -> Result<bool, String> {
    match Value::resolve(rule.root(), context) {
        Ok(Value::Bool(answer)) => Ok(answer),
        Ok(other) => Err(format!(
            "it is no condition, but of type {}",
            other.type_of()
        )),
        Err(ExecutionError::NoSuchKey(_)) => Ok(false),
        Err(error) => Err(said(&error)),
    }
}

/// The beginning of an error, which may hold whole events.
fn said(error: &dyn fmt::Display) -> String {
    let mut said = Beginning(String::new());
    // It ends with an error where the rest is not wanted.
    let _ = write!(said, "{error}");
    Expression::shown(&said.0)
}

struct Beginning(String);

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = MAX_SAID.saturating_sub(self.0.len());
        let end = text.floor_char_boundary(left);
        self.0.push_str(&text[..end]);
        if end < text.len() {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}
