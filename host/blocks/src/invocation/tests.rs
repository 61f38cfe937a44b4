//! The rules of the block over apps that say what they were given.

mod golden;
mod paths;
mod stage;

use super::*;
use crate::{Kind, time};
use stage::{Stage, WAYS, Way, configurations, name};
use std::time::Duration;
use wythe_manifest::Configuration;

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

/// Each operation looks at the whole of it.
#[tokio::test]
async fn a_long_path_is_refused_where_policies_look_at_it() {
    let stage = Stage::new(RULES);
    let caller = stage.caller("default", "trusted");
    for (length, is_refused) in [(1_000, false), (3_000, true)] {
        let path = format!("/{}", "x".repeat(length));
        let answer = stage.ask(&caller, Way::Block, "POST", &path).await;
        let refused = answer.err().map(|error| error.kind());
        assert_eq!(refused, is_refused.then_some(Kind::Invalid), "{length}");
    }
}

#[tokio::test]
async fn a_refusal_tells_the_caller_nothing_of_policies() {
    let stage = Stage::new(RULES);
    let caller = stage.caller("default", "stranger");
    let reported = stage.ask(&caller, Way::Http, "GET", "/a").await;
    let reported = reported.expect_err("no policy");
    assert_eq!(
        reported.message(),
        "app `stranger` may not make this call of `web`"
    );
    // What is not granted is not granted whatever a policy says, and is reported first.
    let request = Request {
        method: "GET".to_owned(),
        path: "/a".to_owned(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    let caller = stage.caller("default", "caller");
    let reported = stage.invocation.invoke(&caller, "third", request).await;
    assert!(
        reported
            .expect_err("no grant")
            .message()
            .contains("`third`")
    );
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
