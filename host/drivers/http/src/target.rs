//! The target of a request: the component's URL, and below it a path that never leads elsewhere.

use http::Uri;
use url::{Position, Url};
use wythe_blocks::{Error, Result};

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

    /// Server to which connections go.
    pub fn server(&self) -> Result<Uri> {
        let server = &self.0[..Position::AfterPort];
        let uri = format!("{server}/").parse();
        uri.map_err(|_| Error::invalid("`url`: expected a host that can be connected to"))
    }

    /// The host alone, for messages.
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
        let dotted = dotted(steps);
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
        match self.has(&url) {
            true => Ok(url),
            false => Err(leaves()),
        }
    }

    /// URL to which a redirect leads, if that is this URL or below it.
    pub fn redirect(&self, from: &Url, to: &str) -> Option<Url> {
        let mut url = from.join(to).ok()?;
        url.set_fragment(None);
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && !dotted(url.path()).contains("..");
        (is_plain && self.has(&url)).then_some(url)
    }

    fn has(&self, url: &Url) -> bool {
        let rest = url.path().strip_prefix(self.0.path().trim_end_matches('/'));
        url.origin() == self.0.origin()
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Path as a server may read it.
fn dotted(path: &str) -> String {
    path.to_ascii_lowercase().replace("%2e", ".")
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
    fn a_redirect_leads_below_the_url_or_nowhere() {
        let base = Base::parse("http://a.example/v1").unwrap();
        let from = base.join(Some("items/7")).unwrap();
        for (to, expected) in [
            ("/v1", Some("http://a.example/v1")),
            ("8", Some("http://a.example/v1/items/8")),
            ("?a=b#c", Some("http://a.example/v1/items/7?a=b")),
            ("http://A.example:80/v1/x", Some("http://a.example/v1/x")),
            ("//a.example/v1/x", Some("http://a.example/v1/x")),
            ("../new", Some("http://a.example/v1/new")),
            ("../../admin", None),
            ("/admin", None),
            ("/v10/x", None),
            ("/v1/%2e%2e/admin", None),
            ("/v1/..%2fadmin", None),
            ("/v1/.%2E;/admin", None),
            ("/v1\\..\\..\\admin", None),
            ("https://a.example/v1/x", None),
            ("http://a.example:81/v1/x", None),
            ("http://me@a.example/v1/x", None),
            ("http://b.example/v1/x", None),
            ("//b.example/v1/x", None),
            ("http://[", None),
        ] {
            let found = base.redirect(&from, to);
            assert_eq!(found.as_ref().map(Url::as_str), expected, "{to}");
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
