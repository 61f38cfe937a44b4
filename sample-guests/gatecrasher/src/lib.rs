//! A handler of requests that attacks its host, its client and the app behind it; the header `x-attack` chooses how.
//!
//! Without the header, and after attacks that end well, it hands the request on and says `x-gate: crashed` in the answer.
use std::time::Duration;

use wythe_sdk::Result;
use wythe_sdk::http::{self, Body, Request, Response};

struct Gatecrasher;

/// Time longer than anybody waits.
const LONG: Duration = Duration::from_secs(600);

impl http::Handler for Gatecrasher {
    fn handle(mut request: Request) -> Result<Response> {
        let attack = request.header("x-attack").unwrap_or_default().to_owned();
        let value = request.header("x-value").unwrap_or_default().to_owned();
        match attack.as_str() {
            "answer" => Ok(Response::text("answered by the handler").with_status(418)),
            "answer-first" => Ok(answer_first(request)),
            "body" => Ok(Response::text(format!("{} bytes", count(&mut request)?))),
            "endless" => Ok(Response::stream(|writer| {
                loop {
                    writer.write([b'x'; 4096])?;
                    std::thread::sleep(Duration::from_millis(1));
                }
            })),
            "env" => Ok(Response::text(std::env::var(&value).unwrap_or_default())),
            "fetch" => Ok(Response::text(outcome(http::send(Request::get(&value))))),
            "forge" => forge(request),
            "half" => Ok(Response::stream(|writer| {
                writer.write("half")?;
                writer.flush()?;
                panic!("trapped after the answer had begun")
            })),
            "hold" => {
                let held = Body::written(|writer| {
                    writer.write("held")?;
                    writer.flush()?;
                    std::thread::sleep(LONG);
                    Ok(())
                });
                pass(Request::post("http://held/echo").with_body(held))
            }
            "path" => pass(Request::get(&format!("http://elsewhere.example{value}"))),
            "sleep" => {
                std::thread::sleep(LONG);
                pass(request)
            }
            "spin" => loop {
                std::hint::black_box(());
            },
            "trap" => panic!("trapped, as asked"),
            "twice" => Ok(twice()),
            "unread" => Ok(Response::text("not read")),
            _ => pass(request),
        }
    }
}

/// Asks for the rest two times.
fn twice() -> Response {
    let first = outcome(http::next(Request::get("http://first/plain")));
    let second = outcome(http::next(Request::get("http://second/plain")));
    Response::text(format!("{first}, then {second}"))
}

fn pass(request: Request) -> Result<Response> {
    let mut response = http::next(request)?;
    response.headers_mut().set("x-gate", "crashed");
    Ok(response)
}

/// Says what only the host says, and what only another handler may.
fn forge(mut request: Request) -> Result<Response> {
    let headers = request.headers_mut();
    for name in [
        "wythe-client-name",
        "wythe-client",
        "dapr-caller-app-id",
        "dapr-caller-namespace",
        "dapr-api-token",
        "traceparent",
    ] {
        headers.set(name, "forged");
    }
    headers.set("x-own", "its own");
    pass(request)
}

/// The answer begins before the next handler is asked, and has its answer in it.
fn answer_first(request: Request) -> Response {
    Response::stream(move |writer| {
        writer.write("first ")?;
        writer.flush()?;
        writer.write(outcome(http::next(request)))
    })
}

fn count(request: &mut Request) -> Result<usize> {
    let mut bytes = 0;
    while let Some(chunk) = request.body_mut().chunk()? {
        bytes += chunk.len();
    }
    Ok(bytes)
}

fn outcome(response: Result<Response>) -> String {
    match response {
        Ok(response) => response.status().to_string(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

wythe_sdk::serve!(Gatecrasher);
