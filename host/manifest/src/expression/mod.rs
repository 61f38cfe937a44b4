//! Conditions over events: CEL expressions of bounded size, depth and cost, known before an event is looked at.

mod cost;
#[cfg(test)]
mod tests;
mod trip;

pub use trip::{Counts, Trip};

use cel::{IdedExpr, parser::Parser};
use cost::Walk;
use regex::{Regex, RegexBuilder};
use std::{
    panic::{self, UnwindSafe},
    thread,
};

/// Bytes of an expression, so that its parser needs no more than its stack.
const MAX_TEXT: usize = 4096;
/// Bytes of a compiled pattern of `matches`, and of what it caches while it searches.
const MAX_PATTERN: usize = 256 << 10;
/// Characters of an expression, or of what the parser says about it, in an error.
const SHOWN: usize = 160;

/// A condition over an event: a CEL expression without loops, whose cost is at most a stated number of passes over
/// the event.
pub struct Expression {
    root: IdedExpr,
    patterns: Vec<(String, Regex)>,
    cost: u32,
    reads_data: bool,
}

impl Expression {
    /// Bytes of stack of a thread that calls [`Expression::parse`]: four times what the deepest expression takes
    /// in a build without optimization.
    pub const STACK: usize = 64 << 20;
    /// Passes over an event that one expression may cost.
    pub const MAX_COST: u32 = cost::MAX_COST;
    /// Bytes of a text that `matches` searches.
    pub const MAX_SEARCHED: usize = 16 << 10;

    /// Reads an expression, on a thread with a stack of at least [`Expression::STACK`] bytes.
    ///
    /// # Errors
    /// The mistake, as the end of a sentence that begins with the expression.
    pub fn parse(text: &str) -> Result<Self, String> {
        let root = tree(text)?;
        let walk = Walk::over(&root)?;
        let patterns = walk.patterns.into_iter().map(compile);
        Ok(Expression {
            patterns: patterns.collect::<Result<_, _>>()?,
            cost: walk.cost,
            reads_data: walk.reads_data,
            root,
        })
    }

    /// Says whether [`Expression::parse`] takes a text, from any thread: it blocks for some milliseconds.
    ///
    /// # Errors
    /// As those of [`Expression::parse`], and when the system starts no thread.
    pub fn check(text: &str) -> Result<(), String> {
        on_stack(|| Self::parse(text).map(drop))
    }

    /// The text of an expression as errors and logs show it: its beginning, without control characters.
    pub fn shown(text: &str) -> String {
        let mut shown: String = text.chars().take(SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        shown.replace(char::is_control, " ")
    }

    /// The tree, at most 32 deep.
    pub fn root(&self) -> &IdedExpr {
        &self.root
    }

    /// The patterns of `matches`, by their texts.
    pub fn patterns(&self) -> &[(String, Regex)] {
        &self.patterns
    }

    /// Passes over an event that an evaluation takes at most.
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// Returns whether it looks at the event's `data`.
    pub fn reads_data(&self) -> bool {
        self.reads_data
    }
}

/// The tree of a text that is CEL and not too long.
fn tree(text: &str) -> Result<IdedExpr, String> {
    if text.len() > MAX_TEXT {
        return Err(format!(
            "has {} bytes; at most {MAX_TEXT} are allowed",
            text.len()
        ));
    }
    let parsed = Parser::default().parse(text);
    parsed.map_err(|error| no_cel(&error.to_string()))
}

/// Runs what reads an expression on a thread with stack enough for it; blocks until it is over.
fn on_stack<T: Send>(
    parse: impl Fn() -> Result<T, String> + Send + UnwindSafe,
) -> Result<T, String> {
    thread::scope(|scope| {
        let builder = thread::Builder::new()
            .name("expression".into())
            .stack_size(Expression::STACK);
        let running = builder
            .spawn_scoped(scope, || panic::catch_unwind(parse))
            .map_err(|error| format!("could not be read: no thread was started: {error}"))?;
        let parsed = running.join().and_then(|parsed| parsed);
        parsed.unwrap_or_else(|_| Err(no_cel("the parser gave up")))
    })
}

fn no_cel(error: &str) -> String {
    let first = error.lines().next().unwrap_or_default();
    format!("is no CEL expression: {}", Expression::shown(first))
}

fn compile(pattern: String) -> Result<(String, Regex), String> {
    let regex = RegexBuilder::new(&pattern)
        .size_limit(MAX_PATTERN)
        .dfa_size_limit(MAX_PATTERN)
        .build();
    match regex {
        Ok(regex) => Ok((pattern, regex)),
        Err(regex::Error::CompiledTooBig(_)) => Err(format!(
            "has the pattern `{}`, which takes more than {MAX_PATTERN} bytes; repeat less, or name fewer characters \
             (`[a-z]` in place of `\\w`)",
            Expression::shown(&pattern)
        )),
        Err(_) => Err(format!(
            "has the pattern `{}`, which is no regular expression",
            Expression::shown(&pattern)
        )),
    }
}
