//! Logins from end to end with a server of tests, and what comes back that was not sent away.

use super::*;
use crate::tests::served::{answer, serve};
use http::header::COOKIE;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use url::Url;
use wythe_blocks::{Call, Kind, Trace, time};

/// The settings, with some that are others.
fn config(token_url: &str, others: &Value) -> settings::Config {
    let mut all = json!({
        "clientID": "shop",
        "clientSecret": "s3cret",
        "scopes": "openid, cart",
        "authURL": "https://login.example/authorize?tenant=a",
        "tokenURL": token_url,
        "redirectURL": "https://shop.example/back",
    });
    for (name, value) in others.as_object().expect("an object") {
        all[name] = value.clone();
    }
    serde_json::from_value(all).expect("a config")
}

fn login(token_url: &str) -> Login {
    let settings = settings::parse(config(token_url, &json!({}))).map_err(Error::from);
    Login::new(settings.expect("a config"), b"0123456789abcdef").expect("a key")
}

fn visit(base: &str) -> Visit {
    let name = || "shop".parse().expect("a name");
    Visit {
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        base: base.to_owned(),
        until: None,
        call: Call::host(name(), name(), Trace::start(), time::deadline(LOGIN)),
    }
}

fn request(target: &str, cookies: &[String]) -> Request<Body> {
    let mut request = Request::get(target);
    for cookie in cookies {
        request = request.header(COOKIE, cookie);
    }
    request.body(body_from("")).expect("a request")
}

/// The answer to a browser that comes back.
async fn returned(
    login: &Login,
    base: &str,
    target: &str,
    cookies: &[String],
) -> Result<Response<Body>> {
    let request = request(target, cookies);
    let query = request.uri().query().unwrap_or_default().to_owned();
    let headers = request.headers().clone();
    login.come_back(&visit(base), &query, &headers).await
}

/// The cookies that a browser keeps of an answer.
fn preserved(answer: &Response<Body>) -> Vec<String> {
    let all = answer.headers().get_all(SET_COOKIE).iter();
    let all = all.map(|cookie| cookie.to_str().expect("a text"));
    let lasting = all.filter(|cookie| !cookie.contains("Max-Age=0"));
    lasting
        .map(|cookie| cookie.split(';').next().expect("a pair").to_owned())
        .collect()
}

fn location(answer: &Response<Body>) -> &str {
    answer.headers()[LOCATION].to_str().expect("a text")
}

/// The fields of the question to the server.
fn asked(answer: &Response<Body>) -> HashMap<String, String> {
    let url: Url = location(answer).parse().expect("a URL");
    url.query_pairs().into_owned().collect()
}

const TOKEN: &str =
    "{\"access_token\": \"the-token\", \"token_type\": \"bearer\", \"expires_in\": 60}";

#[tokio::test]
async fn a_browser_logs_in_and_comes_back_to_what_it_asked_for() {
    let (url, requests) = serve(vec![answer("200 OK", "", TOKEN)]);
    let login = login(&url);
    let away = login.send_away(&visit("/t"), &request("/cart?n=1", &[]));
    let away = away.expect("an answer");
    assert_eq!(away.status(), StatusCode::FOUND);
    let fields = asked(&away);
    for (name, expected) in [
        ("tenant", "a"),
        ("response_type", "code"),
        ("client_id", "shop"),
        ("redirect_uri", "https://shop.example/back"),
        ("scope", "openid cart"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(fields[name], expected, "{name}");
    }
    let back = format!("/back?code=c1&state={}", fields["state"]);
    let back = returned(&login, "/t", &back, &preserved(&away)).await;
    let back = back.expect("an answer");
    assert_eq!(
        (back.status(), location(&back)),
        (StatusCode::SEE_OTHER, "/t/cart?n=1")
    );
    let asked = requests.recv().expect("a request");
    let (head, form) = asked.split_once("\r\n\r\n").expect("a request");
    assert!(head.contains("Basic "), "{head}");
    let form: HashMap<_, _> = form_urlencoded::parse(form.as_bytes()).collect();
    let challenge = digest(&SHA256, form["code_verifier"].as_bytes());
    assert_eq!(fields["code_challenge"], URL_SAFE_NO_PAD.encode(challenge));
    assert_eq!(
        (&*form["code"], &*form["grant_type"]),
        ("c1", "authorization_code")
    );
    let next = request("/cart", &preserved(&back));
    let token = login.token(next.headers()).expect("a token");
    assert_eq!(token, "Bearer the-token");
    for cookie in back.headers().get_all(SET_COOKIE) {
        let text = cookie.to_str().expect("a text");
        assert!(text.contains("; HttpOnly; SameSite=Lax; Secure") && text.contains("; Path=/t;"));
        assert!(!text.contains("the-token"), "{text}");
    }
}

#[tokio::test]
async fn who_was_not_sent_away_does_not_come_back() {
    let login = login("http://127.0.0.1:9/token");
    let away = login.send_away(&visit(""), &request("/cart", &[]));
    let away = away.expect("an answer");
    let (state, cookies) = (asked(&away)["state"].clone(), preserved(&away));
    let other = login.send_away(&visit(""), &request("/", &[]));
    let other = asked(&other.expect("an answer"))["state"].clone();
    let good = format!("/back?code=c&state={state}");
    for (target, cookies, expected) in [
        (
            good.as_str(),
            &[][..],
            "the login was begun in another browser",
        ),
        (
            &format!("/back?code=c&state={other}"),
            &cookies,
            "the `state` of the login is another one",
        ),
        (
            "/back?code=c&state=",
            &cookies,
            "the `state` of the login is another one",
        ),
        (
            &format!("/back?error=access_denied%0a&state={state}"),
            &cookies,
            "the login ended without a code; the server said `access_denied\\n`",
        ),
        // The server is not there; neither the code nor the secret is in the error.
        (
            &good,
            &cookies,
            "no token of `127.0.0.1` can be had: it cannot be reached",
        ),
    ] {
        let back = returned(&login, "", target, cookies);
        let error = back.await.expect_err(expected);
        assert!(error.chain().starts_with(expected), "{}", error.chain());
        assert!(!error.chain().contains("s3cret"), "{}", error.chain());
    }
}

#[test]
fn what_is_no_page_is_refused_and_not_sent_away() {
    let login = login("http://127.0.0.1:9/token");
    let mut script = request("/cart", &[]);
    let mode = HeaderValue::from_static("cors");
    script.headers_mut().insert("sec-fetch-mode", mode);
    let mut post = request("/cart", &[]);
    *post.method_mut() = Method::POST;
    for request in [script, post] {
        let error = login.send_away(&visit(""), &request).expect_err("no page");
        assert_eq!(error.kind(), Kind::Denied);
        assert_eq!(error.detail(), Some(Detail::Unauthenticated));
    }
}

#[test]
fn a_path_needs_a_login_however_it_is_written() {
    let filter = json!({ "pathFilter": "^/Admin" });
    let settings = settings::parse(config("http://127.0.0.1:9/token", &filter));
    let settings = settings.map_err(Error::from).expect("a config");
    let filtered = Login::new(settings, b"0123456789abcdef").expect("a key");
    for path in ["/Admin", "/%41dmin/x", "/%41%64min", "/%4"] {
        assert!(filtered.needs_login(path), "{path}");
    }
    for path in ["/", "/cart/Admin", "/c%61rt"] {
        assert!(!filtered.needs_login(path), "{path}");
    }
    assert!(login("http://127.0.0.1:9/token").needs_login("/"));
}

#[test]
fn a_session_is_that_of_its_key_and_of_its_time() {
    let own = login("http://127.0.0.1:9/token");
    let session = |until| Session {
        token: "Bearer t".to_owned(),
        until,
    };
    let shown = |until, purpose| {
        let cookies = own
            .jar
            .give(purpose, &session(until), "", LIFE)
            .expect("cookies");
        let first = cookies[0].to_str().expect("a text").split(';').next();
        let pair = first.expect("a pair").replace(".flow=", "=");
        own.token(request("/", &[pair]).headers()).is_some()
    };
    assert!(shown(seconds() + 60, ""));
    assert!(!shown(seconds() - 1, ""));
    assert!(!shown(seconds() + 60, FLOW));
}

#[test]
fn a_config_that_would_not_work_is_refused() {
    for (others, expected) in [
        (
            json!({ "mode": "header" }),
            "`mode`: only `cookie` is there",
        ),
        (
            json!({ "cookieName": "a b" }),
            "`cookieName`: expected 1 to 64",
        ),
        (
            json!({ "redirectURL": "https://shop.example/?a=b" }),
            "`redirectURL`: expected a URL without a query",
        ),
        (json!({ "authURL": "login" }), "`authURL`: expected a URL"),
        (
            json!({ "tokenEncryptionKey": "short" }),
            "`tokenEncryptionKey` is too short",
        ),
        (
            json!({ "authHeaderName": "a b" }),
            "`authHeaderName`: expected the name",
        ),
    ] {
        let config = config("https://login.example/token", &others);
        let wrong = settings::parse(config).map(drop).map_err(Error::from);
        let wrong = wrong.expect_err(expected);
        assert!(wrong.message().starts_with(expected), "{wrong}");
    }
    let forced = json!({ "redirectURL": "http://shop.example/back", "forceHTTPS": true });
    let settings = settings::parse(config("https://login.example/token", &forced));
    let settings = settings.map_err(Error::from).expect("a config");
    assert_eq!(settings.redirect.as_str(), "https://shop.example/back");
}
