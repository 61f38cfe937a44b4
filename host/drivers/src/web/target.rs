//! Where a request goes: the component's URL, and below it a path that never leads elsewhere.

use reqwest::{Url, redirect};
use wythe_blocks::{Error, Result};

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// A URL that requests stay below.
pub(super) struct Base(Url);

impl Base {
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::invalid(format!("`url`: {why}"));
        let url: Url = text
            .trim()
            .parse()
            .map_err(|_| wrong("expected a URL such as `https://api.example.com/v1`"))?;
        if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
            return Err(wrong(
                "expected one that begins with `http://` or `https://`",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "expected no user and no password; send them by the metadata `Authorization`",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong(
                "expected no query and no fragment; a query belongs to the request's `path`",
            ));
        }
        Ok(Base(url))
    }

    /// For messages: the host alone.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The URL with a request's path below it.
    pub fn join(&self, path: Option<&str>) -> Result<Url> {
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            return Ok(self.0.clone());
        };
        let leaves = || {
            Error::invalid(format!(
                "the `path` `{}` leads out of the component's URL; expected one below it, without `..`, `//`, `@`, \
                 a scheme, a backslash and a fragment",
                path.escape_debug()
            ))
        };
        let (steps, query) = match path.split_once('?') {
            Some((steps, query)) => (steps, Some(query)),
            None => (path, None),
        };
        let dotted = steps.to_ascii_lowercase().replace("%2e", ".");
        let parts = ["..", "//", "@", "\\", ":", "#"];
        let is_bad = parts.iter().any(|part| dotted.contains(part))
            || dotted.split('/').any(|step| step == ".")
            || path.contains(|c: char| c.is_control() || c == ' ' || c == '#');
        if is_bad {
            return Err(leaves());
        }
        let below = self.0.path().trim_end_matches('/');
        let mut url = self.0.clone();
        url.set_path(&format!("{below}/{}", steps.trim_start_matches('/')));
        url.set_query(query);
        // What the checks let through, the parser may still read in another way.
        match url.origin() == self.0.origin() && url.path().starts_with(&format!("{below}/")) {
            true => Ok(url),
            false => Err(leaves()),
        }
    }
}

/// Redirects within the same scheme, host and port; others are the answer itself.
pub(super) fn redirects() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let home = attempt.previous().first().map(Url::origin);
        match home == Some(attempt.url().origin()) && attempt.previous().len() <= REDIRECTS {
            true => attempt.follow(),
            false => attempt.stop(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_below_the_url() {
        for (base, path, expected) in [
            ("http://a.example/v1", None, "http://a.example/v1"),
            ("http://a.example/v1/", Some(""), "http://a.example/v1/"),
            (
                "http://a.example/v1",
                Some("items/7"),
                "http://a.example/v1/items/7",
            ),
            (
                "http://a.example/v1/",
                Some("/items?a=b&c=d:e"),
                "http://a.example/v1/items?a=b&c=d:e",
            ),
            ("http://a.example", Some("a%20b"), "http://a.example/a%20b"),
        ] {
            let joined = Base::parse(base).unwrap().join(path).unwrap();
            assert_eq!(joined.as_str(), expected);
        }
    }

    #[test]
    fn a_path_that_leaves_is_refused() {
        let base = Base::parse("http://a.example/v1").unwrap();
        for path in [
            "..",
            "../admin",
            "/a/../../b",
            "%2e%2e/b",
            ".%2E/b",
            "//evil.example",
            "http://evil.example",
            "a//b",
            "@evil.example",
            ":80@evil.example",
            "\\\\evil.example",
            "a#b",
            "./a",
            "a\nb",
            "a b",
        ] {
            let error = base.join(Some(path)).unwrap_err();
            let expected = format!(
                "the `path` `{}` leads out of the component's URL; expected one below it, without `..`, `//`, `@`, \
                 a scheme, a backslash and a fragment",
                path.escape_debug()
            );
            assert_eq!(error.message(), expected);
        }
    }

    #[test]
    fn a_url_is_plain() {
        for (url, expected) in [
            (
                "nowhere",
                "`url`: expected a URL such as `https://api.example.com/v1`",
            ),
            (
                "ftp://a.example",
                "`url`: expected one that begins with `http://` or `https://`",
            ),
            (
                "http://me:word@a.example",
                "`url`: expected no user and no password; send them by the metadata `Authorization`",
            ),
            (
                "http://a.example/?a=b",
                "`url`: expected no query and no fragment; a query belongs to the request's `path`",
            ),
        ] {
            assert_eq!(Base::parse(url).err().unwrap().message(), expected);
        }
    }
}
