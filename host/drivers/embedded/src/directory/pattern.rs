//! A pattern of names: a text in which each `*` stands for any text.

use std::str::FromStr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<String>);

impl Pattern {
    pub fn matches(&self, name: &str) -> bool {
        let [first, between @ .., last] = self.0.as_slice() else {
            return self.0.first().is_some_and(|only| only == name);
        };
        let inner = name
            .strip_prefix(first.as_str())
            .and_then(|rest| rest.strip_suffix(last.as_str()));
        let Some(mut rest) = inner else {
            return false;
        };
        // The earliest place of each part leaves the most for those that follow.
        for part in between {
            match rest.split_once(part.as_str()) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.contains(['/', '\\', '?', '[', ']', '{', '}']) {
            return Err(format!(
                "`{}`; expected a name of a file in which `*` stands for any text, such as `*.csv`",
                text.escape_debug()
            ));
        }
        Ok(Pattern(text.split('*').map(str::to_owned).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, yes, no) in [
            ("*", ["a", "a.b"], [""; 0].as_slice()),
            ("*.csv", ["a.csv", ".csv"], &["a.csv.gz", "csv"]),
            ("in-*", ["in-", "in-1"], &["in", "an-1"]),
            ("a*b*c", ["abc", "a1b2bc"], &["acb", "ab", "a1c"]),
            ("aa*aa", ["aaaa", "aabaa"], &["aaa", "aa"]),
            ("a**b", ["ab", "a1b"], &["a1"]),
            ("plain", ["plain", "plain"], &["plai", "plainer"]),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            for name in yes {
                assert!(pattern.matches(name), "{pattern:?} {name}");
            }
            for name in no {
                assert!(!pattern.matches(name), "{pattern:?} {name}");
            }
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "a/b", "[ab]", "a?"] {
            assert_eq!(
                text.parse::<Pattern>().unwrap_err(),
                format!(
                    "`{text}`; expected a name of a file in which `*` stands for any text, such as `*.csv`"
                )
            );
        }
    }
}
