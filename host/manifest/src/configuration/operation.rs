//! `operations` of a policy: names that are patterns of paths, and which of them a path is.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::{Access, read_access};
use crate::name::shown;
use crate::path::{path_segments, wrong_with_path};
use crate::problem::Source;
use crate::reader::At;
use crate::suggest::{did_you_mean, listed};

/// Operations of a policy: a call looks at each of them.
const MAX_OPERATIONS: usize = 200;
/// Bytes of a name.
const MAX_NAME: usize = 256;

const VERBS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE",
];

/// A pattern of paths, and the action for calls by some verbs.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The name as it was written.
    pub name: String,
    /// The verbs, in upper case; `*` is every one.
    pub verbs: Vec<String>,
    /// The action.
    pub action: Access,
    /// The place where it was written.
    pub source: Source,
    pattern: PathPattern,
}

impl Operation {
    /// The action for a verb; none where it is not among them. As some callees take `get` as GET, case does not count.
    pub(super) fn action(&self, verb: &str) -> Option<Access> {
        let mut verbs = self.verbs.iter();
        let is_named = verbs.any(|one| one == "*" || one.eq_ignore_ascii_case(verb));
        is_named.then_some(self.action)
    }
}

/// A pattern of paths: parts, and what may come after them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct PathPattern {
    parts: Vec<Part>,
    rest: Rest,
}

/// A pattern of one segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    /// `*`
    Any,
    /// `a*b`: texts in this order, the first at the beginning and the last at the end.
    Some(Vec<String>),
    /// A text.
    Only(String),
}

/// The segments that may come after the parts of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Rest {
    /// The end: the pattern is `/`.
    Nothing,
    /// Every path below, as in Dapr.
    Below,
    /// `/*`: one segment or none.
    One,
    /// `/**`: any.
    Any,
}

impl Part {
    fn parse(text: &str) -> Self {
        match text {
            "*" => Part::Any,
            text if text.contains('*') => {
                let texts = text.split('*').map(|text| path_segments(text).concat());
                Part::Some(texts.collect())
            }
            text => Part::Only(path_segments(text).concat()),
        }
    }

    fn matches(&self, segment: &str) -> bool {
        match self {
            Part::Any => true,
            Part::Only(text) => text == segment,
            Part::Some(texts) => {
                let [first, middle @ .., last] = texts.as_slice() else {
                    return false;
                };
                let Some(inner) = segment.strip_prefix(first.as_str()) else {
                    return false;
                };
                let Some(mut inner) = inner.strip_suffix(last.as_str()) else {
                    return false;
                };
                middle.iter().all(|text| match inner.find(text.as_str()) {
                    Some(place) => {
                        inner = &inner[place + text.len()..];
                        true
                    }
                    None => false,
                })
            }
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Part::Any => 1,
            Part::Some(_) => 2,
            Part::Only(_) => 3,
        }
    }
}

impl PathPattern {
    /// Parses a name, with or without the slash at its beginning; an error says what was expected.
    fn parse(name: &str) -> Result<Self, String> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(format!(
                "expected a path of 1 to {MAX_NAME} bytes, found {} bytes",
                name.len()
            ));
        }
        let path = match name.starts_with('/') {
            true => name.to_owned(),
            false => format!("/{name}"),
        };
        if path.contains('?') {
            return Err("has a `?`; expected a path without a query".to_owned());
        }
        if let Some(wrong) = wrong_with_path(&path) {
            return Err(wrong.to_owned());
        }
        let path = path[1..].strip_suffix('/').unwrap_or(&path[1..]);
        let mut texts: Vec<&str> = path.split('/').collect();
        let rest = match texts.last() {
            Some(&"") => Rest::Nothing,
            Some(&"*") => Rest::One,
            Some(&"**") => Rest::Any,
            _ => Rest::Below,
        };
        if rest != Rest::Below {
            texts.pop();
        }
        if texts.iter().any(|text| text.contains("**")) {
            return Err("expected `**` as the last segment and nowhere else".to_owned());
        }
        Ok(PathPattern {
            parts: texts.into_iter().map(Part::parse).collect(),
            rest,
        })
    }

    /// The fit of a path; none where it does not match.
    fn fit(&self, segments: &[String]) -> Option<Fit<'_>> {
        let pairs = self.parts.iter().zip(segments);
        let is_longer = segments.len() >= self.parts.len();
        if !is_longer || !pairs.clone().all(|(part, segment)| part.matches(segment)) {
            return None;
        }
        let end = match (self.rest, segments.len() - self.parts.len()) {
            (Rest::Nothing | Rest::Below, 0) => End::Whole,
            (Rest::Nothing, _) => return None,
            (Rest::Below, _) => End::Below,
            (Rest::One, 1) => End::Star,
            (Rest::One, 0) | (Rest::Any, _) => End::Rest,
            (Rest::One, _) => return None,
        };
        Some(Fit {
            parts: &self.parts,
            end,
        })
    }
}

/// The fit of a path and a pattern: what is written out counts more than what is left to `*`, segment by segment, and the
/// longer pattern more than the shorter one.
struct Fit<'a> {
    parts: &'a [Part],
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The path goes on below a pattern without `**`.
    Below,
    /// `**`, or a `*` for which there is no segment.
    Rest,
    /// The pattern and the path end together.
    Whole,
    /// A `*` at the end stands for the last segment.
    Star,
}

impl Fit<'_> {
    fn compare(&self, other: &Self) -> Ordering {
        let ranks = |fit: &Self| -> Vec<u8> {
            let star = (fit.end == End::Star).then_some(Part::Any.rank());
            fit.parts.iter().map(Part::rank).chain(star).collect()
        };
        let end = |fit: &Self| match fit.end {
            End::Star => End::Whole,
            end => end,
        };
        let by_rank = ranks(self).cmp(&ranks(other));
        by_rank.then_with(|| end(self).cmp(&end(other)))
    }
}

/// The operation that fits a path best; of two that fit equally well, the first that was written.
pub(super) fn best<'a>(operations: &'a [Operation], segments: &[String]) -> Option<&'a Operation> {
    let fits = operations.iter();
    let fits = fits.filter_map(|operation| Some((operation, operation.pattern.fit(segments)?)));
    let better = |one: (&'a Operation, Fit<'a>), other: (&'a Operation, Fit<'a>)| match other
        .1
        .compare(&one.1)
    {
        Ordering::Greater => other,
        _ => one,
    };
    fits.reduce(better).map(|(operation, _)| operation)
}

/// Reads the list; an operation that cannot be read is a problem, and so is one that is written twice.
pub(super) fn read_operations(at: &At) -> Vec<Operation> {
    let items = at.items();
    if items.len() > MAX_OPERATIONS {
        at.error(&format!(
            "has {} operations; at most {MAX_OPERATIONS} are allowed for a caller; `/a/*` and `/a/**` join some",
            items.len()
        ));
        return Vec::new();
    }
    let mut first: HashMap<PathPattern, u32> = HashMap::new();
    let mut operations = Vec::new();
    for item in &items {
        let Some(operation) = read_operation(item) else {
            continue;
        };
        let line = operation.source.line;
        if let Some(other) = first.insert(operation.pattern.clone(), line) {
            item.error(&format!(
                "the operation `{}` is already in line {other}; write all its verbs there",
                shown(&operation.name)
            ));
        }
        operations.push(operation);
    }
    operations
}

fn read_operation(at: &At) -> Option<Operation> {
    let fields = at.fields(&["name", "httpVerb", "action"])?;
    let action = fields.demand("action", "`allow` or `deny`", read_access);
    let verbs = fields.demand("httpVerb", "verbs, or `['*']` for every one", read_verbs);
    let name = fields.demand("name", "the path of the operation", |at| {
        let text = at.text()?;
        let parsed = PathPattern::parse(text);
        let parsed = parsed.map_err(|wrong| at.error(&format!("`{}`: {wrong}", shown(text))));
        Some((text.to_owned(), parsed.ok()?))
    });
    let (name, pattern) = name?;
    Some(Operation {
        name,
        pattern,
        verbs: verbs?,
        action: action?,
        source: at.source(),
    })
}

/// A verb that is misspelt would match no call.
fn read_verbs(at: &At) -> Option<Vec<String>> {
    let mut verbs = Vec::new();
    for item in at.items() {
        let text = item.text()?;
        let verb = text.to_ascii_uppercase();
        if verb != "*" && !VERBS.contains(&verb.as_str()) {
            let message = format!(
                "`{}` is no verb; expected `*` or one of {}",
                shown(text),
                listed(VERBS)
            );
            item.error_with_help(&message, did_you_mean(text, VERBS));
            return None;
        }
        if !verbs.contains(&verb) {
            verbs.push(verb);
        }
    }
    if verbs.is_empty() {
        at.error("expected verbs, or `['*']` for every one, found none");
        return None;
    }
    Some(verbs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(names: &[&'a str], path: &str) -> Option<&'a str> {
        let segments = path_segments(path);
        let operations: Vec<_> = names
            .iter()
            .map(|name| Operation {
                name: (*name).to_owned(),
                verbs: vec!["*".to_owned()],
                action: Access::Allow,
                source: Source::default(),
                pattern: PathPattern::parse(name).expect("a pattern"),
            })
            .collect();
        let found = best(&operations, &segments)?;
        names.iter().find(|name| **name == found.name).copied()
    }

    #[test]
    fn a_pattern_matches_as_in_dapr() {
        for (name, path, expected) in [
            ("/a", "/a", true),
            ("a", "/a", true),
            ("/A", "/a", true),
            ("/a", "/A", true),
            ("/a/", "/a", true),
            ("/a", "/a/", true),
            ("/a", "/a?b=c", true),
            ("/a", "/%61", true),
            ("/%61", "/a", true),
            ("/a b", "/a%20b", true),
            ("/a", "/ab", false),
            ("/a", "/", false),
            // Dapr's trie ends at the first node that has an action.
            ("/a", "/a/b", true),
            ("/", "/", true),
            ("/", "/a", false),
            ("/a/*", "/a", true),
            ("/a/*", "/a/", true),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/b/c", false),
            ("/a/**", "/a", true),
            ("/a/**", "/a/b/c", true),
            ("/**", "/", true),
            ("/**", "/a/b", true),
            ("/*", "/a", true),
            ("/*", "/a/b", false),
            ("/a/*/c", "/a/b/c", true),
            ("/a/*/c", "/a/b/d", false),
            ("/a*d", "/abcd", true),
            ("/a*d", "/ad", true),
            ("/a*d", "/a", false),
            ("/*c", "/abc", true),
            ("/ab*.a", "/ABC.a", true),
            ("/a*b*c", "/aXbXc", true),
            ("/a*b*c", "/ac", false),
            ("/aa*aa", "/aaa", false),
        ] {
            let found = found(&[name], path).is_some();
            assert_eq!(found, expected, "{name} {path}");
        }
    }

    #[test]
    fn the_most_specific_operation_decides_wherever_it_stands() {
        for (names, path, expected) in [
            (["/api/*", "/api/state"], "/api/state", "/api/state"),
            (["/api/*", "/api/state"], "/api/other", "/api/*"),
            (["/api/**", "/api/*"], "/api/x", "/api/*"),
            (["/api/**", "/api/*"], "/api/x/y", "/api/**"),
            (["/a", "/a/b"], "/a/b/c", "/a/b"),
            (["/a", "/a/*"], "/a", "/a"),
            (["/a", "/a/*"], "/a/b", "/a/*"),
            (["/a", "/a/**"], "/a/b/c", "/a/**"),
            (["/a*", "/*"], "/ab", "/a*"),
            (["/**", "/a/*/c"], "/a/b/c", "/a/*/c"),
            (["/*/b", "/a/*"], "/a/b", "/a/*"),
        ] {
            let [one, other] = names;
            assert_eq!(found(&[one, other], path), Some(expected), "{path}");
            assert_eq!(found(&[other, one], path), Some(expected), "{path}");
        }
        assert_eq!(found(&["/a*", "/*b"], "/ab"), Some("/a*"));
        assert_eq!(found(&["/*b", "/a*"], "/ab"), Some("/*b"));
    }

    #[test]
    fn a_name_is_a_plain_path() {
        for name in [
            "", "//a", "/a//b", "/a/..", "/./a", "/a%2fb", "/a\\b", "/a#b", "/a?b", "/a%2",
            "/a/**/b", "/a**",
        ] {
            assert!(PathPattern::parse(name).is_err(), "{name}");
        }
        assert!(PathPattern::parse(&"a".repeat(MAX_NAME)).is_ok());
        assert!(PathPattern::parse(&"a".repeat(MAX_NAME + 1)).is_err());
    }
}
