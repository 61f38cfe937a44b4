//! Says hello with WASI 0.2 alone: nothing of Wythe is in here.
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

const HELLO: &[u8] = b"hello\n";

struct Plain;

impl Guest for Plain {
    fn handle(_request: IncomingRequest, answer: ResponseOutparam) {
        let fields = [
            (
                "content-length".to_owned(),
                HELLO.len().to_string().into_bytes(),
            ),
            ("content-type".to_owned(), b"text/plain".to_vec()),
        ];
        let headers = Fields::from_list(&fields).expect("the headers are good");
        let response = OutgoingResponse::new(headers);
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(answer, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        // A client that has gone away is no fault of the app's.
        let _ = stream.blocking_write_and_flush(HELLO);
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}

wasip2::http::proxy::export!(Plain);
