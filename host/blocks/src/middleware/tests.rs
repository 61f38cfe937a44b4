//! Handlers one after the other: their order, what they see, and what becomes of those that fail.

use super::*;
use crate::{Body, Component, Error, Kind, Metrics, Trace, body_from};
use http::{Request, Response};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use std::net::{IpAddr, Ipv4Addr};
use wythe_manifest::{Component as Manifest, Handler, Name, Secret};

/// A handler that notes its name on the way in and out.
struct Noting {
    name: &'static str,
    seen: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Driver for Noting {
    async fn handle(
        &self,
        visit: &Arc<Visit>,
        mut request: Request<Body>,
        next: Next,
    ) -> Result<Response<Body>> {
        let path = request.uri().path().to_owned();
        self.seen.lock().push(format!("{} {path}", self.name));
        match path.as_str() {
            "/refused" if self.name == "two" => {
                return Err(Error::denied(visit.client.to_string()));
            }
            "/broken" if self.name == "two" => panic!("a handler's own mistake"),
            "/alias" => *request.uri_mut() = "/aliased".parse().expect("a path"),
            _ => {}
        }
        let answer = next.run(request).await;
        let status = answer.status().as_u16();
        self.seen.lock().push(format!("{status} {}", self.name));
        Ok(answer)
    }
}

/// The app: it says which path it was asked for.
struct App;

#[async_trait]
impl End for App {
    async fn dispatch(&self, request: Request<Body>) -> Response<Body> {
        Response::new(body_from(request.uri().path().to_owned()))
    }

    fn refuse(&self, error: Error) -> Response<Body> {
        let mut answer = Response::new(body_from(error.chain()));
        *answer.status_mut() = error.kind().status();
        answer
    }
}

/// The answer to a path of handlers that are open, by their names, with what they noted.
async fn asked(open: &[&'static str], handlers: &[&str], path: &str) -> (u16, String, Vec<String>) {
    let (middleware, seen) = (Arc::<Middleware>::default(), Arc::default());
    for name in open {
        let driver = Arc::new(Configured {
            driver: Arc::new(Noting {
                name,
                seen: Arc::clone(&seen),
            }),
        });
        let manifest = manifest(name);
        let component = Component::new(&tenant(), "middleware", OPERATIONS, &manifest, driver);
        middleware.components.insert(&Metrics::default(), component);
    }
    let settings = Settings {
        handlers: handlers.iter().map(|name| handler(name)).collect(),
        ..Settings::new(tenant(), "data")
    };
    let pipeline = middleware.pipeline(&settings);
    let pipeline = pipeline.expect("handlers");
    let visit = pipeline.visit(
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        String::new(),
        Trace::start(),
    );
    let request = Request::get(path).body(body_from("")).expect("a request");
    let answer = pipeline.run(visit, request, Arc::new(App)).await;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a body");
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    let seen = seen.lock().clone();
    (status, text, seen)
}

fn tenant() -> Name {
    "shop".parse().expect("a name")
}

fn manifest(name: &str) -> Manifest {
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\n\
         spec: {{ type: middleware.http.uppercase, version: v1 }}\n"
    );
    let (resources, problems) = wythe_manifest::parse_resources(&text, "a.yaml".as_ref());
    assert!(problems.is_empty(), "{problems}");
    resources.components[0].clone()
}

fn handler(name: &str) -> Handler {
    Handler {
        name: name.parse().expect("a name"),
        kind: "middleware.http.uppercase".to_owned(),
        version: None,
        source: wythe_manifest::Source::default(),
    }
}

#[tokio::test]
async fn handlers_run_in_their_order_and_answers_come_back_through_them() {
    let (status, text, seen) = asked(&["one", "two"], &["two", "one"], "/cart").await;
    assert_eq!((status, text.as_str()), (200, "/cart"));
    assert_eq!(seen, ["two /cart", "one /cart", "200 one", "200 two"]);
}

#[tokio::test]
async fn what_a_handler_made_of_a_request_is_what_others_and_the_app_see() {
    let (_, text, seen) = asked(&["one", "two"], &["one", "two"], "/alias").await;
    assert_eq!(text, "/aliased");
    assert_eq!(seen[1], "two /aliased");
}

#[tokio::test]
async fn a_refusal_is_an_answer_to_those_before_and_nobody_after_is_asked() {
    let (status, text, seen) = asked(&["one", "two"], &["one", "two", "one"], "/refused").await;
    assert_eq!((status, text.as_str()), (403, "`two`: 127.0.0.1"));
    assert_eq!(seen, ["one /refused", "two /refused", "403 one"]);
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_request_alone() {
    let (status, _, seen) = asked(&["one", "two"], &["one", "two"], "/broken").await;
    let expected = Kind::UnknownOutcome.status().as_u16();
    assert_eq!(status, expected);
    assert_eq!(seen.last(), Some(&format!("{expected} one")));
}

#[tokio::test]
async fn a_handler_that_is_not_there_lets_nothing_pass() {
    let (status, text, seen) = asked(&["one"], &["one", "gone"], "/cart").await;
    assert_eq!(status, 503);
    let expected =
        "the handler `gone` of `httpPipeline` is not open, and nothing passes without it";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(seen, ["one /cart", "503 one"]);
}

#[test]
fn without_handlers_there_is_no_pipeline() {
    let middleware = Arc::<Middleware>::default();
    let settings = Settings::new(tenant(), "data");
    assert!(middleware.pipeline(&settings).is_none());
}

#[test]
fn a_token_is_that_of_the_project_and_no_other() {
    let middleware = Arc::<Middleware>::default();
    let settings = Settings {
        token: Some(Secret::new("secret")),
        ..Settings::new(tenant(), "data")
    };
    let pipeline = middleware.pipeline(&settings).expect("a token");
    assert!(pipeline.check(Some(b"secret")).is_ok());
    for shown in [
        None,
        Some(b"".as_slice()),
        Some(b"secreu"),
        Some(b"secret1"),
    ] {
        let error = pipeline.check(shown).expect_err("another token");
        assert_eq!(error.detail(), Some(crate::Detail::Unauthenticated));
        assert!(!error.chain().contains("secre"), "{error}");
    }
}
