//! The component's metadata, parsed once.
use wythe_sdk::plugin::Metadata;
use wythe_sdk::{Error, Result};

#[derive(Debug, PartialEq)]
pub struct Config {
    pub max_entries: usize,
    pub max_bytes: usize,
    /// Milliseconds.
    pub default_ttl: Option<u64>,
}

impl Config {
    pub fn parse(metadata: &Metadata) -> Result<Self> {
        metadata.only(&["defaultTtl", "maxBytes", "maxEntries"])?;
        let config = Self {
            max_entries: metadata.number("maxEntries", 10_000)?,
            max_bytes: metadata.number("maxBytes", 40 << 20)?,
            default_ttl: metadata.get("defaultTtl").map(duration).transpose()?,
        };
        if config.max_entries == 0 || config.max_bytes == 0 {
            return Err(Error::invalid(
                "metadata `maxEntries` and `maxBytes` are at least 1",
            ));
        }
        Ok(config)
    }
}

/// A whole number and its unit, in milliseconds.
fn duration(text: &str) -> Result<u64> {
    let wrong = || {
        Error::invalid(format!(
            "metadata `defaultTtl` is a duration such as `90s`, not `{text}`"
        ))
    };
    let trimmed = text.trim();
    let unit = trimmed
        .find(|character: char| !character.is_ascii_digit())
        .ok_or_else(wrong)?;
    let (number, unit) = trimmed.split_at(unit);
    let unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(unit)
        .filter(|milliseconds| *milliseconds > 0)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Config> {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Config::parse(&pairs.iter().map(owned).collect::<Vec<_>>().into())
    }

    #[test]
    fn reads_names_in_any_case() {
        let config = parse(&[("MAXENTRIES", "5"), ("defaultttl", "2m")]).unwrap();
        assert_eq!(
            config,
            Config {
                max_entries: 5,
                max_bytes: 40 << 20,
                default_ttl: Some(120_000)
            }
        );
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let cases = [
            (
                "maxEntries",
                "many",
                "metadata `maxEntries` is a number, not `many`",
            ),
            (
                "maxEntries",
                "0",
                "metadata `maxEntries` and `maxBytes` are at least 1",
            ),
            (
                "defaultTtl",
                "0s",
                "metadata `defaultTtl` is a duration such as `90s`, not `0s`",
            ),
            (
                "defaultTtl",
                "5",
                "metadata `defaultTtl` is a duration such as `90s`, not `5`",
            ),
            (
                "maxEntrys",
                "5",
                "metadata `maxEntrys` is not known; known are: defaultTtl, maxBytes, maxEntries",
            ),
        ];
        for (name, value, message) in cases {
            assert_eq!(parse(&[(name, value)]).unwrap_err().message(), message);
        }
    }
}
