//! Requests whose target matches a pattern; all others are refused.

use async_trait::async_trait;
use http::{Request, Response};
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use std::sync::Arc;
use wythe_blocks::{
    Body, Error, Result, Site, Wrong,
    middleware::{Driver, Next, Visit},
};

/// Bytes of a pattern, and of what it is compiled to.
const PATTERN: usize = 4 << 10;
const COMPILED: usize = 256 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// Regular expression for the path and the query.
    rule: String,
}

pub(super) fn parse(config: Config) -> Result<RouterChecker, Wrong> {
    let rule = pattern("rule", &config.rule)?;
    Ok(RouterChecker { rule })
}

/// A pattern that is searched in linear time, whatever the text.
pub(super) fn pattern(setting: &'static str, text: &str) -> Result<Regex, Wrong> {
    let wrong = |message| Wrong::new(setting, Error::invalid(message));
    if text.is_empty() || text.len() > PATTERN {
        let found = text.len();
        return Err(wrong(format!(
            "`{setting}` has {found} bytes; expected a regular expression of 1 to {PATTERN}"
        )));
    }
    let built = RegexBuilder::new(text).size_limit(COMPILED).build();
    built.map_err(|error| {
        let error = error.to_string();
        let last = error.lines().last().unwrap_or_default().trim();
        wrong(format!(
            "`{setting}`: {}; expected a regular expression in the syntax of RE2, without back references and look-around",
            last.trim_start_matches("error: ")
        ))
    })
}

pub(super) async fn open(checker: RouterChecker, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(checker))
}

pub(super) struct RouterChecker {
    rule: Regex,
}

#[async_trait]
impl Driver for RouterChecker {
    async fn handle(
        &self,
        _: &Arc<Visit>,
        request: Request<Body>,
        next: Next,
    ) -> Result<Response<Body>> {
        let target = request.uri().path_and_query();
        let target = target.map_or("/", |target| target.as_str());
        match self.rule.is_match(target) {
            true => Ok(next.run(request).await),
            false => Err(Error::invalid(format!(
                "the target {} does not match `rule`",
                target.escape_debug()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let wrong = pattern("rule", text).err().map(Error::from);
        wrong.expect("a wrong pattern").message().to_owned()
    }

    #[test]
    fn a_pattern_is_linear_and_small() {
        assert!(pattern("rule", "^[A-Za-z0-9/._-]+$").is_ok());
        let expected = "`rule` has 0 bytes; expected a regular expression of 1 to 4096";
        assert_eq!(error(""), expected);
        for text in [r"(a)\1", "(?=a)", "a{1000}{1000}", "("] {
            let reported = error(text);
            assert!(reported.contains("syntax of RE2"), "{reported}");
        }
    }
}
