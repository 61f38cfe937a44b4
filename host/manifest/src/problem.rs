//! Mistakes in what a user wrote: where each one is, what was expected, and what to do about it.

use std::fmt;
use std::path::PathBuf;

/// The place in a file that something was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The file as it was named to the loader.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
}

impl Source {
    /// A mistake at this place; `key` is its path of keys.
    pub fn problem(&self, key: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem {
            line: self.line,
            column: self.column,
            key: key.into(),
            ..Problem::of_file(&self.file, message)
        }
    }

    /// The file's name and the line: for a guest, which may not learn where the host keeps its files.
    pub fn short(&self) -> String {
        let name = self.file.file_name().unwrap_or_default();
        format!("{}:{}", name.to_string_lossy(), self.line)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file.display()),
            line => write!(f, "{}:{line}", self.file.display()),
        }
    }
}

/// The weight of a problem: some stop the program from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be used as it is.
    Error,
    /// Something has no effect; the rest is used.
    Warning,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file the mistake is in.
    pub file: PathBuf,
    /// The line, counted from 1; 0 when the problem is the file as a whole.
    pub line: u32,
    /// The column in characters, counted from 1; 0 when the problem is the file as a whole.
    pub column: u32,
    /// The path of keys, such as `apps[1].grants.state`; empty when there is none.
    pub key: String,
    /// The message: what was expected and what was found.
    pub message: String,
    /// The text to write instead, where that is known.
    pub help: Option<String>,
    /// The severity, which says whether it stops the program from starting.
    pub severity: Severity,
}

impl Problem {
    /// An error about a whole file or directory rather than a place in it.
    pub fn of_file(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: 0,
            column: 0,
            key: String::new(),
            message: message.into(),
            help: None,
            severity: Severity::Error,
        }
    }

    /// The same problem with advice on what to do.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same problem, which stops nothing.
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The place in its file.
    pub fn source(&self) -> Source {
        Source {
            file: self.file.clone(),
            line: self.line,
            column: self.column,
        }
    }

    /// Tells what is wrong, without the place, on one line.
    pub fn text(&self) -> String {
        escaped(&self.words())
    }

    fn words(&self) -> String {
        let mut text = String::new();
        if !self.key.is_empty() {
            text.push_str(&format!("{}: ", self.key));
        }
        text.push_str(&self.message);
        if let Some(help) = &self.help {
            text.push_str(&format!("; {help}"));
        }
        text
    }

    fn line_of_text(&self) -> String {
        let mut text = format!("{}:", self.file.display());
        if self.line > 0 {
            text.push_str(&format!("{}:{}:", self.line, self.column));
        }
        if self.severity == Severity::Warning {
            text.push_str(" warning:");
        }
        format!("{text} {}", self.words())
    }
}

/// One line, whatever was written in the file: control characters are escaped.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&self.line_of_text()))
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => escaped.extend(character.escape_default()),
            false => escaped.push(character),
        }
    }
    escaped
}

/// Every mistake that was found, not only the first; displayed one per line, in the order of file and line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Returns whether nothing at all is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether any of them stops the program from starting.
    pub fn has_errors(&self) -> bool {
        self.0
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }

    /// The problems in the order of file, line and column.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        let mut sorted: Vec<&Problem> = self.0.iter().collect();
        sorted.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        sorted.into_iter()
    }

    /// Adds the problems of another part.
    pub fn extend(&mut self, other: Problems) {
        self.0.extend(other.0);
    }

    /// The value, unless an error (not merely a warning) was found.
    pub fn into_result<T>(self, value: T) -> Result<T, Problems> {
        if self.has_errors() {
            Err(self)
        } else {
            Ok(value)
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}
