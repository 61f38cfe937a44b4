//! Seals what it is sent and opens it again, chunk by chunk, and signs and verifies: with keys that it never sees.
//!
//! | request | answer |
//! |---|---|
//! | `POST /seal`, a body of any size | the body as an encrypted message, while it comes |
//! | `POST /open`, a message of any size | what was sealed, while it comes; cut off where the message is not authentic |
//! | `POST /whole/seal`, `POST /whole/open` | the same for at most 4 MiB, all or nothing |
//! | `POST /open/lines`, messages in hexadecimal, one a line | what was sealed in each, one a line |
//! | `POST /sign`, a text | the signature of the text by an Ed25519 key, in hexadecimal |
//! | `POST /verify?signature=`, a text | `true` or `false` |
//! | `GET /public` | the public half of the signing key |
//!
//! `key=` names another key than `receipts` or `signatures`, `component=` another component than `keys`.
use wythe_sdk::crypto::{EncryptOptions, Key, SignatureAlgorithm, Transform};
use wythe_sdk::http::{self, Query, Request, Response};
use wythe_sdk::{Error, Result};

struct App;

impl http::Handler for App {
    fn handle(mut request: Request) -> Result<Response> {
        let query = request.query();
        match (request.method(), request.path()) {
            ("POST", "/seal") => {
                let transform = key(&query, "receipts")?.encryptor(&EncryptOptions::new())?;
                Ok(change(request, transform))
            }
            ("POST", "/open") => Ok(change(request, key(&query, "receipts")?.decryptor()?)),
            ("POST", "/whole/seal") => {
                let (key, data) = (key(&query, "receipts")?, request.bytes()?);
                Ok(Response::new(200).with_body(key.encrypt(data)?))
            }
            ("POST", "/whole/open") => {
                let (key, message) = (key(&query, "receipts")?, request.bytes()?);
                Ok(Response::new(200).with_body(key.decrypt(message)?))
            }
            ("POST", "/open/lines") => {
                let (key, lines) = (key(&query, "receipts")?, request.text()?);
                let mut opened = Vec::new();
                for line in lines.lines() {
                    opened.append(&mut key.decrypt(bytes(line)?)?);
                    opened.push(b'\n');
                }
                Ok(Response::new(200).with_body(opened))
            }
            ("POST", "/sign") => {
                let (key, text) = (key(&query, "signatures")?, request.bytes()?);
                let signature = key.sign(&text, SignatureAlgorithm::Eddsa)?;
                Ok(Response::text(hex(&signature)))
            }
            ("POST", "/verify") => {
                let signature = bytes(query.get("signature").unwrap_or_default())?;
                let (key, text) = (key(&query, "signatures")?, request.bytes()?);
                let good = key.verify(&text, &signature, SignatureAlgorithm::Eddsa)?;
                Ok(Response::text(good.to_string()))
            }
            ("GET", "/public") => Ok(Response::text(key(&query, "signatures")?.public()?)),
            (method, path) => Err(Error::not_found(format!("there is no {method} {path}"))),
        }
    }
}

fn key(query: &Query, usual: &str) -> Result<Key> {
    let component = query.get("component").unwrap_or("keys");
    Key::open(component, query.get("key").unwrap_or(usual))
}

/// The body through the transform, chunk by chunk; no more than one of them is in memory.
fn change(mut request: Request, mut transform: Transform) -> Response {
    Response::stream(move |out| {
        while let Some(chunk) = request.body_mut().chunk()? {
            out.write(transform.push(&chunk)?)?;
        }
        out.write(transform.finish()?)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Result<Vec<u8>> {
    let wrong = || Error::invalid("expected hexadecimal digits");
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).map_err(|_| wrong())?;
        u8::from_str_radix(text, 16).map_err(|_| wrong())
    };
    pairs.map(byte).collect()
}

wythe_sdk::serve!(App);
