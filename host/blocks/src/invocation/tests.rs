//! The rules of the block over apps that say what they were given.

use super::fuzzing::as_callees_do;
use super::*;
use crate::{Admission, Callee, Exports, Kind, Profile, Trace, time};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::time::Duration;
use wythe_manifest::{Configuration, Grants, parse_manifest, parse_resources};

fn answer(method: Method, status: u16) -> Result<http::Response<Body>> {
    let response = http::Response::builder()
        .status(status)
        .header(CONTENT_LENGTH, "4");
    let response = response.body(body_from("body")).expect("a response");
    settled(&method, response)
}

#[tokio::test]
async fn an_answer_is_as_it_would_come_over_the_wire() {
    for (method, status, body, length) in [
        (Method::GET, 200, "body", true),
        (Method::GET, 404, "body", true),
        (Method::HEAD, 200, "", true),
        (Method::GET, 204, "", false),
        (Method::GET, 304, "", true),
    ] {
        let (head, content) = answer(method, status).expect("final").into_parts();
        let content = content.collect().await.expect("in memory").to_bytes();
        assert_eq!(content, body, "{status}");
        assert_eq!(
            head.headers.contains_key(CONTENT_LENGTH),
            length,
            "{status}"
        );
    }
    for status in [100, 101, 103, 199] {
        let error = answer(Method::GET, status).expect_err("not final");
        assert_eq!(error.kind(), crate::Kind::Internal);
    }
}

/// An app that keeps what it was given.
struct Echo {
    exports: Exports,
    given: Mutex<Vec<(String, String)>>,
}

#[async_trait]
impl Callee for Echo {
    fn exports(&self) -> Exports {
        self.exports.clone()
    }

    async fn http(
        &self,
        _: Call,
        _: Admission,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        let path = request.uri().path_and_query().expect("a path").to_string();
        let given = (request.method().to_string(), path);
        self.given.lock().push(given);
        Ok(http::Response::new(body_from(Bytes::new())))
    }

    async fn invoke(&self, _: Call, request: Request) -> Result<Response> {
        self.given.lock().push((request.method, request.path));
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::new(),
        })
    }
}

/// The ways in which an app asks another.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// By the block, of an app that exports it.
    Block,
    /// By the block, of an app of HTTP.
    BlockToHttp,
    /// By HTTP.
    Http,
    /// By the block, several at once.
    Many,
}

const WAYS: [Way; 4] = [Way::Block, Way::BlockToHttp, Way::Http, Way::Many];

/// A tenant with the apps `block` and `web`, which `caller` may call.
struct Stage {
    invocation: Invocation,
    block: Arc<Echo>,
    web: Arc<Echo>,
    grants: Arc<Grants>,
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn configurations(spec: &str) -> Vec<Configuration> {
    let head = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: c }\n";
    let (found, problems) = parse_resources(&format!("{head}{spec}"), "conf.yaml".as_ref());
    assert!(problems.is_empty(), "{problems}");
    found.configurations
}

impl Stage {
    fn new(spec: &str) -> Self {
        let text = "version: 1\nname: a\napps: [{ appID: a, guest: a.wasm, grants: { invoke: [web, block] } }]\n";
        let (manifest, _) = parse_manifest(text, "wythe.yaml".as_ref());
        let grants = manifest.expect("a manifest").apps.remove(0).grants;
        let invocation = Invocation::new(
            Resiliency::new(name("default")),
            AccessPolicies::new(name("default")),
        );
        invocation.access().set(&configurations(spec));
        let app = |id: &str, exports| {
            let callee = Arc::new(Echo {
                exports,
                given: Mutex::default(),
            });
            let profile = Profile::new(name("default"), name(id));
            invocation.add(&App::new(profile, callee.clone()));
            callee
        };
        let [mut block, mut web] = [Exports::default(), Exports::default()];
        (block.invocation, web.http) = (true, true);
        Stage {
            block: app("block", block),
            web: app("web", web),
            grants: Arc::new(grants),
            invocation,
        }
    }

    fn caller(&self, tenant: &str, app: &str) -> Call {
        let (grants, deadline) = (self.grants.clone(), time::deadline(Duration::from_secs(60)));
        Call::app(name(tenant), name(app), grants, Trace::start(), deadline)
    }

    /// Asks; the answer is what the callee was given.
    async fn ask(
        &self,
        caller: &Call,
        way: Way,
        method: &str,
        path: &str,
    ) -> Result<(String, String)> {
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
        };
        let callee = match way {
            Way::Block | Way::Many => "block",
            Way::BlockToHttp | Way::Http => "web",
        };
        match way {
            Way::Block | Way::BlockToHttp => {
                drop(self.invocation.invoke(caller, callee, request).await?);
            }
            Way::Many => {
                let calls = vec![(callee.to_owned(), request)];
                let mut answers = self.invocation.invoke_many(caller, calls).await;
                drop(answers.remove(0)?);
            }
            Way::Http => {
                let mut request = http::Request::new(body_from(Bytes::new()));
                let wrong = |_| Error::invalid("no request");
                *request.uri_mut() = path.parse().map_err(|_| Error::invalid("no address"))?;
                *request.method_mut() = method.parse().map_err(wrong)?;
                drop(self.invocation.http(caller, callee, request).await?);
            }
        }
        let given = [&self.block, &self.web].map(|app| app.given.lock().pop());
        Ok(given.into_iter().flatten().next().expect("it was asked"))
    }

    async fn allows(&self, app: &str, method: &str, path: &str) -> bool {
        let caller = self.caller("default", app);
        let mut answers = Vec::new();
        for way in WAYS {
            match self.ask(&caller, way, method, path).await {
                Ok(given) => {
                    assert_eq!(given, (method.to_owned(), path.to_owned()), "{way:?}");
                    answers.push(true);
                }
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Denied, "{way:?} {}", error.message());
                    answers.push(false);
                }
            }
        }
        assert!(
            answers.iter().all(|one| *one == answers[0]),
            "{path}: {answers:?}"
        );
        answers[0]
    }
}

const RULES: &str = "
spec:
  accessControl:
    defaultAction: deny
    policies:
      - appId: caller
        namespace: default
        operations:
          - { name: /a, httpVerb: [GET], action: allow }
          - { name: /a/private, httpVerb: ['*'], action: deny }
          - { name: /b/*, httpVerb: ['*'], action: allow }
      - appId: trusted
        namespace: default
        defaultAction: allow
        operations:
          - { name: Admin, httpVerb: [get, POST], action: deny }
";

#[tokio::test]
async fn access_is_decided_by_caller_path_and_verb() {
    let stage = Stage::new(RULES);
    for (app, method, path, expected) in [
        ("caller", "GET", "/a", true),
        ("caller", "GET", "/A?x=/b", true),
        ("caller", "GET", "/%61/", true),
        ("caller", "POST", "/a", false),
        ("caller", "HEAD", "/a", false),
        ("caller", "get", "/a", true),
        ("caller", "GET", "/a/private", false),
        ("caller", "GET", "/a/PRIVATE/x", false),
        ("caller", "GET", "/a/%70rivate", false),
        ("caller", "GET", "/a/other", true),
        ("caller", "PROPFIND", "/b/c", true),
        ("caller", "GET", "/b/c/d", false),
        ("caller", "GET", "/", false),
        ("caller", "GET", "/?/a", false),
        ("trusted", "PUT", "/admin", true),
        ("trusted", "GET", "/admin", false),
        ("trusted", "get", "/admin", false),
        ("trusted", "POST", "/ADMIN/users", false),
        ("trusted", "POST", "/other", true),
        ("stranger", "GET", "/a", false),
        // A call of an app to itself is one, too.
        ("block", "GET", "/a", false),
        ("web", "GET", "/a", false),
    ] {
        let allowed = stage.allows(app, method, path).await;
        assert_eq!(allowed, expected, "{app} {method} {path}");
    }
    let elsewhere = stage.caller("other", "caller");
    let error = stage.ask(&elsewhere, Way::Block, "GET", "/a").await;
    assert_eq!(error.expect_err("of another tenant").kind(), Kind::Denied);
}

#[tokio::test]
async fn a_refusal_tells_the_caller_nothing_of_policies() {
    let stage = Stage::new(RULES);
    let caller = stage.caller("default", "stranger");
    let told = stage.ask(&caller, Way::Http, "GET", "/a").await;
    let told = told.expect_err("no policy");
    assert_eq!(
        told.message(),
        "app `stranger` may not make this call of `web`"
    );
    // What is not granted is not granted whatever a policy says, and is told first.
    let request = Request {
        method: "GET".to_owned(),
        path: "/a".to_owned(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    let caller = stage.caller("default", "caller");
    let told = stage.invocation.invoke(&caller, "third", request).await;
    assert!(told.expect_err("no grant").message().contains("`third`"));
}

#[tokio::test]
async fn no_policy_is_about_the_operator() {
    let stage = Stage::new("spec: { accessControl: { defaultAction: deny } }");
    assert!(!stage.allows("caller", "GET", "/a").await);
    let deadline = time::deadline(Duration::from_secs(60));
    let operator = Call::operator(name("default"), name("operator"), deadline);
    for way in WAYS {
        stage
            .ask(&operator, way, "GET", "/a")
            .await
            .expect("the operator");
    }
}

#[tokio::test]
async fn policies_change_for_the_next_call() {
    let stage = Stage::new("");
    assert!(stage.allows("caller", "GET", "/a").await);
    let deny = configurations("spec: { accessControl: { defaultAction: deny } }");
    stage.invocation.access().set(&deny);
    assert!(!stage.allows("caller", "GET", "/a").await);
    stage.invocation.access().set(&configurations(RULES));
    assert!(stage.allows("caller", "GET", "/a").await);
    stage.invocation.access().set(&[]);
    assert!(stage.allows("stranger", "DELETE", "/").await);
}

#[tokio::test]
async fn a_document_with_scopes_is_for_the_apps_that_are_called() {
    let stage = Stage::new("scopes: [web]\nspec: { accessControl: { defaultAction: deny } }");
    let caller = stage.caller("default", "caller");
    for (way, expected) in [
        (Way::Block, true),
        (Way::Many, true),
        (Way::Http, false),
        (Way::BlockToHttp, false),
    ] {
        let asked = stage.ask(&caller, way, "GET", "/a").await;
        assert_eq!(asked.is_ok(), expected, "{way:?}");
    }
    // Every document has to allow a call.
    let both = [
        configurations(RULES),
        configurations("scopes: [web]\nspec: { accessControl: { defaultAction: deny } }"),
    ];
    stage.invocation.access().set(&both.concat());
    assert!(stage.ask(&caller, Way::Block, "GET", "/a").await.is_ok());
    assert!(stage.ask(&caller, Way::Http, "GET", "/a").await.is_err());
    let other = configurations("spec: { accessControl: { defaultAction: deny } }");
    let other = other.into_iter().map(|one| Configuration {
        namespace: Some(name("other")),
        ..one
    });
    stage.invocation.access().set(&other.collect::<Vec<_>>());
    assert!(stage.ask(&caller, Way::Http, "GET", "/a").await.is_ok());
}

/// Pieces that paths are made of: what could be read in two ways, and what could not.
const PIECES: [&str; 40] = [
    "/", "/", "/", "/", "/a", "/b", "/A", "/private", "/PRIVATE", "a", "b", "c", "p", "%61", "%41",
    "%70", "%2f", "%2F", "%5c", "%2e", "%00", "%25", "%2", "%", "%zz", "%C3%A4", "ä", ".", "..",
    "//", "\\", "?", "#", ";", "=", "&", "+", " ", "*", "%2a",
];

/// Paths from a seed alone.
struct Paths(u64);

impl Paths {
    fn number(&mut self) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits")
    }

    fn next(&mut self) -> String {
        let pieces = self.number() % 7;
        let mut path = String::from(["/", "/a", "/b", ""][self.number() % 4]);
        for _ in 0..pieces {
            path.push_str(PIECES[self.number() % PIECES.len()]);
        }
        path
    }
}

/// The verdict of `RULES` about `caller`, by what the callee was given alone.
fn verdict(method: &str, path: &str) -> bool {
    let segments = as_callees_do(path);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["a", "private", ..] => false,
        ["a", ..] => method == "GET",
        ["b"] | ["b", _] => true,
        _ => false,
    }
}

/// Every path is either refused as ambiguous, whoever asks, or judged as the callee that is given it would judge it.
async fn differ(count: usize) -> [usize; 3] {
    let stage = Stage::new(RULES);
    let callers = ["caller", "stranger"].map(|app| stage.caller("default", app));
    let operator = Call::operator(
        name("default"),
        name("operator"),
        time::deadline(Duration::from_secs(3_600)),
    );
    let (mut paths, mut seen) = (Paths(7), [0; 3]);
    for number in 0..count {
        let path = paths.next();
        let method = ["GET", "POST"][number % 2];
        let way = WAYS[number / 2 % 4];
        // A request by HTTP has an address already, which says where its path ends.
        let plain = stage.ask(&operator, way, method, &path).await;
        let judged = stage.ask(&callers[0], way, method, &path).await;
        let denied = stage.ask(&callers[1], way, method, &path).await;
        match (plain, judged) {
            (Ok(given), Ok(same)) => {
                assert_eq!(given, same);
                assert!(verdict(method, &given.1), "{way:?} {method} {path:?}");
                seen[0] += 1;
            }
            (Ok((_, given)), Err(error)) => {
                assert_eq!(error.kind(), Kind::Denied, "{path:?}");
                assert!(!verdict(method, &given), "{way:?} {method} {path:?}");
                seen[1] += 1;
            }
            (Err(one), Err(other)) => {
                assert_eq!((one.kind(), other.kind()), (Kind::Invalid, Kind::Invalid));
                seen[2] += 1;
                assert_eq!(denied.expect_err("ambiguous").kind(), Kind::Invalid);
                continue;
            }
            (Err(error), Ok(_)) => panic!("{path:?}: {}", error.message()),
        }
        assert_eq!(denied.expect_err("a stranger").kind(), Kind::Denied);
    }
    seen
}

#[tokio::test]
async fn what_the_policy_sees_is_what_the_callee_is_given() {
    let count = std::env::var("WYTHE_PATHS").ok();
    let count = count.and_then(|count| count.parse().ok()).unwrap_or(20_000);
    let seen = differ(count).await;
    assert!(seen.iter().all(|part| *part > count / 50), "{seen:?}");
}
