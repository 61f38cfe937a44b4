//! Signatures by the account's key: of a request, and of a URL by which others may get a blob for a time.

use crate::settings::Account;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::time::SystemTime;
use wythe_client::encode;

/// The version of the protocol that requests and signatures are of.
pub(crate) const VERSION: &str = "2023-11-03";

/// Headers that are signed by their place, without their names, in this order.
const PLACES: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// The moment of a request, as its header has it.
pub(crate) fn date(time: SystemTime) -> String {
    let time = DateTime::<Utc>::from(time);
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The parts of a request that are signed.
pub(crate) struct Canonical<'a> {
    pub method: &'a str,
    /// The path as it is sent, in percent encoding.
    pub path: &'a str,
    /// The query, not encoded, each name once and in lower case.
    pub query: &'a [(&'static str, String)],
    /// The headers, names in lower case.
    pub headers: &'a [(String, String)],
}

impl Canonical<'_> {
    /// The value of the header `authorization`.
    pub fn authorization(&self, account: &Account) -> String {
        format!(
            "SharedKey {}:{}",
            account.name,
            code(account, &self.text(&account.name))
        )
    }

    fn text(&self, account: &str) -> String {
        let mut text = format!("{}\n", self.method);
        for place in PLACES {
            let found = self.headers.iter().find(|(name, _)| name == place);
            let value = found.map_or("", |(_, value)| value);
            // An empty body has no length here.
            let is_nothing = place == "content-length" && value == "0";
            text.push_str(if is_nothing { "" } else { value });
            text.push('\n');
        }
        let own = |(name, _): &&(String, String)| name.starts_with("x-ms-");
        let mut headers: Vec<_> = self.headers.iter().filter(own).collect();
        headers.sort();
        for (name, value) in headers {
            text.push_str(&format!("{name}:{}\n", value.trim()));
        }
        text.push_str(&format!("/{account}{}", self.path));
        let mut query: Vec<_> = self.query.iter().collect();
        query.sort();
        for (name, value) in query {
            text.push_str(&format!("\n{name}:{value}"));
        }
        text
    }
}

/// The query by which somebody without a key may get a blob until a time; `name` is `/container/blob`, not encoded.
pub(crate) fn presigned(account: &Account, name: &str, until: SystemTime) -> String {
    let until = DateTime::<Utc>::from(until);
    let until = until.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let protocol = match account.url.scheme() {
        "https" => "https",
        _ => "",
    };
    let resource = format!("/blob/{}{name}", account.name);
    // Rights, start, end, resource, policy, addresses, protocol, version, kind, snapshot, scope of encryption, five headers.
    let text = format!("r\n\n{until}\n{resource}\n\n\n{protocol}\n{VERSION}\nb\n\n\n\n\n\n\n");
    let signature = code(account, &text);
    let mut pairs = vec![("sv", VERSION), ("se", &until), ("sr", "b"), ("sp", "r")];
    if !protocol.is_empty() {
        pairs.push(("spr", protocol));
    }
    pairs.push(("sig", &signature));
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={}", encode(value, "")))
        .collect();
    pairs.join("&")
}

fn code(account: &Account, text: &str) -> String {
    let key = account.key.bytes();
    let mut code = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length is good");
    code.update(text.as_bytes());
    STANDARD.encode(code.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The text of the example that the service's documentation publishes for a list of containers.
    #[test]
    fn a_request_is_put_in_the_published_form() {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let canonical = Canonical {
            method: "GET",
            path: "/mycontainer",
            query: &[
                ("restype", "container".to_owned()),
                ("comp", "metadata".to_owned()),
                ("timeout", "20".to_owned()),
            ],
            headers: &[
                own("x-ms-version", "2015-02-21"),
                own("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"),
                own("content-length", "0"),
                own("host", "myaccount.blob.core.windows.net"),
            ],
        };
        let expected = "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20";
        assert_eq!(canonical.text("myaccount"), expected);
    }

    #[test]
    fn a_moment_is_written_as_a_header_has_it() {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_435_361_952);
        assert_eq!(date(moment), "Fri, 26 Jun 2015 23:39:12 GMT");
    }
}
