//! The words for what is wrong, and the way every answer is printed: as text or as JSON.

use crate::{
    args::{Common, Format},
    log,
};
use serde::Serialize;
use std::{
    borrow::Cow,
    fmt,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};
use wythe_blocks::{
    Notice,
    text::{escape, escape_lines},
};
use wythe_manifest::{Problems, Severity, Source};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub kind: Cow<'static, str>,
    pub message: String,
    /// The place where it was written, if it is about a file.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    #[serde(skip)]
    pub is_warning: bool,
}

/// A place in a file; line and column are counted from 1, and 0 where the file as a whole is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

/// Shows the problem with its place.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = &self.position {
            write!(f, "{position}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { file, line, column } = self;
        match line {
            0 => f.write_str(file),
            _ => write!(f, "{file}:{line}:{column}"),
        }
    }
}

/// The reason why a command could not do what it was asked for.
#[derive(Debug)]
pub struct Failure(pub Vec<Problem>);

pub type Outcome<T = ExitCode> = Result<T, Failure>;

impl Problem {
    pub fn new(message: impl Into<String>) -> Self {
        Problem {
            kind: "invalid".into(),
            message: message.into(),
            position: None,
            is_warning: false,
        }
    }

    /// The same problem at a place, where there is one.
    pub fn placed(self, source: Option<&Source>) -> Self {
        match source {
            Some(source) => self.at(source),
            None => self,
        }
    }

    /// The same problem at a place, unless it has one.
    pub fn at(mut self, source: &Source) -> Self {
        self.position.get_or_insert_with(|| Position {
            file: escape(&source.file.display().to_string()).into_owned(),
            line: source.line,
            column: source.column,
        });
        self
    }

    /// Sorts problems by file, line and column; those without a place come last.
    pub fn sort(problems: &mut [Self]) {
        problems.sort_by(|a, b| {
            (a.position.is_none(), &a.position).cmp(&(b.position.is_none(), &b.position))
        });
    }

    /// The problem as status shows it.
    pub fn notice(&self) -> Notice {
        let position = self.position.as_ref();
        Notice {
            kind: self.kind.to_string(),
            position: position.map(ToString::to_string),
            message: self.message.clone(),
        }
    }

    pub fn warning(message: impl Into<String>) -> Self {
        Problem {
            is_warning: true,
            ..Self::new(message)
        }
    }

    pub fn all(problems: Problems) -> Vec<Self> {
        let convert = |problem: &wythe_manifest::Problem| Problem {
            is_warning: problem.severity == Severity::Warning,
            ..Self::new(problem.text()).at(&problem.source())
        };
        problems.iter().map(convert).collect()
    }
}

impl From<wythe_blocks::Error> for Problem {
    fn from(error: wythe_blocks::Error) -> Self {
        let problem = Problem {
            kind: error.kind().as_str().into(),
            message: error.message().to_owned(),
            position: None,
            is_warning: false,
        };
        match error.position() {
            Some(position) => problem.at(position),
            None => problem,
        }
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Failure(problems)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Failure(vec![problem])
    }
}

impl From<wythe_blocks::Error> for Failure {
    fn from(error: wythe_blocks::Error) -> Self {
        Problem::from(error).into()
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Problem {
            kind: "failed".into(),
            ..Problem::new(format!("{error:#}"))
        }
        .into()
    }
}

/// Tells problems on standard error: one line each, or one JSON object for all.
pub fn show(common: &Common, problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    match common.output {
        Format::Json => {
            let part = |warning: bool| -> Vec<&Problem> {
                let wanted = |problem: &&Problem| problem.is_warning == warning;
                problems.iter().filter(wanted).collect()
            };
            let shown = serde_json::json!({ "errors": part(false), "warnings": part(true) });
            note(&shown.to_string());
        }
        Format::Text => problems.iter().for_each(show_one),
    }
}

fn show_one(problem: &Problem) {
    let (word, colour) = if problem.is_warning {
        ("warning", "33")
    } else {
        ("error", "31")
    };
    let word = paint(is_coloured(&io::stderr()), colour, word);
    note(&format!("{word}: {}", escape_lines(&problem.to_string())));
}

/// Tells them, and ends with 1: what was asked for could not be done.
pub fn fail(common: &Common, failure: &Failure) -> ExitCode {
    show(common, &failure.0);
    ExitCode::from(1)
}

/// Prints a text for people, in which names and values of others cannot move the cursor.
pub fn print_text(text: impl AsRef<str>) {
    print(escape_lines(text.as_ref()).as_ref());
}

/// Prints data as it is. A reader that went away, as `head` does, is no error.
pub fn print(data: impl AsRef<[u8]>) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(data.as_ref()).and_then(|()| out.flush());
}

/// Prints one value as one line of JSON.
pub fn print_json(value: &impl Serialize) {
    // Only maps with keys that are no text fail, and nothing here has one.
    let text = serde_json::to_string(value).unwrap_or_default();
    print(format!("{text}\n"));
}

/// Prints one line that is not data.
pub fn note(line: &str) {
    log::line(line);
}

/// Rows below a head, in columns as wide as they need to be; control characters are escaped.
pub fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let plain = |cell: String| match cell.contains(char::is_control) {
        true => cell.escape_debug().to_string(),
        false => cell,
    };
    let rows: Vec<_> = std::iter::once(head.map(str::to_owned))
        .chain(rows)
        .map(|row| row.map(plain))
        .collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths);
        let line: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text += line.join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// Lists what there is of a thing, a line for each part. Line breaks in a part do not make lines of their own, for an
/// app may have written it.
pub fn details<'a>(parts: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let there = parts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    there
        .map(|(name, value)| format!("{name:8} {}\n", value.replace(['\n', '\r'], " ")))
        .collect()
}

/// A terminal that has not been told to stay plain.
#[expect(
    clippy::disallowed_methods,
    reason = "the command reads the environment"
)]
pub fn is_coloured(stream: &impl IsTerminal) -> bool {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !plain && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Puts a text between the terminal's codes for a colour.
pub fn paint(coloured: bool, colour: &str, text: &str) -> String {
    if coloured {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// A time as people say it.
pub fn time(duration: Duration) -> String {
    match duration.as_millis() {
        milliseconds @ 0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!(
            "{} min {} s",
            duration.as_secs() / 60,
            duration.as_secs() % 60
        ),
    }
}
