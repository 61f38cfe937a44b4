//! Attacks by requests to the outside: many at once, some to nobody, some with little patience.
use std::time::Duration;

use wythe_sdk::wasip2::http::{
    outgoing_handler::handle,
    types::{
        ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, OutgoingRequest,
        RequestOptions, Scheme,
    },
};

/// Sends `count` requests at once and holds them until so many are refused.
pub fn many(url: &str, count: u64, refused: u64) -> String {
    let held: Vec<_> = (0..count).map(|_| start(url, None)).collect();
    let mut errors: Vec<String> = held
        .iter()
        .filter_map(|sent| sent.as_ref().err())
        .map(|error| format!("{error:?}"))
        .collect();
    while (errors.len() as u64) < refused {
        for future in held.iter().flatten() {
            // Nothing is there before somebody has looked.
            future.subscribe().ready();
            if let Some(Ok(Err(error))) = future.get() {
                errors.push(format!("{error:?}"));
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    errors.sort();
    errors.dedup();
    format!("{} of {count}: {}", held.len(), errors.join(", "))
}

/// One request that waits only so many milliseconds for the answer, and for each piece of it.
pub fn patience(url: &str, first: u64, between: u64) -> String {
    let nanoseconds = |milliseconds: u64| Some(milliseconds * 1_000_000);
    let options = RequestOptions::new();
    let set = options.set_first_byte_timeout(nanoseconds(first));
    if set
        .and_then(|()| options.set_between_bytes_timeout(nanoseconds(between)))
        .is_err()
    {
        return "the timeouts are not supported".to_owned();
    }
    let answer = start(url, Some(options)).and_then(|future| {
        future.subscribe().block();
        match future.get() {
            Some(Ok(answer)) => answer,
            _ => Err(ErrorCode::InternalError(None)),
        }
    });
    match answer {
        Ok(answer) => read(&answer),
        Err(error) => format!("no answer: {error:?}"),
    }
}

/// The bytes of the body, and how it ended.
fn read(answer: &IncomingResponse) -> String {
    let (Ok(body), mut bytes) = (answer.consume(), 0) else {
        return "no body".to_owned();
    };
    let Ok(stream) = body.stream() else {
        return "no stream".to_owned();
    };
    loop {
        match stream.blocking_read(4096) {
            Ok(piece) => bytes += piece.len(),
            Err(error) => return format!("{} with {bytes} bytes, then {error:?}", answer.status()),
        }
    }
}

fn start(url: &str, options: Option<RequestOptions>) -> Result<FutureIncomingResponse, ErrorCode> {
    let wrong = |()| ErrorCode::HttpRequestUriInvalid;
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).map_err(wrong)?;
    request.set_authority(Some(authority)).map_err(wrong)?;
    request.set_path_with_query(Some(path)).map_err(wrong)?;
    handle(request, options)
}
