//! Names of tables, which become text of SQL: nothing but letters, digits and underscores, so that nothing can be said
//! with one but the name.

use std::fmt;
use wythe_blocks::{Error, Result, Wrong};

/// Bytes of a name that the server does not cut.
const LONGEST: usize = 63;
/// Bytes that stand behind a name, as in the name of an index.
const ENDING: usize = 16;

/// The name of a table, with its schema where one is written. It is shown quoted, as SQL has it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Table {
    schema: Option<String>,
    name: String,
}

impl Table {
    /// Reads a name that `setting` has, or the default.
    pub fn parse(
        setting: &'static str,
        written: Option<&str>,
        default: &str,
    ) -> Result<Self, Wrong> {
        let written = written.unwrap_or(default);
        Self::read(written).map_err(|why| wrong(setting, written, why))
    }

    /// The table of this name behind a prefix that `setting` has.
    pub fn prefixed(
        setting: &'static str,
        prefix: Option<&str>,
        name: &str,
    ) -> Result<Self, Wrong> {
        let prefix = prefix.unwrap_or_default();
        Self::read(&format!("{prefix}{name}")).map_err(|why| wrong(setting, prefix, why))
    }

    fn read(written: &str) -> Result<Self, &'static str> {
        let (schema, name) = match written.split_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (None, written),
        };
        for part in schema.into_iter().chain([name]) {
            check(part)?;
        }
        Ok(Table {
            schema: schema.map(str::to_owned),
            name: name.to_owned(),
        })
    }

    /// Another table, with this ending behind the name.
    pub fn with(&self, ending: &str) -> Self {
        let name = format!("{}{ending}", self.name);
        let schema = self.schema.clone();
        Table { schema, name }
    }

    /// The name as people write it.
    pub fn plain(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }

    /// The name of a channel about the table, of the same letters.
    pub fn channel(&self, ending: &str) -> String {
        let whole = self.with(ending).plain().replace('.', "_");
        // `pg_notify` refuses a longer name, which `LISTEN` would cut. A byte is a letter.
        whole[whole.len().saturating_sub(LONGEST)..].to_owned()
    }

    /// The name of an index of the table, which is in its schema anyhow.
    pub fn index(&self, ending: &str) -> String {
        format!("\"{}{ending}\"", self.name)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "\"{schema}\".")?;
        }
        write!(f, "\"{}\"", self.name)
    }
}

fn check(part: &str) -> Result<(), &'static str> {
    let mut chars = part.chars();
    let is_good = chars
        .next()
        .is_some_and(|first| first == '_' || first.is_ascii_lowercase());
    if !is_good || !chars.all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit()) {
        return Err(
            "expected small letters, digits and `_`, a letter first, and at most one `.` after a schema",
        );
    }
    match part.len() <= LONGEST - ENDING {
        true => Ok(()),
        false => Err("expected at most 47 letters"),
    }
}

fn wrong(setting: &'static str, written: &str, why: &str) -> Wrong {
    let shown = written.escape_debug().take(80).collect::<String>();
    let error = Error::invalid(format!("`{setting}: {shown}` is no name of a table; {why}"));
    Wrong::new(setting, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_with_its_schema() {
        let table = Table::parse("tableName", Some("shop.state_2"), "state").unwrap();
        assert_eq!(table.to_string(), "\"shop\".\"state_2\"");
        assert_eq!(table.plain(), "shop.state_2");
        assert_eq!(table.with("_x").to_string(), "\"shop\".\"state_2_x\"");
        assert_eq!(table.index("_x"), "\"state_2_x\"");
        let table = Table::prefixed("tablePrefix", Some("shop_"), "state").unwrap();
        assert_eq!(table.to_string(), "\"shop_state\"");
    }

    #[test]
    fn a_channel_has_no_more_bytes_than_the_server_takes() {
        let (schema, name) = ("a".repeat(47), "b".repeat(47));
        let written = format!("{schema}.{name}");
        let table = Table::parse("tableName", Some(&written), "state").unwrap();
        let channel = table.channel("_wake");
        assert_eq!(channel.len(), LONGEST);
        assert!(channel.ends_with(&format!("a_{name}_wake")), "{channel}");
        let table = Table::parse("tableName", Some("shop.state"), "state").unwrap();
        assert_eq!(table.channel("_wake"), "shop_state_wake");
    }

    #[test]
    fn nothing_else_can_be_said_with_a_name() {
        let long = "a".repeat(48);
        for name in [
            "", ".", "a.", ".a", "a.b.c", "1a", "a b", "a;b", "a\"b", "a'b", "a--", "A", "\u{e4}",
            "a\0", "a\n", &long,
        ] {
            let error = Error::from(
                Table::parse("tableName", Some(name), "state")
                    .err()
                    .unwrap(),
            );
            assert!(error.message().contains("is no name of a table"), "{error}");
        }
    }
}
