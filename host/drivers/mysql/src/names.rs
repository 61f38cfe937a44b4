//! Names of schemas and tables, which become text of SQL: nothing but letters, digits and underscores, so that nothing can be
//! said with one but the name.

use std::fmt;
use wythe_blocks::{Error, Result, Wrong};

/// Letters of a name that the server takes, and of an ending behind it.
const LONGEST: usize = 64;
const ENDING: usize = 16;

/// A name. It is shown quoted, as SQL has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name(String);

impl Name {
    /// Reads a name that `setting` has, or the default.
    pub fn parse(
        setting: &'static str,
        written: Option<&str>,
        default: &str,
    ) -> Result<Self, Wrong> {
        let written = written.unwrap_or(default);
        let is_known = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_good = (1..=LONGEST - ENDING).contains(&written.len());
        if is_good && written.chars().all(is_known) {
            return Ok(Name(written.to_owned()));
        }
        let shown = written.escape_debug().take(80).collect::<String>();
        let text = format!(
            "`{setting}: {shown}` is no name; expected letters, digits and `_`, at most {} of them",
            LONGEST - ENDING
        );
        Err(Wrong::new(setting, Error::invalid(text)))
    }

    /// The name as people write it.
    pub fn plain(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_else_can_be_said_with_a_name() {
        let good = Name::parse("tableName", Some("State_2"), "state").unwrap();
        assert_eq!(good.to_string(), "`State_2`");
        let long = "a".repeat(49);
        for name in [
            "", "a b", "a.b", "a;b", "a`b", "a'b", "a--", "\u{e4}", "a\0", &long,
        ] {
            let error = Error::from(Name::parse("tableName", Some(name), "").unwrap_err());
            assert!(error.message().contains("is no name"), "{error}");
        }
    }
}
