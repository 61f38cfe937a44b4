//! Header fields in the order they came, found by names of any case.
use std::fmt;

/// Header fields. A name may occur more than once.
///
/// ```
/// let mut headers = wythe_sdk::http::Headers::default();
/// headers.append("Set-Cookie", "a=1");
/// headers.append("set-cookie", "b=2");
/// assert_eq!(headers.get("SET-COOKIE"), Some("a=1"));
/// assert_eq!(headers.get_all("set-cookie").count(), 2);
/// headers.set("set-cookie", "c=3");
/// assert_eq!(headers.get_all("set-cookie").collect::<Vec<_>>(), ["c=3"]);
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Headers {
    fields: Vec<(String, Vec<u8>)>,
}

impl Headers {
    /// The first value of that name. None where it is not UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        first(&self.fields, name)
    }

    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self
            .fields
            .iter()
            .filter(move |field| field.0.eq_ignore_ascii_case(name));
        named.filter_map(|field| std::str::from_utf8(&field.1).ok())
    }

    pub fn contains(&self, name: &str) -> bool {
        self.fields
            .iter()
            .any(|field| field.0.eq_ignore_ascii_case(name))
    }

    /// Takes the place of all values of that name.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.remove(name);
        self.append(name, value);
    }

    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
    }

    pub fn remove(&mut self, name: &str) {
        self.fields
            .retain(|field| !field.0.eq_ignore_ascii_case(name));
    }

    /// Names and bytes, as the contract has them.
    pub fn fields(&self) -> &[(String, Vec<u8>)] {
        &self.fields
    }

    /// The value of a cookie that the client sent.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.get_all("cookie").flat_map(|line| line.split(';'));
        pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|pair| pair.0 == name)
            .map(|pair| pair.1)
    }
}

impl From<Vec<(String, Vec<u8>)>> for Headers {
    fn from(fields: Vec<(String, Vec<u8>)>) -> Self {
        Self { fields }
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |field: &(String, Vec<u8>)| {
            (
                field.0.clone(),
                String::from_utf8_lossy(&field.1).into_owned(),
            )
        };
        formatter
            .debug_map()
            .entries(self.fields.iter().map(text))
            .finish()
    }
}

/// The first value of that name, any case, among fields as the contract has them.
pub(crate) fn first<'a>(fields: &'a [(String, Vec<u8>)], name: &str) -> Option<&'a str> {
    let field = fields
        .iter()
        .find(|field| field.0.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(&field.1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_in_any_header_and_place() {
        let mut headers = Headers::default();
        headers.append("cookie", "theme=dark; session=17");
        headers.append("Cookie", "lang=en");
        for (name, value) in [("theme", "dark"), ("session", "17"), ("lang", "en")] {
            assert_eq!(headers.cookie(name), Some(value));
        }
        assert_eq!(headers.cookie("none"), None);
    }
}
