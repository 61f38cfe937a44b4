//! Says hello with WASI 0.3 alone: nothing of Wythe is in here.
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

const HELLO: &[u8] = b"hello\n";

struct Plain;

impl Guest for Plain {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let fields = [
            (
                "content-length".to_owned(),
                HELLO.len().to_string().into_bytes(),
            ),
            ("content-type".to_owned(), b"text/plain".to_vec()),
        ];
        let headers = Fields::from_list(&fields).expect("the headers are good");
        let (mut body, reader) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(headers, Some(reader), no_trailers);
        drop(trailers);
        wit_bindgen::spawn_local(async move {
            // A client that has gone away is no fault of the app's.
            let _ = body.write_all(HELLO.to_vec()).await;
        });
        Ok(response)
    }
}

wasip3::http::service::export!(Plain);
