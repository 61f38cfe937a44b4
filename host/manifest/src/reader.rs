//! Reading a tree key by key: each wrong value becomes a problem and reading goes on.

use std::cell::RefCell;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::name::shown;
use crate::problem::{Problem, Problems, Severity, Source};
use crate::suggest::{did_you_mean, listed};
use crate::yaml::{Content, Entry, Node, Position};

/// The number of mistakes of one severity in one file after which a reader learns nothing more.
const MAX_PROBLEMS: usize = 100;

/// The mistakes of one file.
pub(crate) struct Report {
    file: PathBuf,
    problems: RefCell<Vec<Problem>>,
}

impl Report {
    pub(crate) fn new(file: &Path) -> Self {
        Self {
            file: file.to_path_buf(),
            problems: RefCell::default(),
        }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) fn error(
        &self,
        position: Position,
        key: String,
        message: &str,
        help: Option<String>,
    ) {
        self.add(position, key, message, help, Severity::Error);
    }

    pub(crate) fn of_file(&self, message: &str) {
        self.error(
            Position { line: 0, column: 0 },
            String::new(),
            message,
            None,
        );
    }

    pub(crate) fn into_problems(self) -> Problems {
        Problems(self.problems.into_inner())
    }

    /// Counts for each severity: an error may not get lost behind warnings.
    fn is_full(&self, severity: Severity) -> bool {
        let problems = self.problems.borrow();
        problems
            .iter()
            .filter(|problem| problem.severity == severity)
            .count()
            >= MAX_PROBLEMS
    }

    fn add(
        &self,
        position: Position,
        key: String,
        message: &str,
        help: Option<String>,
        severity: Severity,
    ) {
        if self.is_full(severity) {
            return;
        }
        let (file, message) = (self.file.clone(), message.to_owned());
        let Position { line, column } = position;
        let problem = Problem {
            file,
            line,
            column,
            key,
            message,
            help,
            severity,
        };
        self.problems.borrow_mut().push(problem);
    }
}

/// A value, its path of keys, and where to report what is wrong with it.
#[derive(Clone)]
pub(crate) struct At<'a> {
    pub(crate) node: &'a Node,
    pub(crate) key: String,
    pub(crate) report: &'a Report,
}

impl<'a> At<'a> {
    pub(crate) fn document(node: &'a Node, report: &'a Report) -> Self {
        Self {
            node,
            key: String::new(),
            report,
        }
    }

    pub(crate) fn error(&self, message: &str) {
        self.report
            .error(self.node.position, self.key.clone(), message, None);
    }

    pub(crate) fn error_with_help(&self, message: &str, help: Option<String>) {
        self.report
            .error(self.node.position, self.key.clone(), message, help);
    }

    pub(crate) fn warn(&self, message: &str) {
        self.report.add(
            self.node.position,
            self.key.clone(),
            message,
            None,
            Severity::Warning,
        );
    }

    pub(crate) fn source(&self) -> Source {
        Source {
            file: self.report.file.clone(),
            line: self.node.position.line,
            column: self.node.position.column,
        }
    }

    /// Reports "expected a, found b", where b is the kind of the value: its text could be a secret.
    pub(crate) fn expected(&self, what: &str) {
        let found = match &self.node.content {
            _ if self.node.is_null() => "nothing",
            Content::Scalar { .. } => "a text",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        };
        self.error(&format!("expected {what}, found {found}"));
    }

    /// A text, number or boolean as it was written; nothing at all is a mistake.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match &self.node.content {
            Content::Scalar { text, .. } if !self.node.is_null() => Some(text),
            _ => {
                self.expected("a text");
                None
            }
        }
    }

    /// Does what [`At::text`] does, and something must be written in it.
    pub(crate) fn filled(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.error("expected a text, found an empty one");
            return None;
        }
        Some(text)
    }

    /// Does what [`At::text`] does, but nothing at all is the empty text.
    pub(crate) fn text_or_empty(&self) -> Option<&'a str> {
        if self.node.is_null() {
            Some("")
        } else {
            self.text()
        }
    }

    /// A text that its type can parse; the error of the type says what is wrong.
    pub(crate) fn parse<T: FromStr<Err: Display>>(&self) -> Option<T> {
        self.text()?
            .parse()
            .map_err(|error: T::Err| self.error(&error.to_string()))
            .ok()
    }

    /// A text that its type can parse; the error of the type is what was expected.
    pub(crate) fn quantity<T: FromStr<Err: Display>>(&self) -> Option<T> {
        let text = self.text()?;
        let parsed = text.parse();
        parsed
            .map_err(|what: T::Err| {
                self.error(&format!("expected {what}, found `{}`", shown(text)))
            })
            .ok()
    }

    /// A whole number; one that is too large is the largest, which no range allows.
    pub(crate) fn count(&self) -> Option<u32> {
        let text = self.text()?;
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            self.error(&format!("expected a whole number, found `{}`", shown(text)));
            return None;
        }
        Some(text.parse().unwrap_or(u32::MAX))
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.text()? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            other => {
                self.error(&format!(
                    "expected `true` or `false`, found `{}`",
                    shown(other)
                ));
                None
            }
        }
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.content, Content::List(_))
    }

    /// The items of a list; a single value is a mistake.
    pub(crate) fn items(&self) -> Vec<At<'a>> {
        let Content::List(items) = &self.node.content else {
            self.expected("a list");
            return Vec::new();
        };
        let at = |(index, node)| At {
            node,
            key: format!("{}[{index}]", self.key),
            report: self.report,
        };
        items.iter().enumerate().map(at).collect()
    }

    /// Each item of a list that its type can parse.
    pub(crate) fn parse_items<T: FromStr<Err: Display>>(&self) -> Vec<T> {
        self.items().iter().filter_map(At::parse).collect()
    }

    /// Each item of a list as a text with something in it.
    pub(crate) fn strings(&self) -> Vec<String> {
        self.items()
            .iter()
            .filter_map(|item| item.filled().map(str::to_owned))
            .collect()
    }

    /// The keys of a mapping, whatever they are called.
    pub(crate) fn entries(&self) -> Option<Vec<(&'a Entry, At<'a>)>> {
        let Content::Map(entries) = &self.node.content else {
            self.expected("a mapping");
            return None;
        };
        Some(
            entries
                .iter()
                .map(|entry| (entry, self.child(&entry.key, &entry.value)))
                .collect(),
        )
    }

    /// A mapping from text to text.
    pub(crate) fn texts(&self) -> Vec<(String, String)> {
        let text =
            |(entry, at): (&Entry, At)| Some((entry.key.clone(), at.text_or_empty()?.to_owned()));
        self.entries()
            .unwrap_or_default()
            .into_iter()
            .filter_map(text)
            .collect()
    }

    /// The keys of a mapping that may hold only the allowed ones.
    pub(crate) fn fields(&self, allowed: &[&str]) -> Option<Fields<'a>> {
        self.fields_of(allowed, &[])
    }

    /// Does what [`At::fields`] does, with further keys that are known but not worth proposing in a list.
    pub(crate) fn fields_of(&self, allowed: &[&str], known: &[&str]) -> Option<Fields<'a>> {
        let entries = self.entries()?;
        let is_known = |key: &str| allowed.contains(&key) || known.contains(&key);
        for (entry, at) in entries.iter().filter(|(entry, _)| !is_known(&entry.key)) {
            if self.report.is_full(Severity::Error) {
                break;
            }
            let message = format!(
                "unknown key; expected one of {}",
                listed(allowed.iter().copied())
            );
            let help = did_you_mean(&entry.key, allowed.iter().chain(known).copied());
            self.report
                .error(entry.position, at.key.clone(), &message, help);
        }
        Some(Fields {
            at: self.clone(),
            entries,
        })
    }

    fn child(&self, name: &str, node: &'a Node) -> At<'a> {
        let name = shown(name);
        let key = if self.key.is_empty() {
            name
        } else {
            format!("{}.{name}", self.key)
        };
        At {
            node,
            key,
            report: self.report,
        }
    }
}

/// The keys of one mapping.
pub(crate) struct Fields<'a> {
    pub(crate) at: At<'a>,
    entries: Vec<(&'a Entry, At<'a>)>,
}

impl<'a> Fields<'a> {
    /// The keys of a mapping before it is known which of them are allowed.
    pub(crate) fn of(at: &At<'a>) -> Option<Self> {
        Some(Self {
            at: at.clone(),
            entries: at.entries()?,
        })
    }

    /// Does as [`Fields::of`], but what is no mapping is told by others.
    pub(crate) fn quiet(at: &At<'a>) -> Option<Self> {
        match at.node.content {
            Content::Map(_) => Self::of(at),
            Content::List(_) | Content::Scalar { .. } => None,
        }
    }

    /// The text of a key, where it has one; another value is told by others.
    pub(crate) fn scalar(&self, name: &str) -> Option<&'a str> {
        match &self.get(name)?.node.content {
            Content::Scalar { text, .. } => Some(text),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// The value of a key, or none when it is missing or nothing is written after it.
    pub(crate) fn get(&self, name: &str) -> Option<At<'a>> {
        self.written(name).filter(|at| !at.node.is_null())
    }

    /// The value of a key even when nothing is written after it.
    pub(crate) fn written(&self, name: &str) -> Option<At<'a>> {
        self.entries
            .iter()
            .find(|(entry, _)| entry.key == name)
            .map(|(_, at)| at.clone())
    }

    /// A key as what `read` makes of it.
    pub(crate) fn read<T>(&self, name: &str, read: impl Fn(&At<'a>) -> Option<T>) -> Option<T> {
        self.get(name).and_then(|at| read(&at))
    }

    /// A key that must be there, as what `read` makes of it.
    pub(crate) fn demand<T>(
        &self,
        name: &str,
        what: &str,
        read: impl Fn(&At<'a>) -> Option<T>,
    ) -> Option<T> {
        self.require(name, what).and_then(|at| read(&at))
    }

    /// A key as a text with something in it.
    pub(crate) fn string(&self, name: &str) -> Option<String> {
        Some(self.get(name)?.filled()?.to_owned())
    }

    /// A key as a list of what its type can parse; missing is empty.
    pub(crate) fn list<T: FromStr<Err: Display>>(&self, name: &str) -> Vec<T> {
        self.get(name)
            .map(|at| at.parse_items())
            .unwrap_or_default()
    }

    /// The value of a key that must be there.
    pub(crate) fn require(&self, name: &str, what: &str) -> Option<At<'a>> {
        let found = self.get(name);
        if found.is_none() {
            self.missing(name, what);
        }
        found
    }

    /// Returns each text in a list under a key, with its place; what is no list of texts is told by others.
    pub(crate) fn scalars(&self, name: &str) -> Vec<(At<'a>, &'a str)> {
        let Some(at) = self.get(name) else {
            return Vec::new();
        };
        let Content::List(nodes) = &at.node.content else {
            return Vec::new();
        };
        let text = |(at, node): (At<'a>, &'a Node)| match &node.content {
            Content::Scalar { text, .. } => Some((at, text.as_str())),
            Content::List(_) | Content::Map(_) => None,
        };
        at.items().into_iter().zip(nodes).filter_map(text).collect()
    }

    /// Says that a key must be there, and what belongs in it.
    pub(crate) fn missing(&self, name: &str, what: &str) {
        self.at.error(&format!("missing `{name}`: {what}"));
    }

    /// Each of the named keys that was written, with its place.
    pub(crate) fn each_of(&self, names: &[&str]) -> Vec<(Position, At<'a>)> {
        let named = self
            .entries
            .iter()
            .filter(|(entry, _)| names.contains(&entry.key.as_str()));
        named
            .map(|(entry, at)| (entry.position, at.clone()))
            .collect()
    }

    /// Warns of each of the named keys that was written.
    pub(crate) fn warn_of(&self, names: &[&str], message: &str) {
        for (position, at) in self.each_of(names) {
            self.at
                .report
                .add(position, at.key, message, None, Severity::Warning);
        }
    }
}
