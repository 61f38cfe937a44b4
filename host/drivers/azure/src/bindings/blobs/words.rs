//! Words of a request: names, headers and times, as they may be.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderMap;
use std::time::Duration;
use wythe_blocks::{Error, Result, bindings::Request};
use wythe_manifest::Duration as Time;

use crate::container::MAX_NAME;

/// The longest time of a URL that is signed.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);
/// Bytes of the headers that a request may give a blob.
const MAX_HEADERS: usize = 8 << 10;
/// Metadata of a request that becomes a header of the blob.
const HEADERS: [(&str, &str); 6] = [
    ("contentType", "x-ms-blob-content-type"),
    ("contentMD5", "x-ms-blob-content-md5"),
    ("contentEncoding", "x-ms-blob-content-encoding"),
    ("contentLanguage", "x-ms-blob-content-language"),
    ("contentDisposition", "x-ms-blob-content-disposition"),
    ("cacheControl", "x-ms-blob-cache-control"),
];
/// Metadata of a request that is for the driver alone.
const OWN: [&str; 2] = ["blobName", "signTTL"];
/// The beginning of a header that is metadata of the blob's own.
const META: &str = "x-ms-meta-";

/// The name of the blob that the request is about.
pub(super) fn named<'a>(request: &Request<'a>) -> Result<&'a str> {
    if request.get("filePath").is_some_and(|path| !path.is_empty()) {
        return Err(of_file());
    }
    let pairs = request.metadata.iter();
    let mut names = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("blobName"));
    checked(names.next().map_or("", |(_, name)| name))
}

fn of_file() -> Error {
    Error::unsupported(
        "metadata `filePath` names a file of the host, which no app writes or reads here",
    )
}

/// The service, or a server in between, may take other names for those of another blob.
pub(super) fn checked(name: &str) -> Result<&str> {
    let is_odd = name.split('/').any(|part| part == "." || part == "..")
        || name.contains(|c: char| c.is_control() || c == '\\')
        || name.ends_with(['.', '/'])
        || name.starts_with('/');
    match (1..=MAX_NAME).contains(&name.len()) && !is_odd {
        true => Ok(name),
        false => Err(Error::invalid(format!(
            "expected metadata `blobName`, of 1 to {MAX_NAME} bytes, without `\\` and control characters, without `.` and `..` between slashes, without `/` at its ends and `.` at its end"
        ))),
    }
}

/// The value of metadata that is true or false; default false.
pub(super) fn switch(request: &Request<'_>, name: &str) -> Result<bool> {
    match request.get(name).unwrap_or_default() {
        "" | "false" => Ok(false),
        "true" => Ok(true),
        _ => Err(Error::invalid(format!(
            "expected metadata `{name}` to be `true` or `false`"
        ))),
    }
}

/// The time for which a URL is good.
pub(super) fn time(request: &Request<'_>) -> Result<Duration> {
    let written = request.get("signTTL").unwrap_or_default().parse::<Time>();
    let time = written.map(Duration::from).ok();
    let time = time.filter(|time| (Duration::from_secs(1)..=LONGEST).contains(time));
    time.ok_or_else(|| {
        Error::invalid("expected metadata `signTTL`, such as `15m`, from 1s to 8760h")
    })
}

/// The headers of a blob that is created: those that have names, and all other metadata as the blob's own.
pub(super) fn headers(request: &Request<'_>) -> Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    for (name, value) in request.metadata {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if OWN.into_iter().any(is) || value.is_empty() {
            continue;
        }
        if is("filePath") {
            return Err(of_file());
        }
        if !value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
            return Err(Error::invalid(format!(
                "expected metadata `{name}` to be of printable ASCII, as a header is"
            )));
        }
        if is("contentMD5") {
            if STANDARD
                .decode(value)
                .ok()
                .is_none_or(|sum| sum.len() != 16)
            {
                return Err(Error::invalid(
                    "expected metadata `contentMD5` to be 128 bits in base64",
                ));
            }
            headers.push(("content-md5".to_owned(), value.clone()));
        }
        let header = HEADERS.iter().find(|(known, _)| is(known));
        let header = match header {
            Some((_, header)) => (*header).to_owned(),
            None => own(name)?,
        };
        headers.push((header, value.trim().to_owned()));
    }
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    match bytes <= MAX_HEADERS {
        true => Ok(headers),
        false => Err(Error::invalid(format!(
            "the metadata has {bytes} bytes; a blob takes {MAX_HEADERS}"
        ))),
    }
}

/// The header of metadata of the blob's own.
fn own(name: &str) -> Result<String> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match is_plain && name.starts_with(|c: char| !c.is_ascii_digit()) {
        true => Ok(format!("{META}{}", name.to_ascii_lowercase())),
        false => Err(Error::invalid(format!(
            "metadata `{}` cannot be a blob's: expected a name of letters, digits and `_`",
            name.escape_debug()
        ))),
    }
}

/// The blob's own metadata in the headers of an answer.
pub(super) fn described(headers: &HeaderMap) -> Vec<(String, String)> {
    let own = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(META)?;
        Some((name.to_owned(), value.to_str().ok()?.to_owned()))
    });
    own.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use wythe_blocks::Trace;

    fn of(pairs: &[(&str, &str)]) -> Result<Vec<(String, String)>> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let metadata: Vec<_> = pairs.iter().map(own).collect();
        headers(&Request {
            operation: "create",
            data: &Bytes::new(),
            metadata: &metadata,
            max_bytes: 1,
            trace: Trace::start(),
            account: None,
        })
    }

    #[test]
    fn metadata_become_headers() {
        let found = of(&[
            ("BLOBNAME", "a"),
            ("ContentType", "text/plain"),
            ("Author", "ada"),
        ]);
        let expected = [
            ("x-ms-blob-content-type", "text/plain"),
            ("x-ms-meta-author", "ada"),
        ];
        let found = found.unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(found, expected);
        for odd in [
            ("a-b", "1"),
            ("1a", "1"),
            ("a", "\u{e9}"),
            ("a", "b\r\nx: y"),
            ("contentMD5", "AAAA"),
            ("filePath", "/etc/passwd"),
        ] {
            assert!(of(&[odd]).is_err(), "{odd:?}");
        }
        assert!(of(&[("a", &"x".repeat(9_000))]).is_err());
    }

    #[test]
    fn names_lead_nowhere_else() {
        for odd in [
            "",
            "/a",
            "a/",
            "a.",
            "a/../b",
            "./a",
            "a\\b",
            "a\nb",
            &"a".repeat(1_025),
        ] {
            assert!(checked(odd).is_err(), "{odd}");
        }
        for good in ["a", "a/b.txt", "\u{e9} ||%2e", ".a"] {
            assert!(checked(good).is_ok(), "{good}");
        }
    }
}
