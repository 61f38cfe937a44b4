//! A handler of requests, by WASI 0.3 alone: it refuses paths, marks what it lets pass, and touches no body.
//!
//! Its settings, as `metadata` of a component of the type `middleware.http.wasm`:
//!
//! | name | meaning |
//! |---|---|
//! | `refuse` | paths with commas between them; they and all that is below them get 403 |
//!
//! Request and answer have a header `x-gate` that says `passed` or `refused`, whatever the client wrote there.
use wasip3::exports::http::handler::Guest;
use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Fields, Request, Response, Scheme};
use wasip3::wit_future;

/// The next handler, or the app.
const NEXT: &str = "next.wythe.internal";
const MARK: &str = "x-gate";

struct Gatekeeper;

impl Guest for Gatekeeper {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        if is_refused(path) {
            return refuse();
        }
        let answer = client::send(onward(request, &target)?).await?;
        back(answer)
    }
}

fn is_refused(path: &str) -> bool {
    let refused = std::env::var("refuse").unwrap_or_default();
    let refused = refused.split(',').filter(|prefix| !prefix.is_empty());
    let mut below = refused.filter_map(|prefix| path.strip_prefix(prefix));
    below.any(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The request with the mark, on its way to the next handler; its body goes on unread.
fn onward(request: Request, target: &str) -> Result<Request, ErrorCode> {
    let (method, headers) = (
        request.get_method(),
        marked(&request.get_headers(), "passed")?,
    );
    let (_, result) = wit_future::new(|| Ok(()));
    let (body, trailers) = Request::consume_body(request, result);
    let (next, _) = Request::new(headers, Some(body), trailers, None);
    let wrong = |()| ErrorCode::HttpRequestUriInvalid;
    next.set_method(&method).map_err(wrong)?;
    next.set_scheme(Some(&Scheme::Http)).map_err(wrong)?;
    next.set_authority(Some(NEXT)).map_err(wrong)?;
    next.set_path_with_query(Some(target)).map_err(wrong)?;
    Ok(next)
}

/// The answer with the mark; its body goes on unread.
fn back(answer: Response) -> Result<Response, ErrorCode> {
    let (status, headers) = (
        answer.get_status_code(),
        marked(&answer.get_headers(), "passed")?,
    );
    let (_, result) = wit_future::new(|| Ok(()));
    let (body, trailers) = Response::consume_body(answer, result);
    let (marked, _) = Response::new(headers, Some(body), trailers);
    let wrong = |()| ErrorCode::InternalError(None);
    marked.set_status_code(status).map_err(wrong)?;
    Ok(marked)
}

fn refuse() -> Result<Response, ErrorCode> {
    let (_, no_trailers) = wit_future::new(|| Ok(None));
    let headers = marked(&Fields::new(), "refused")?;
    let (answer, _) = Response::new(headers, None, no_trailers);
    let wrong = |()| ErrorCode::InternalError(None);
    answer.set_status_code(403).map_err(wrong)?;
    Ok(answer)
}

fn marked(headers: &Fields, mark: &str) -> Result<Fields, ErrorCode> {
    let headers = headers.clone();
    let wrong = |_| ErrorCode::InternalError(None);
    headers
        .set(MARK, &[mark.as_bytes().to_vec()])
        .map_err(wrong)?;
    Ok(headers)
}

wasip3::http::service::export!(Gatekeeper);
