//! Speaks with the outside: keeps files, asks a web service with a secret that it does not see, and tells what it heard.
//!
//! | request | answer |
//! |---|---|
//! | `PUT /files/NAME`, `GET /files/NAME`, `DELETE /files/NAME` | a file of the component `files` |
//! | `POST /ask?path=` | what the component `service` answers; its header `Authorization` is a secret |
//! | `GET /heard` | what the input bindings delivered, in order |
//! | `POST /operation?component=&operation=&NAME=VALUE` | any operation, with the rest as its metadata |
//!
//! What is delivered with the text `fail` is not acknowledged the first time.
use serde::{Deserialize, Serialize};
use wythe_sdk::bindings::{self, Input, Listener};
use wythe_sdk::http::{self, Request, Response};
use wythe_sdk::secrets::Secret;
use wythe_sdk::state::Store;
use wythe_sdk::{Error, Result};

struct App;

/// One delivery, as it is kept.
#[derive(Deserialize, Serialize)]
struct Heard {
    component: String,
    text: String,
    attempt: u32,
    metadata: Vec<(String, String)>,
}

impl http::Handler for App {
    fn handle(mut request: Request) -> Result<Response> {
        let segments = request.segments();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        match (request.method(), segments.as_slice()) {
            ("PUT", ["files", name]) => {
                let data = request.bytes()?;
                bindings::invoke("files", "create", data, &[("fileName", name)])?;
                Ok(Response::new(204))
            }
            ("GET", ["files", name]) => {
                let file = bindings::invoke("files", "get", "", &[("fileName", name)])?;
                Ok(Response::new(200).with_body(file.data))
            }
            ("DELETE", ["files", name]) => {
                bindings::invoke("files", "delete", "", &[("fileName", name)])?;
                Ok(Response::new(204))
            }
            ("POST", ["ask"]) => ask(&mut request),
            ("GET", ["heard"]) => heard(),
            ("POST", ["operation"]) => operation(&mut request),
            (method, _) => Err(Error::not_found(format!(
                "there is no {method} {}",
                request.path()
            ))),
        }
    }
}

/// The secret goes from the store to the service, and never through here.
fn ask(request: &mut Request) -> Result<Response> {
    let token = Secret::get("vault", "token")?;
    let token = token.ok_or_else(|| Error::not_found("there is no token"))?;
    let query = request.query();
    let path = query.get("path").unwrap_or("/");
    let data = request.bytes()?;
    let secrets = [("Authorization", &token)];
    let answer = bindings::invoke_sealed("service", "post", data, &[("path", path)], &secrets)?;
    Ok(Response::new(200).with_body(answer.data))
}

fn operation(request: &mut Request) -> Result<Response> {
    let query = request.query();
    let get = |name| query.get(name).unwrap_or_default();
    let pairs = query.pairs().iter();
    let metadata: Vec<(&str, &str)> = pairs
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !["component", "operation"].contains(name))
        .collect();
    let data = request.bytes()?;
    let outcome = bindings::invoke(get("component"), get("operation"), data, &metadata)?;
    Ok(Response::new(200).with_body(outcome.data))
}

impl Listener for App {
    fn components() -> Vec<String> {
        let names = std::env::var("LISTEN").unwrap_or_default();
        let names = names.split(' ').filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    }

    fn on_input(input: Input) -> Result<Vec<u8>> {
        let text = input.text()?.to_owned();
        if text == "fail" && input.attempt == 1 {
            return Err(Error::unavailable("not the first time"));
        }
        let store = Store::open("statestore")?;
        let number = store.increment("heard", 1)?;
        let answer = format!("heard {text}").into_bytes();
        let Input {
            component,
            attempt,
            metadata,
            ..
        } = input;
        let heard = Heard {
            component,
            text,
            attempt,
            metadata,
        };
        store.put_json(&format!("heard/{number:06}"), &heard)?;
        Ok(answer)
    }
}

fn heard() -> Result<Response> {
    let mut all = Vec::new();
    for entry in Store::open("statestore")?.list("heard/") {
        all.push(entry?.1.json::<Heard>()?);
    }
    Response::json(&all)
}

wythe_sdk::serve!(App);
wythe_sdk::listen!(App);
