//! The outbox as a page for people.
use crate::Letter;
use wythe_sdk::http::{Response, escape};

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Outbox</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #22282e; background: #faf8f5 }
article { background: #fff; border: 1px solid #ddd6cc; border-radius: .5rem; padding: 1rem 1.25rem; margin: 1rem 0 }
h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere }
pre { white-space: pre-wrap; font: inherit; margin: .75rem 0 0 }
a { color: #9a3f1d }
</style>
<main>
<p><a href="/">Back to the shop</a></p>
<h1>Outbox</h1>
"#;

pub fn outbox(letters: &[Letter]) -> Response {
    let mut page = HEAD.to_owned();
    if letters.is_empty() {
        page.push_str("<p>No letter was written yet.</p>\n");
    }
    for letter in letters {
        page.push_str(&format!(
            "<article>\n<h2>{}</h2>\n<p>To: {}</p>\n<pre>{}</pre>\n</article>\n",
            escape(&letter.subject),
            escape(&letter.to),
            escape(&letter.text)
        ));
    }
    page.push_str("</main>\n</html>\n");
    Response::html(page)
        .with_header(
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
        )
        .with_header("x-content-type-options", "nosniff")
}
