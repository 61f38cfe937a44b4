//! Scripts of pages of other origins (CORS, by the Fetch standard): the host answers for its apps whether they may ask.

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN, VARY,
    },
};
use wythe_blocks::{Body, body_from};
use wythe_manifest::{Cors, Origins};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
/// Seconds for which a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const YES: HeaderValue = HeaderValue::from_static("true");
const ANY: HeaderValue = HeaderValue::from_static("*");
const DEPENDS: HeaderValue = HeaderValue::from_static(
    "origin, access-control-request-method, access-control-request-headers",
);

/// The origin of a request, where one is named once and may ask.
pub fn allowed<B>(cors: &Cors, request: &Request<B>) -> Option<HeaderValue> {
    let mut origins = request.headers().get_all(ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else {
        return None;
    };
    let is_allowed = cors.origins.allow(origin.to_str().ok()?);
    is_allowed.then(|| origin.clone())
}

/// The answer to a browser that asks whether a script may ask; no app hears of it, and no token comes with it.
pub fn preflight<B>(
    cors: &Cors,
    origin: Option<&HeaderValue>,
    request: &Request<B>,
) -> Option<Response<Body>> {
    let headers = request.headers();
    let is_question = request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if !is_question {
        return None;
    }
    let mut answer = Response::new(body_from(""));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    if origin.is_some() {
        let more = answer.headers_mut();
        more.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        more.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if let Some(wanted) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            more.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
    }
    mark(cors, origin, answer.headers_mut());
    answer.headers_mut().insert(VARY, DEPENDS);
    Some(answer)
}

/// Says in an answer who may read it, whatever an app says of that.
pub fn mark(cors: &Cors, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
    headers.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
    let is_any = cors.origins == Origins::Any;
    if !is_any {
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
    let Some(origin) = origin else {
        headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
        return;
    };
    let named = if is_any { ANY } else { origin.clone() };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, named);
    if cors.credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, YES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(credentials: bool) -> Cors {
        Cors {
            origins: Origins::Named(vec!["https://a.example".to_owned()]),
            credentials,
        }
    }

    fn asked(method: Method, headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request")
    }

    /// The answer to a preflight: its status, and who may ask.
    fn answer(cors: &Cors, request: &Request<()>) -> Option<(u16, Option<String>)> {
        let origin = allowed(cors, request);
        let answer = preflight(cors, origin.as_ref(), request)?;
        let named = answer.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN);
        let named = named.map(|value| value.to_str().expect("a text").to_owned());
        let methods = answer.headers().contains_key(ACCESS_CONTROL_ALLOW_METHODS);
        assert_eq!(methods, named.is_some());
        Some((answer.status().as_u16(), named))
    }

    #[test]
    fn a_preflight_is_answered_for_those_who_may_ask() {
        let question = ("access-control-request-method", "PUT");
        let ask = |origin| asked(Method::OPTIONS, &[("origin", origin), question]);
        let named = |text: &str| Some((204, Some(text.to_owned())));
        assert_eq!(
            answer(&cors(false), &ask("https://a.example")),
            named("https://a.example")
        );
        assert_eq!(
            answer(&cors(false), &ask("https://b.example")),
            Some((204, None))
        );
        assert_eq!(
            answer(&cors(false), &ask("https://a.example.evil")),
            Some((204, None))
        );
        assert_eq!(answer(&cors(false), &ask("null")), Some((204, None)));
        let any = Cors {
            origins: Origins::Any,
            credentials: false,
        };
        assert_eq!(answer(&any, &ask("https://b.example")), named("*"));
        // What is no question is the app's to answer.
        let plain = asked(Method::OPTIONS, &[("origin", "https://a.example")]);
        assert_eq!(answer(&cors(false), &plain), None);
        let get = asked(Method::GET, &[("origin", "https://a.example"), question]);
        assert_eq!(answer(&cors(false), &get), None);
    }

    #[test]
    fn an_answer_says_who_may_read_it_whatever_the_app_says() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, YES);
        mark(&cors(true), None, &mut headers);
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
        let origin = HeaderValue::from_static("https://a.example");
        mark(&cors(true), Some(&origin), &mut headers);
        assert_eq!(headers.get(ACCESS_CONTROL_ALLOW_ORIGIN), Some(&origin));
        assert_eq!(headers.get(ACCESS_CONTROL_ALLOW_CREDENTIALS), Some(&YES));
        assert!(headers.get_all(VARY).iter().any(|value| value == "origin"));
    }

    #[test]
    fn two_origins_are_none() {
        let two = asked(
            Method::GET,
            &[
                ("origin", "https://a.example"),
                ("origin", "https://a.example"),
            ],
        );
        assert_eq!(allowed(&cors(false), &two), None);
    }
}
