//! Calls of an app that has handlers: what it is asked, what its caller hears, and who may ask what handlers made.

use super::*;
use crate::{
    App, Component, Exports, Kind, Metrics, Origin, Profile, Settings, Trace,
    invocation::{CALLER_APP, CLIENT_NAME},
    middleware::{Configured, Driver, Middleware, Next, OPERATIONS, Visit},
    tenant::AppHandlers,
    time,
};
use http_body_util::BodyExt;
use std::time::Duration;
use wythe_manifest::{Component as Manifest, Configuration, Handler};

/// A handler that writes paths anew, refuses one, and marks what it lets pass.
struct Renaming;

#[async_trait]
impl Driver for Renaming {
    async fn handle(
        &self,
        visit: &Arc<Visit>,
        mut request: Request<Body>,
        next: Next,
    ) -> Result<Response<Body>> {
        assert!(visit.until.is_some());
        if request.uri().path() == "/closed" {
            return Err(Error::exhausted("closed for now").with_retry_after(Duration::from_secs(9)));
        }
        if request.uri().path() == "/alias" {
            *request.uri_mut() = "/secret".parse().expect("a path");
        }
        let value = http::HeaderValue::from_static("forged");
        request.headers_mut().insert(CALLER_APP, value);
        let mut answer = next.run(request).await;
        let value = http::HeaderValue::from_static("passed");
        answer.headers_mut().insert("x-gate", value);
        Ok(answer)
    }
}

/// An app that says by what path and by whom it was asked.
struct Shown {
    has_handler: bool,
}

#[async_trait]
impl Callee for Shown {
    fn exports(&self) -> Exports {
        Exports {
            http: true,
            invocation: self.has_handler,
            ..Exports::default()
        }
    }

    async fn http(&self, _: Call, _: Admission, request: Request<Body>) -> Result<Response<Body>> {
        let caller = request.headers().get(CALLER_APP);
        let caller = caller.map_or("", |value| value.to_str().expect("a text"));
        Ok(Response::new(body_from(format!(
            "{} {caller}",
            request.uri()
        ))))
    }

    async fn invoke(&self, _: Call, request: invocation::Request) -> Result<invocation::Response> {
        Ok(invocation::Response {
            status: 201,
            headers: Vec::new(),
            body: [request.path.as_bytes(), b" ", &request.body]
                .concat()
                .into(),
        })
    }
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn parsed(text: &str) -> wythe_manifest::Resources {
    let head = "apiVersion: dapr.io/v1alpha1\n";
    let (resources, problems) =
        wythe_manifest::parse_resources(&format!("{head}{text}"), "a.yaml".as_ref());
    assert!(problems.is_empty(), "{problems}");
    resources
}

fn component() -> Manifest {
    let text = "kind: Component\nmetadata: { name: gate }\nspec: { type: middleware.http.uppercase, version: v1 }\n";
    parsed(text).components[0].clone()
}

/// Policies by which `/secret` is nobody's.
fn policies() -> Vec<Configuration> {
    let text = "kind: Configuration\nmetadata: { name: access }\nspec:\n  accessControl:\n    defaultAction: allow\n    \
                policies:\n    - appId: shop\n      namespace: t\n      defaultAction: allow\n      operations: [{ name: /secret, httpVerb: ['*'], action: deny }]\n";
    parsed(text).configurations
}

/// The block through which `shop` asks the app, which has handlers.
fn stage(has_handler: bool) -> (invocation::Invocation, Arc<App>) {
    let middleware = Arc::<Middleware>::default();
    let driver = Arc::new(Configured {
        driver: Arc::new(Renaming),
    });
    let gate = Component::new(&name("t"), "middleware", OPERATIONS, &component(), driver);
    middleware.components.insert(&Metrics::default(), gate);
    let handler = Handler {
        name: "gate".parse().expect("a name"),
        kind: "middleware.http.uppercase".to_owned(),
        version: None,
        source: wythe_manifest::Source::default(),
    };
    let settings = Settings {
        app_handlers: vec![AppHandlers {
            apps: vec![name("cart")],
            handlers: vec![handler],
        }],
        ..Settings::new(name("t"), "data")
    };
    let app = App::new(
        Profile::new(name("t"), name("cart")),
        Arc::new(Shown { has_handler }),
    );
    let access = AccessPolicies::new(name("t"));
    access.set(&policies());
    let invocation = invocation::Invocation::new(crate::Resiliency::new(name("t")), access);
    let pipeline = middleware.before(&settings, app.id()).expect("handlers");
    assert!(middleware.before(&settings, &name("other")).is_none());
    let access = invocation.access().clone();
    app.guard(Some(Guard::new(name("cart"), pipeline, access)));
    invocation.add(&app);
    (invocation, app)
}

fn shop() -> Call {
    let text =
        "version: 1\nname: a\napps: [{ appID: shop, guest: a.wasm, grants: { invoke: [cart] } }]\n";
    let (manifest, _) = wythe_manifest::parse_manifest(text, "wythe.yaml".as_ref());
    let grants = manifest.expect("a manifest").apps.remove(0).grants;
    let deadline = time::deadline(Duration::from_secs(10));
    Call::app(
        name("t"),
        name("shop"),
        Arc::new(grants),
        Trace::start(),
        deadline,
    )
}

async fn text(answer: Response<Body>) -> String {
    let body = answer.into_body().collect().await.expect("a body");
    String::from_utf8_lossy(&body.to_bytes()).into_owned()
}

fn asked(path: &str) -> invocation::Request {
    invocation::Request {
        method: "POST".to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: "hello".into(),
    }
}

#[tokio::test]
async fn whoever_asks_by_http_goes_through_the_handlers() {
    let (invocation, app) = stage(false);
    let get = |path: &str| {
        let request = Request::get(format!("http://shop.example{path}"));
        request.body(body_from("")).expect("a request")
    };
    let answer = invocation
        .http(&shop(), "cart", get("/a"))
        .await
        .expect("an answer");
    assert_eq!(answer.headers()["x-gate"], "passed");
    assert_eq!(text(answer).await, "http://cart.wythe.internal/a shop");
    let outside = app
        .http(Origin::start(), get("/alias"))
        .await
        .expect("an answer");
    assert_eq!(outside.headers()["x-gate"], "passed");
    assert_eq!(text(outside).await, "http://shop.example/secret ");
    // The caller has the error whole, with its time.
    let error = app
        .http(Origin::start(), get("/closed"))
        .await
        .expect_err("closed");
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Exhausted, "`gate`: closed for now")
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(9)));
}

#[tokio::test]
async fn an_invocation_goes_through_them_too() {
    for has_handler in [true, false] {
        let (invocation, _) = stage(has_handler);
        let answer = invocation.invoke(&shop(), "cart", asked("/a?n=1")).await;
        let answer = answer.expect("an answer");
        let marked = answer.headers.iter().any(|(name, _)| name == "x-gate");
        assert!(marked, "{answer:?}");
        let expected = match has_handler {
            true => (201, "/a?n=1 hello"),
            false => (200, "http://cart.wythe.internal/a?n=1 shop"),
        };
        assert_eq!(
            (answer.status, &*answer.body),
            (expected.0, expected.1.as_bytes())
        );
    }
}

#[tokio::test]
async fn policies_are_asked_about_what_handlers_made() {
    for has_handler in [true, false] {
        let (invocation, _) = stage(has_handler);
        for path in ["/secret", "/alias"] {
            let refused = invocation.invoke(&shop(), "cart", asked(path)).await;
            let refused = refused.expect_err("denied");
            assert_eq!(refused.kind(), Kind::Denied, "{refused}");
        }
    }
}

/// Policies of two clients.
const CLIENTS: &str = "kind: Configuration\nmetadata: { name: access }\nscopes: [cart]\nspec:\n  accessControl:\n    policies:\n    \
                - client: 'cn:a'\n      defaultAction: allow\n      operations: [{ name: /secret, httpVerb: ['*'], action: deny }]\n    \
                - client: 'uri:b'\n      operations: [{ name: /secret, httpVerb: [GET], action: allow }]\n";

#[tokio::test]
async fn a_client_asks_for_what_policies_of_its_name_allow() {
    let (invocation, app) = stage(false);
    let access = invocation.access();
    app.judged_by(access);
    let asked = async |client: &str, path: &str| {
        let mut request = Request::get(format!("http://shop.example{path}"));
        if !client.is_empty() {
            request = request.header(CLIENT_NAME, client);
        }
        let request = request.body(body_from("")).expect("a request");
        let answer = app.http(Origin::start(), request).await;
        match answer {
            Ok(answer) => text(answer).await,
            Err(error) => {
                let expected = "this client may not make this request of `cart`";
                assert_eq!((error.kind(), error.message()), (Kind::Denied, expected));
                "denied".to_owned()
            }
        }
    };
    // No policy names a client, so that none is about them.
    assert_eq!(asked("", "/secret").await, "http://shop.example/secret ");
    access.set(&parsed(CLIENTS).configurations);
    for has_handlers in [true, false] {
        if !has_handlers {
            app.guard(None);
        }
        let alias = match has_handlers {
            // It is what handlers made of it.
            true => ["denied", "denied"],
            false => ["http://shop.example/alias ", "denied"],
        };
        for (client, path, expected) in [
            ("cn:a", "/open", "http://shop.example/open "),
            ("cn:a", "/secret", "denied"),
            ("cn:a", "/alias", alias[0]),
            ("uri:b", "/secret", "http://shop.example/secret "),
            ("uri:b", "/open", "denied"),
            ("uri:b", "/alias", alias[1]),
            ("cn:c", "/open", "denied"),
            ("", "/open", "denied"),
        ] {
            assert_eq!(asked(client, path).await, expected, "{client} {path}");
        }
    }
    access.set(&parsed(&CLIENTS.replace("[cart]", "[other]")).configurations);
    assert_eq!(asked("", "/open").await, "http://shop.example/open ");
}
