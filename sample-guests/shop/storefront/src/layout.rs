//! The parts that all pages share: the frame, the style, and how prices and pictures are shown.
use wythe_sdk::http::{Response, encode, escape};

const STYLE: &str = include_str!("style.css");

/// A whole page around `main`, which is HTML already.
pub fn page(title: &str, search: &str, main: &str) -> Response {
    let html = format!(
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Course &amp; Bond</title>
<style>
{STYLE}</style>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header>
<a class="brand" href="/">Course &amp; Bond</a>
<form role="search" action="/" method="get">
<label class="hidden" for="search">Search products</label>
<input id="search" name="search" type="search" placeholder="Search products" value="{search}">
<button>Search</button>
</form>
<nav aria-label="Shop"><a href="/cart">Cart</a></nav>
</header>
<main id="main">
{main}</main>
<footer>A sample shop of nine sandboxed apps. Nothing is sold here. <a href="/outbox">See the letters it sent</a>.</footer>
</body>
</html>
"##,
        title = escape(title),
        search = escape(search),
    );
    Response::html(html)
        .with_header(
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        )
        .with_header("x-content-type-options", "nosniff")
        .with_header("referrer-policy", "same-origin")
        .with_header("cache-control", "no-store")
}

pub fn price(cents: u64) -> String {
    format!("€&nbsp;{}.{:02}", cents / 100, cents % 100)
}

/// The picture as an image of its own document: whatever the catalog sends, it runs no script here.
pub fn picture(svg: &str) -> String {
    format!(
        r#"<img src="data:image/svg+xml,{}" alt="" width="240" height="240">"#,
        encode(svg)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_two_digits_after_the_point() {
        assert_eq!(price(190), "€&nbsp;1.90");
        assert_eq!(price(5), "€&nbsp;0.05");
    }

    #[test]
    fn nothing_typed_becomes_markup() {
        let mut response = page("<i>", "\"><script>", "");
        let html = String::from_utf8(response.bytes().unwrap()).unwrap();
        assert!(!html.contains("<script>") && !html.contains("<i>"));
    }
}
