//! The tables that are printed, aligned: what was measured beside what was aimed at.

use std::fmt;

/// A bound that a number is held against.
#[derive(Clone, Copy)]
pub enum Aim {
    AtMost(f64, &'static str),
    AtLeast(f64, &'static str),
}

impl Aim {
    fn is_met(self, value: f64) -> bool {
        match self {
            Aim::AtMost(limit, _) => value <= limit,
            Aim::AtLeast(least, _) => value >= least,
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Aim::AtMost(limit, unit) => write!(f, "<= {limit} {unit}"),
            Aim::AtLeast(least, unit) => write!(f, ">= {least} {unit}"),
        }
    }
}

/// One line of a table.
pub struct Row {
    what: String,
    measured: String,
    cpu: String,
    ratio: String,
    aim: String,
    verdict: &'static str,
}

impl Row {
    pub fn new(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Row {
            what: what.into(),
            measured: measured.into(),
            cpu: String::new(),
            ratio: String::new(),
            aim: String::new(),
            verdict: "",
        }
    }

    pub fn not_measured(what: impl Into<String>, why: impl Into<String>) -> Self {
        let mut row = Row::new(what, why);
        row.verdict = NOT_MEASURED;
        row
    }

    /// Microseconds of CPU time for each operation.
    #[must_use]
    pub fn cpu(mut self, each: f64) -> Self {
        self.cpu = format!("{each:.2} us");
        self
    }

    #[must_use]
    pub fn ratio(mut self, text: impl Into<String>) -> Self {
        self.ratio = text.into();
        self
    }

    #[must_use]
    pub fn aim(mut self, aim: Aim, value: f64) -> Self {
        self.aim = aim.to_string();
        self.verdict = if aim.is_met(value) { MET } else { MISSED };
        self
    }

    fn cells(&self) -> [&str; 6] {
        let Row {
            what,
            measured,
            cpu,
            ratio,
            aim,
            verdict,
        } = self;
        [what, measured, cpu, ratio, aim, verdict]
    }
}

const MET: &str = "met";
const MISSED: &str = "missed";
const NOT_MEASURED: &str = "not measured";
const HEAD: [&str; 6] = ["what", "measured", "CPU each", "ratio", "aim", ""];

pub struct Section {
    title: &'static str,
    pub rows: Vec<Row>,
}

impl Section {
    pub fn new(title: &'static str) -> Self {
        let rows = Vec::new();
        Section { title, rows }
    }

    pub fn with(mut self, more: Section) -> Self {
        self.rows.extend(more.rows);
        self
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<[&str; 6]> = std::iter::once(HEAD)
            .chain(self.rows.iter().map(Row::cells))
            .collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
        let widths: Vec<usize> = (0..HEAD.len())
            .map(|column| width(column).unwrap_or(0))
            .collect();
        writeln!(f, "{}", self.title)?;
        for line in lines {
            let cells = line
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            let text = cells.collect::<Vec<_>>().join("  ");
            writeln!(f, "  {}", text.trim_end())?;
        }
        Ok(())
    }
}

/// The number of aims that were met.
#[derive(Default)]
pub struct Score {
    met: usize,
    missed: Vec<String>,
    not_measured: Vec<String>,
}

impl Score {
    pub fn add(&mut self, section: &Section) {
        for row in &section.rows {
            match row.verdict {
                MET => self.met += 1,
                MISSED => self.missed.push(row.what.clone()),
                NOT_MEASURED => self.not_measured.push(row.what.clone()),
                _ => {}
            }
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = self.met + self.missed.len();
        write!(f, "aims: {} of {of} met", self.met)?;
        if !self.missed.is_empty() {
            write!(f, "; missed: {}", self.missed.join(", "))?;
        }
        if !self.not_measured.is_empty() {
            write!(f, "; not measured: {}", self.not_measured.join(", "))?;
        }
        Ok(())
    }
}
