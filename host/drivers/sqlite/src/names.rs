//! Names of tables, which become text of SQL: nothing but letters, digits and underscores, so that nothing can be said
//! with one but the name.

use std::fmt;
use wythe_blocks::{Error, Result, Wrong};

/// Letters of a name; an index of the table has a few more.
const LONGEST: usize = 100;
/// Names that the database keeps for itself begin so, in any case of letters.
const RESERVED: &str = "sqlite_";

/// The name of a table. It is shown quoted, as SQL has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table(String);

impl Table {
    /// Reads a name that `setting` has, or the default.
    pub fn parse(
        setting: &'static str,
        written: Option<&str>,
        default: &str,
    ) -> Result<Self, Wrong> {
        let written = written.unwrap_or(default);
        let is_known = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_good = (1..=LONGEST).contains(&written.len()) && written.chars().all(is_known);
        if is_good && !written.to_ascii_lowercase().starts_with(RESERVED) {
            return Ok(Table(written.to_owned()));
        }
        let shown = written.escape_debug().take(80).collect::<String>();
        let text = format!(
            "`{setting}: {shown}` is no name of a table; expected letters, digits and `_`, at most {LONGEST} of them, which do not \
             begin with `{RESERVED}`"
        );
        Err(Wrong::new(setting, Error::invalid(text)))
    }

    /// Another table, with this ending behind the name.
    pub fn with(&self, ending: &str) -> Self {
        Table(format!("{}{ending}", self.0))
    }

    /// The name as people write it.
    pub fn plain(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_else_can_be_said_with_a_name() {
        let good = Table::parse("tableName", Some("State_2"), "state").unwrap();
        assert_eq!(good.to_string(), "\"State_2\"");
        assert_eq!(good.with("_x").plain(), "State_2_x");
        let long = "a".repeat(101);
        for name in [
            "",
            "a b",
            "a.b",
            "a;b",
            "a\"b",
            "a'b",
            "a--",
            "\u{e4}",
            "a\0",
            "SQLite_master",
            &long,
        ] {
            let error = Error::from(Table::parse("tableName", Some(name), "").unwrap_err());
            assert!(error.message().contains("is no name of a table"), "{error}");
        }
    }
}
