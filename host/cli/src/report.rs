//! What people read when something is wrong: what, where, why, and what to do; as text or as JSON.

use serde::Serialize;
use std::process::ExitCode;
use wythe_manifest::{Problems, Severity};

/// One thing that is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    pub kind: &'static str,
    pub message: String,
    #[serde(skip)]
    pub is_warning: bool,
}

impl Problem {
    pub fn new(message: impl Into<String>) -> Self {
        Problem {
            kind: "invalid",
            message: message.into(),
            is_warning: false,
        }
    }

    pub fn all(problems: Problems) -> Vec<Self> {
        let convert = |problem: &wythe_manifest::Problem| Problem {
            kind: "invalid",
            message: problem.to_string(),
            is_warning: problem.severity == Severity::Warning,
        };
        problems.iter().map(convert).collect()
    }
}

impl From<wythe_blocks::Error> for Problem {
    fn from(error: wythe_blocks::Error) -> Self {
        Problem {
            kind: error.kind().as_str(),
            message: error.message().to_owned(),
            is_warning: false,
        }
    }
}

/// Tells problems on standard error.
pub fn tell(problems: &[Problem]) {
    for problem in problems {
        let word = if problem.is_warning {
            "warning"
        } else {
            "error"
        };
        eprintln!("{word}: {}", problem.message);
    }
}

/// Tells them, and ends with 1: what was asked for could not be done.
pub fn fail(problems: &[Problem]) -> ExitCode {
    tell(problems);
    ExitCode::from(1)
}
