//! The choice of an event's route: CEL rules in order, then the default.

mod failures;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod program;
mod thread;
mod values;

use crate::{Error, Result, pubsub::Event};
use failures::Failures;
use program::Program;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
pub(crate) use thread::RuleThread;
use tokio::sync::Mutex;
use wythe_manifest::Rule;

/// Bytes of all rules of one subscription.
const MAX_TEXT: usize = 64 << 10;
/// Patterns of `matches` in all subscriptions of one app: each is kept compiled.
const MAX_PATTERNS: usize = 64;
/// An app's next evaluation waits for so many times what its last one took, so that it has at most a quarter of the
/// thread that all apps share.
const REST: u32 = 3;
/// Rests shorter than this are added up: the clock is no finer.
const SHORTEST_REST: Duration = Duration::from_millis(2);

/// The share of the thread for rules that one app may take: one evaluation at a time, and a rest after it.
pub(super) struct Share {
    thread: Arc<RuleThread>,
    rest: Mutex<Duration>,
    patterns: AtomicUsize,
}

impl Share {
    pub fn new(thread: Arc<RuleThread>) -> Self {
        Share {
            thread,
            rest: Mutex::default(),
            patterns: AtomicUsize::new(MAX_PATTERNS),
        }
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let mut rest = self.rest.lock().await;
        let (answer, took) = self.thread.run(work).await?;
        *rest += took * REST;
        if *rest >= SHORTEST_REST {
            tokio::time::sleep(std::mem::take(&mut *rest)).await;
        }
        Ok(answer)
    }

    fn take_patterns(&self, count: usize) -> Result<()> {
        let left = |left: usize| left.checked_sub(count);
        match self.patterns.fetch_update(Relaxed, Relaxed, left) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::invalid(format!(
                "the rules of the app have more than {MAX_PATTERNS} patterns of `matches`"
            ))),
        }
    }
}

/// A subscription's rules, read once.
pub(super) struct Routes {
    program: Arc<Program>,
    routes: Vec<String>,
    default: Option<String>,
    share: Arc<Share>,
    failures: Failures,
}

impl Routes {
    /// Reads the rules, on the thread for rules.
    ///
    /// # Errors
    /// `invalid` that names the rule and says what is wrong with it; what the system says when it starts no thread.
    pub async fn compile(
        rules: &[Rule],
        default: Option<&str>,
        share: &Arc<Share>,
    ) -> Result<Self> {
        let default = match default {
            None if rules.is_empty() => Some(String::new()),
            given => given.map(str::to_owned),
        };
        let bytes: usize = rules.iter().map(|rule| rule.expression.len()).sum();
        if bytes > MAX_TEXT {
            return Err(Error::invalid(format!(
                "the rules of the subscription have {bytes} bytes; at most {MAX_TEXT} are allowed"
            )));
        }
        let mut program = Program::default();
        for rule in rules {
            let text = rule.expression.clone();
            program = share.run(move || program.add(&text)).await??;
        }
        share.take_patterns(program.patterns())?;
        Ok(Routes {
            program: Arc::new(program),
            routes: rules.iter().map(|rule| rule.route.clone()).collect(),
            default,
            share: share.clone(),
            failures: Failures::default(),
        })
    }

    /// The first rule that matches, else the default. A rule that fails on this event, say because it asks for
    /// an attribute that the event lacks, does not match; a failure for another reason is logged.
    ///
    /// # Errors
    /// `internal` when the thread for rules is gone: then no route is known.
    pub async fn route(&self, event: &Event, source: &str, topic: &str) -> Result<Option<String>> {
        if self.routes.is_empty() {
            return Ok(self.default.clone());
        }
        let (program, event) = (self.program.clone(), event.clone());
        let (from, on) = (source.to_owned(), topic.to_owned());
        let evaluate = move || program.first(&event, &from, &on);
        let outcome = self.share.run(evaluate).await?;
        if let Some(failure) = outcome.failure {
            self.failures.report(topic, &failure);
        }
        let matched = outcome.matched.and_then(|rule| self.routes.get(rule));
        Ok(matched.or(self.default.as_ref()).cloned())
    }
}

#[cfg(test)]
mod tests;
