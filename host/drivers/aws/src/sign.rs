//! Signatures of version 4: a request as a text that both sides write alike, and a key that is good for a day, a region and
//! a service.

use crate::settings::Credentials;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::time::SystemTime;
use wythe_blocks::text::hex;
use wythe_client::encode;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The hash of a body that is not known when the signature is made.
pub(crate) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The moment of a signature, as it is written.
pub(crate) struct Stamp {
    pub time: String,
    day: String,
}

impl Stamp {
    pub fn of(time: SystemTime) -> Self {
        let time = DateTime::<Utc>::from(time);
        Stamp {
            time: time.format("%Y%m%dT%H%M%SZ").to_string(),
            day: time.format("%Y%m%d").to_string(),
        }
    }
}

/// The region and the service that a signature is for.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub region: &'a str,
    pub service: &'a str,
}

impl Scope<'_> {
    fn text(&self, stamp: &Stamp) -> String {
        format!(
            "{}/{}/{}/aws4_request",
            stamp.day, self.region, self.service
        )
    }
}

/// The parts of a request that are signed.
pub(crate) struct Canonical<'a> {
    pub method: &'a str,
    /// The path as it is sent, in percent encoding.
    pub path: &'a str,
    /// The query, not encoded.
    pub query: &'a [(String, String)],
    /// The headers, names in lower case.
    pub headers: &'a [(String, String)],
    /// The hash of the body.
    pub payload: &'a str,
}

impl Canonical<'_> {
    /// The value of the header `authorization`.
    pub fn authorization(
        &self,
        credentials: &Credentials,
        scope: Scope<'_>,
        stamp: &Stamp,
    ) -> String {
        let (headers, names) = self.headers();
        let signature = self.signature(
            &query(self.query),
            (&headers, &names),
            credentials,
            scope,
            stamp,
        );
        format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={names}, Signature={signature}",
            credentials.key,
            scope.text(stamp)
        )
    }

    /// The query by which somebody who has no key may send the request for so many seconds.
    pub fn presigned(
        &self,
        credentials: &Credentials,
        scope: Scope<'_>,
        stamp: &Stamp,
        seconds: u64,
    ) -> String {
        let (headers, names) = self.headers();
        let credential = format!("{}/{}", credentials.key, scope.text(stamp));
        let mut pairs = vec![
            ("X-Amz-Algorithm".to_owned(), ALGORITHM.to_owned()),
            ("X-Amz-Credential".to_owned(), credential),
            ("X-Amz-Date".to_owned(), stamp.time.clone()),
            ("X-Amz-Expires".to_owned(), seconds.to_string()),
            ("X-Amz-SignedHeaders".to_owned(), names.clone()),
        ];
        if let Some(token) = &credentials.token {
            let token = token.0.reveal().to_owned();
            pairs.push(("X-Amz-Security-Token".to_owned(), token));
        }
        pairs.extend_from_slice(self.query);
        let text = query(&pairs);
        let signature = self.signature(&text, (&headers, &names), credentials, scope, stamp);
        format!("{text}&X-Amz-Signature={signature}")
    }

    /// The headers as they are signed, and their names.
    fn headers(&self) -> (String, String) {
        let mut headers: Vec<_> = self.headers.iter().collect();
        headers.sort();
        let lines = headers
            .iter()
            .map(|(name, value)| format!("{name}:{}\n", value.trim()));
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        (lines.collect(), names.join(";"))
    }

    fn signature(
        &self,
        query: &str,
        (headers, names): (&str, &str),
        credentials: &Credentials,
        scope: Scope<'_>,
        stamp: &Stamp,
    ) -> String {
        let (method, path, payload) = (self.method, self.path, self.payload);
        let request = format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{payload}");
        let text = format!(
            "{ALGORITHM}\n{}\n{}\n{}",
            stamp.time,
            scope.text(stamp),
            hash(request.as_bytes())
        );
        let secret = format!("AWS4{}", credentials.secret.0.reveal());
        let parts = [&stamp.day, scope.region, scope.service, "aws4_request"];
        let key = parts
            .iter()
            .fold(secret.into_bytes(), |key, part| code(&key, part));
        hex(code(&key, &text))
    }
}

/// The hash of bytes, as it is written.
pub(crate) fn hash(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}

fn code(key: &[u8], text: &str) -> Vec<u8> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is good");
    code.update(text.as_bytes());
    code.finalize().into_bytes().to_vec()
}

/// A query in the order and the encoding in which it is signed.
pub(crate) fn query(pairs: &[(String, String)]) -> String {
    let encoded = pairs
        .iter()
        .map(|(name, value)| (encode(name, ""), encode(value, "")));
    let mut encoded: Vec<_> = encoded.collect();
    encoded.sort();
    let pairs: Vec<_> = encoded
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use wythe_manifest::Secret;
    use wythe_net::Hidden;

    /// The keys, the time and the requests of the examples that the service's documentation publishes.
    fn credentials() -> Credentials {
        Credentials {
            key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: Hidden(Secret::new(
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            )),
            token: None,
        }
    }

    const SCOPE: Scope<'static> = Scope {
        region: "us-east-1",
        service: "s3",
    };

    fn stamp() -> Stamp {
        Stamp::of(SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600))
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    /// Checks the signature of a request with these headers beside `host` and the time.
    fn check(
        (method, path): (&str, &str),
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: &[u8],
        expected: &str,
    ) {
        let payload = hash(body);
        let mut all = pairs(headers);
        all.extend(pairs(&[
            ("host", "examplebucket.s3.amazonaws.com"),
            ("x-amz-content-sha256", &payload),
            ("x-amz-date", "20130524T000000Z"),
        ]));
        let canonical = Canonical {
            method,
            path,
            query: &pairs(query),
            headers: &all,
            payload: &payload,
        };
        let value = canonical.authorization(&credentials(), SCOPE, &stamp());
        assert!(value.ends_with(&format!("Signature={expected}")), "{value}");
    }

    #[test]
    fn a_request_is_signed_as_in_the_published_examples() {
        assert_eq!(stamp().time, "20130524T000000Z");
        check(
            ("GET", "/test.txt"),
            &[],
            &[("range", "bytes=0-9")],
            b"",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        );
        check(
            ("PUT", &format!("/{}", encode("test$file.text", "/"))),
            &[],
            &[
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        );
        check(
            ("GET", "/"),
            &[("prefix", "J"), ("max-keys", "2")],
            &[],
            b"",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        );
    }

    #[test]
    fn a_url_is_signed_as_in_the_published_example() {
        let canonical = Canonical {
            method: "GET",
            path: "/test.txt",
            query: &[],
            headers: &pairs(&[("host", "examplebucket.s3.amazonaws.com")]),
            payload: UNSIGNED,
        };
        let text = canonical.presigned(&credentials(), SCOPE, &stamp(), 86_400);
        let expected =
            "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(text.ends_with(expected), "{text}");
        assert!(text.contains("X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1"));
    }
}
