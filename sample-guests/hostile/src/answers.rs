//! Attacks by the answer itself: none, half of one, one that is followed by work, and answers that nobody reads.
use std::hint::black_box;
use std::time::Duration;

use wythe_sdk::http::{self, Query, Request, Response};
use wythe_sdk::state::Store;
use wythe_sdk::wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

use crate::{number, text};

/// True if the path is one of those that give their answer themselves.
pub fn is_raw(path: &str) -> bool {
    matches!(path, "/after" | "/code" | "/late-end" | "/silent")
}

/// Answers, or not.
pub fn raw(request: &IncomingRequest, answer: ResponseOutparam) {
    let target = request.path_with_query().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = Query::parse(query);
    match path {
        "/after" => {
            whole(answer);
            end(text(&query, "how"), number(&query, "ms", 0));
        }
        "/code" => ResponseOutparam::set(answer, Err(ErrorCode::ConfigurationError)),
        "/late-end" => late_end(answer, text(&query, "component")),
        _ => drop(answer),
    }
}

/// A whole answer, with the instance's work still before it.
fn whole(answer: ResponseOutparam) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("the body is there once");
    ResponseOutparam::set(answer, Ok(response));
    let stream = body.write().expect("the stream is there once");
    // A client that has gone away is no fault of the app's.
    let _ = stream.blocking_write_and_flush(b"whole\n");
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// An answer of a declared length whose end comes late, and is kept in a store: whether the guest could still write it.
fn late_end(answer: ResponseOutparam, component: &str) {
    let fields = Fields::from_list(&[("content-length".to_owned(), b"6".to_vec())]);
    let response = OutgoingResponse::new(fields.expect("a good header"));
    let body = response.body().expect("the body is there once");
    ResponseOutparam::set(answer, Ok(response));
    let stream = body.write().expect("the stream is there once");
    let written = stream.blocking_write_and_flush(b"whole\n").is_ok();
    std::thread::sleep(Duration::from_millis(200));
    let flushed = stream.blocking_flush().is_ok();
    drop(stream);
    let finished = OutgoingBody::finish(body, None).is_ok();
    let told = format!("written {written}, flushed {flushed}, finished {finished}");
    let _ = Store::open(component).and_then(|store| store.put("late-end", told.into_bytes()));
}

/// Half of an answer, and an end that is none.
pub fn cut(how: &str) -> Response {
    let how = how.to_owned();
    Response::stream(move |writer| {
        writer.write("half\n")?;
        writer.flush()?;
        end(&how, 600_000);
        Ok(())
    })
}

/// An answer that takes its time and never stops for long.
pub fn drip(count: u64, ms: u64) -> Response {
    Response::stream(move |writer| {
        for _ in 0..count {
            writer.write("drip\n")?;
            writer.flush()?;
            std::thread::sleep(Duration::from_millis(ms));
        }
        Ok(())
    })
}

/// Opens calls to an app, reads no answer, and waits.
pub fn hold(url: &str, count: u64, ms: u64) -> String {
    let held: Vec<_> = (0..count).map(|_| http::send(Request::get(url))).collect();
    std::thread::sleep(Duration::from_millis(ms));
    let begun = held.iter().filter(|answer| answer.is_ok()).count();
    format!("held {begun}")
}

/// Reads the whole answer of an app, in process.
pub fn pull(url: &str) -> String {
    let mut response = match http::send(Request::get(url)) {
        Ok(response) => response,
        Err(error) => return format!("refused: {error}"),
    };
    let mut length = 0;
    loop {
        match response.body_mut().chunk() {
            Ok(Some(chunk)) => length += chunk.len(),
            Ok(None) => return format!("read all of {length} bytes"),
            Err(error) => return format!("broke off after {length} bytes: {error}"),
        }
    }
}

fn end(how: &str, ms: u64) {
    match how {
        "trap" => panic!("trapped, as asked"),
        "spin" => crate::spin(),
        "alloc" => {
            black_box(vec![1_u8; 1 << 30]);
        }
        _ => std::thread::sleep(Duration::from_millis(ms)),
    }
}
