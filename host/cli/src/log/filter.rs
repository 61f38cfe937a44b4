//! The filter of the log: levels, for all or for what begins with a target.

use crate::args::Common;
use tracing_subscriber::filter::{LevelFilter, Targets};
use wythe_api::ACCESS;

const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];
/// Bytes of a filter, and the parts of one.
const MAX_BYTES: usize = 4_096;
const MAX_PARTS: usize = 100;

/// The filter by the options of the command.
fn by_options(common: &Common) -> Targets {
    let all = Targets::new();
    match (common.quiet, common.verbose) {
        (true, _) => all.with_default(LevelFilter::WARN),
        (false, 0) => all.with_default(LevelFilter::INFO),
        // Each crate of the project has a name that begins so.
        (false, 1) => all
            .with_default(LevelFilter::INFO)
            .with_target("wythe", LevelFilter::DEBUG),
        (false, _) => all.with_default(LevelFilter::DEBUG),
    }
}

/// The filter by `WYTHE_LOG` where it is set, else by the options; the request log is on where the command says so.
pub fn filter(common: &Common, text: Option<&str>, access: bool) -> Result<Targets, String> {
    let filter = match text {
        Some(text) => parse(text).map_err(|problem| format!("WYTHE_LOG: {problem}"))?,
        None => by_options(common),
    };
    let level = match access {
        true => LevelFilter::INFO,
        false => LevelFilter::OFF,
    };
    Ok(filter.with_target(ACCESS, level))
}

/// Reads `LEVEL` and `TARGET=LEVEL`, with commas between; without a level for all the others say nothing.
fn parse(text: &str) -> Result<Targets, String> {
    let parts: Vec<_> = text.split(',').map(str::trim).collect();
    if text.len() > MAX_BYTES || parts.len() > MAX_PARTS {
        return Err(format!(
            "{} bytes in {} parts; expected at most {MAX_BYTES} bytes in {MAX_PARTS} parts",
            text.len(),
            parts.len()
        ));
    }
    let mut filter = Targets::new();
    for part in parts {
        let read = match part.split_once('=') {
            None => level(part).map(|level| filter.clone().with_default(level)),
            Some((target, text)) if is_target(target) => {
                level(text).map(|level| filter.clone().with_target(target, level))
            }
            Some(_) => None,
        };
        filter = read.ok_or_else(|| {
            format!(
                "`{}`: expected a level (off, error, warn, info, debug or trace) or TARGET=LEVEL, with commas between them, such as `info,wythe_blocks::pubsub=debug`",
                part.escape_debug()
            )
        })?;
    }
    Ok(filter)
}

fn level(text: &str) -> Option<LevelFilter> {
    let found = LEVELS
        .iter()
        .find(|(name, _)| text.eq_ignore_ascii_case(name));
    found.map(|(_, level)| *level)
}

/// The path of a module, or its beginning.
fn is_target(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-');
    !text.is_empty() && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    fn passes(text: &str, target: &str, level: Level) -> bool {
        parse(text).unwrap().would_enable(target, &level)
    }

    #[test]
    fn a_level_is_for_all_and_a_target_for_what_begins_with_it() {
        assert!(passes("info", "hyper", Level::INFO));
        assert!(!passes("info", "hyper", Level::DEBUG));
        let text = "warn, wythe_blocks::pubsub=DEBUG,h2=off";
        assert!(passes(text, "wythe_blocks::pubsub::delivery", Level::DEBUG));
        assert!(!passes(text, "wythe_blocks::state", Level::INFO));
        assert!(!passes(text, "h2", Level::ERROR));
    }

    #[test]
    fn what_is_no_filter_is_refused_with_what_is_one() {
        let wrong = [
            "",
            "verbose",
            "info,",
            "wythe=loud",
            "=info",
            "a b=info",
            "[span]=debug",
            "wythe",
        ];
        for text in wrong {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains("expected a level"), "{problem}");
        }
        assert!(parse(&"info,".repeat(200)).is_err());
        assert!(parse(&"x".repeat(5_000)).is_err());
    }

    #[test]
    fn requests_are_logged_where_the_command_says_so() {
        let common = Common {
            output: crate::args::Format::Text,
            log_format: crate::args::LogFormat::Text,
            verbose: 2,
            quiet: false,
        };
        let is_on = |text, access| {
            let filter = filter(&common, text, access).unwrap();
            filter.would_enable(ACCESS, &Level::INFO)
        };
        assert!(!is_on(None, false));
        assert!(is_on(None, true));
        assert!(!is_on(Some("trace"), false));
        assert!(is_on(Some("error"), true));
    }
}
