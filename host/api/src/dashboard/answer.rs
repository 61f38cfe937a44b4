//! Answers of the dashboard: each with the headers that keep a browser from doing more with it than show it.

use super::{desk, frame::Frame};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use maud::{Markup, html};
use wythe_blocks::{Body, Error, body_from};

/// The headers of every answer. Styles and scripts are the dashboard's own files, and there are no others.
const HEADERS: [(HeaderName, &str); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // A form of the same origin has to name it, which `no-referrer` would forbid.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

const HTML: &str = "text/html; charset=utf-8";

/// An answer before its headers.
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn new(kind: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Reply {
            status: StatusCode::OK,
            headers,
            body: body.into(),
        }
    }

    pub fn html(page: Markup) -> Self {
        Reply::new(HTML, page.into_string())
    }

    /// Sends the browser to another page of the dashboard.
    pub fn redirect(path: &str) -> Self {
        let mut reply = Reply::new(HTML, Bytes::new()).with_status(StatusCode::SEE_OTHER);
        if let Ok(path) = HeaderValue::from_str(path) {
            reply.headers.insert(header::LOCATION, path);
        }
        reply
    }

    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub fn secured(self) -> Response<Body> {
        let mut response = Response::new(body_from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        for (name, value) in HEADERS {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// A file that pages use; it is the same for everybody.
pub fn file(path: &str) -> Option<Reply> {
    let (kind, text) = match path {
        "/style.css" => ("text/css; charset=utf-8", include_str!("style.css")),
        "/script.js" => ("text/javascript; charset=utf-8", include_str!("script.js")),
        "/icon.svg" => ("image/svg+xml", include_str!("icon.svg")),
        _ => return None,
    };
    Some(Reply::new(kind, text))
}

/// A page of nobody's: without sections.
pub fn page(title: &str, main: &Markup) -> Markup {
    let frame = Frame {
        base: None,
        tenant: None,
        section: "",
        title,
        note: None,
        visitor: None,
    };
    frame.around(main)
}

/// The page that asks for the token.
pub fn login(error: Option<&Error>) -> Markup {
    let main = html! {
        @if let Some(error) = error { (desk::failure(error)) }
        div.panel {
            form.fields method="post" action="/" {
                label.wide {
                    span { "Token" }
                    input name="token" type="password" autocomplete="off" required autofocus;
                }
                button { "Log in" }
            }
        }
        p.quiet {
            "The token is in the URL that " code { "wythe dashboard" } ", or the host at its start, printed. Where the operator "
            "chose one, it is what " code { "WYTHE_DASHBOARD_TOKEN" } " or the file says."
        }
    };
    page("Log in", &main)
}

/// The way behind the gate. It is a page and not a redirect, so that the next request comes from the dashboard's own site,
/// wherever the URL was clicked, and brings the cookie along.
pub fn entered(base: &str, cookie: HeaderValue) -> Reply {
    let main = html! {
        meta http-equiv="refresh" content=(format!("0; url={base}"));
        p { a href=(base) { "Go on to the dashboard" } }
    };
    let mut reply = Reply::html(page("Welcome", &main));
    reply.headers.insert(header::SET_COOKIE, cookie);
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_the_headers() {
        let replies = [
            Reply::html(login(None)),
            Reply::redirect("/"),
            Reply::redirect("/\r\nset-cookie: a=b"),
            file("/script.js").expect("a file"),
        ];
        for reply in replies {
            let response = reply.secured();
            let header = |name: &str| response.headers()[name].to_str().expect("a text");
            let policy = header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"));
            assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert_eq!(header("x-frame-options"), "DENY");
            assert_eq!(header("referrer-policy"), "same-origin");
            assert_eq!(header("cache-control"), "no-store");
            assert!(!response.headers().contains_key("set-cookie"));
        }
        assert!(file("/../style.css").is_none());
    }

    #[test]
    fn pages_have_neither_script_nor_style_within() {
        let page = login(None).into_string();
        assert!(
            !page.contains("<style") && !page.contains(" style="),
            "{page}"
        );
        assert!(page.contains(r#"<script src="/script.js" defer></script>"#));
    }
}
