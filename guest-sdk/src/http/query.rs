//! Text on its way through URLs, HTML forms and HTML.

/// Names and values of a query string or of an `application/x-www-form-urlencoded` body, decoded, in order.
///
/// ```
/// let query = wythe_sdk::http::Query::parse("search=green+tea&page=2&search=%C3%A9");
/// assert_eq!(query.get("search"), Some("green tea"));
/// assert_eq!(query.number("page"), Some(2));
/// assert_eq!(query.pairs().len(), 3);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub fn parse(encoded: &str) -> Self {
        let pairs = encoded
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name, true), decode(value, true))
            });
        Self {
            pairs: pairs.collect(),
        }
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|pair| pair.0 == name)
            .map(|pair| pair.1.as_str())
    }

    /// The first value of that name, if it is a number of the wanted type.
    pub fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.get(name)?.parse().ok()
    }

    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }
}

/// A piece of text as it may stand in a path or in a query.
///
/// ```
/// assert_eq!(wythe_sdk::http::encode("green tea & milk/é"), "green%20tea%20%26%20milk%2F%C3%A9");
/// ```
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// A piece of text as it may stand in HTML, also between quotes.
///
/// ```
/// assert_eq!(wythe_sdk::http::escape("<b title='\"'>&"), "&lt;b title=&#39;&quot;&#39;&gt;&amp;");
/// ```
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Path and query of a request target, still encoded.
pub(crate) fn split(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

/// The decoded parts of a path between its slashes, without empty ones.
pub(crate) fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|part| !part.is_empty())
        .map(|part| decode(part, false))
        .collect()
}

/// A `%` that no two hexadecimal digits follow stays as it is, as browsers have it.
fn decode(encoded: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if let Some(byte) = hexadecimal(*high, *low) => {
                bytes.push(byte);
                rest = after;
            }
            (b'+', _) if plus_is_space => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_browsers_send() {
        let cases = [
            ("", vec![]),
            ("a", vec![("a", "")]),
            ("a=", vec![("a", "")]),
            ("a=1&&b=2", vec![("a", "1"), ("b", "2")]),
            ("a+b=c%2Bd", vec![("a b", "c+d")]),
            ("x=%e2%82%AC", vec![("x", "€")]),
            ("x=1=2", vec![("x", "1=2")]),
            (
                "x=100%&y=%zz&z=%4",
                vec![("x", "100%"), ("y", "%zz"), ("z", "%4")],
            ),
            ("x=%ff", vec![("x", "\u{fffd}")]),
        ];
        for (encoded, expected) in cases {
            let query = Query::parse(encoded);
            let pairs: Vec<_> = query
                .pairs()
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .collect();
            assert_eq!(pairs, expected, "{encoded}");
        }
    }

    #[test]
    fn splits_targets() {
        assert_eq!(split("/a/b?c=d?e"), ("/a/b", "c=d?e"));
        assert_eq!(split("/a"), ("/a", ""));
        assert_eq!(split("/a?"), ("/a", ""));
    }

    #[test]
    fn a_plus_in_a_path_is_a_plus() {
        assert_eq!(segments("/a+b/c%20d/%2F/"), ["a+b", "c d", "/"]);
        assert!(segments("/").is_empty());
    }
}
