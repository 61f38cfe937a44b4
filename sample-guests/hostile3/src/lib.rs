//! An app of WASI 0.3 that attacks its host and whoever shares its instance; the path chooses how.
use wasip3::clocks::monotonic_clock::wait_for;
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

const MILLISECOND: u64 = 1_000_000;
const LONG: u64 = 600_000 * MILLISECOND;

struct Hostile;

impl Guest for Hostile {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        match path.as_str() {
            "/code" => Err(ErrorCode::ConfigurationError),
            "/trap" => panic!("trapped, as asked"),
            "/after" => Ok(answer(false, LONG)),
            "/half" => Ok(answer(true, LONG)),
            _ => Ok(answer(false, 0)),
        }
    }
}

/// An answer that is whole, or half of one, and work that follows.
fn answer(is_half: bool, work: u64) -> Response {
    let (mut body, reader) = wit_stream::new();
    let (trailers, no_trailers) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(Fields::new(), Some(reader), no_trailers);
    wit_bindgen::spawn_local(async move {
        // A client that has gone away is no fault of the app's.
        let _ = body.write_all(b"hello\n".to_vec()).await;
        if is_half {
            wait_for(work).await;
        }
        drop((body, trailers));
        wait_for(work).await;
    });
    response
}

wasip3::http::service::export!(Hostile);
