//! An app that attacks its host and its neighbours; the path chooses how, and the answer tells how far it got.
//!
//! Answers are text. A path that ends the instance (`/trap`, `/spin`, and others where the host stops them) has no answer
//! of its own.
mod answers;
mod blocks;
mod bytes;
mod events;
mod held;
mod memory;
mod requests;
mod rules;
mod world;

use std::hint::black_box;
use std::time::Duration;

use wythe_sdk::Result;
use wythe_sdk::http::{self, Query, Request, Response};
use wythe_sdk::wasip2::exports::http::incoming_handler::Guest;
use wythe_sdk::wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Hostile;

impl http::Handler for Hostile {
    fn handle(mut request: Request) -> Result<Response> {
        let query = request.query();
        let path = request.path().to_owned();
        let text = match path.as_str() {
            "/alloc" => memory::alloc(number(&query, "mib", 1 << 20)),
            "/big-response" => return Ok(big_response(number(&query, "mib", 64))),
            "/big-string" => memory::big_string(number(&query, "mib", 64)),
            "/cut" => return Ok(answers::cut(text(&query, "how"))),
            "/drip" => {
                let (count, ms) = (number(&query, "count", 10), number(&query, "ms", 100));
                return Ok(answers::drip(count, ms));
            }
            "/connect" => world::connect(text(&query, "to")),
            "/env" => world::env(),
            "/event/heard" => events::heard()?,
            "/event/publish" => events::publish(&mut request)?,
            "/fetch" => world::fetch(text(&query, "url")),
            "/files" => world::files(),
            "/forge" => blocks::forge(text(&query, "component"), text(&query, "topic")),
            "/get" => blocks::get(text(&query, "component"), text(&query, "key")),
            "/invoke" => blocks::invoke(text(&query, "app"), text(&query, "path")),
            "/leak-handles" => {
                memory::leak_handles(text(&query, "kind"), number(&query, "count", u64::MAX))
            }
            "/log-flood" => blocks::log_flood(number(&query, "mib", 64)),
            "/publish" => blocks::publish(text(&query, "component"), text(&query, "topic")),
            "/put" => blocks::put(
                text(&query, "component"),
                text(&query, "key"),
                number(&query, "bytes", 1),
            ),
            "/random" => world::random(number(&query, "mib", 1)),
            "/read-body" => read_body(&mut request)?,
            "/recurse" => format!("came back from {}", recurse(black_box(1))),
            "/sleep" => {
                std::thread::sleep(Duration::from_millis(number(&query, "ms", 1000)));
                "slept".to_owned()
            }
            "/spin" => spin(),
            "/stdout-flood" => world::stdout_flood(number(&query, "mib", 64)),
            "/burn" => burn(number(&query, "rounds", 1_000_000)),
            "/trap" => panic!("trapped, as asked"),
            path => costly(path, &query)?,
        };
        Ok(Response::text(text))
    }
}

/// Attacks on what the host does or holds for a guest.
fn costly(path: &str, query: &Query) -> Result<String> {
    Ok(match path {
        "/host-spin" => held::host_spin(query),
        "/hold" => answers::hold(
            text(query, "url"),
            number(query, "count", 64),
            number(query, "ms", 1000),
        ),
        "/outgoing" => requests::many(
            text(query, "url"),
            number(query, "count", 1000),
            number(query, "refused", 1),
        ),
        "/patience" => requests::patience(
            text(query, "url"),
            number(query, "first", 30_000),
            number(query, "between", 30_000),
        ),
        "/long-name" => held::long_name(number(query, "mib", 1)),
        "/many-headers" => held::many_headers(text(query, "app"), number(query, "count", 1)),
        "/publish-wide" => rules::publish_wide(
            text(query, "component"),
            text(query, "topic"),
            number(query, "count", 1),
            number(query, "values", 1),
        ),
        "/pull" => answers::pull(text(query, "url")),
        _ => bytes::attack(path, query)?,
    })
}

fn number(query: &Query, name: &str, default: u64) -> u64 {
    query.number(name).unwrap_or(default)
}

fn text<'a>(query: &'a Query, name: &str) -> &'a str {
    query.get(name).unwrap_or_default()
}

/// Computes for as long as so many rounds take.
fn burn(rounds: u64) -> String {
    let sum: u64 = (0..rounds).map(black_box).fold(0, u64::wrapping_add);
    format!("computed {sum}")
}

fn spin() -> ! {
    loop {
        black_box(0);
    }
}

/// Uses its own result, so that it does not become a loop. Its frame is small, so that the stack of calls ends before the
/// one in its memory.
fn recurse(depth: u64) -> u64 {
    match depth {
        0 => 0,
        _ => black_box(recurse(black_box(depth + 1))) + depth,
    }
}

fn big_response(mib: u64) -> Response {
    Response::stream(move |writer| {
        let chunk = vec![b'x'; 64 << 10];
        for _ in 0..mib * 16 {
            writer.write(&chunk)?;
        }
        Ok(())
    })
}

fn read_body(request: &mut Request) -> Result<String> {
    let mut length = 0;
    while let Some(chunk) = request.body_mut().chunk()? {
        length += chunk.len();
    }
    Ok(format!("read {length} bytes"))
}

/// Some attacks are on the answer, and give it themselves.
impl Guest for Hostile {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        match answers::is_raw(path) {
            true => answers::raw(&request, answer),
            false => http::serve::<Self>(request, answer),
        }
    }
}

wythe_sdk::wasip2::http::proxy::export!(Hostile with_types_in wythe_sdk::wasip2);
