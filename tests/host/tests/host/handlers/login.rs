//! `middleware.http.oauth2`, from a browser's first request to its last, with a made-up authorization server.

use super::{APPS, got};
use anyhow::{Context, Result, ensure};
use host_tests::{Answer, MEMORY, Project, Running, client, request};
use http::Method;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Answers questions for tokens, one after the other, on a thread of its own, until the test ends.
fn server() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut asked = Vec::new();
            let mut piece = [0; 4096];
            while !String::from_utf8_lossy(&asked).contains("code_verifier=") {
                match stream.read(&mut piece) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => asked.extend_from_slice(&piece[..count]),
                }
            }
            let is_good = String::from_utf8_lossy(&asked).contains("code=good&");
            let (status, body) = match is_good {
                true => (
                    "200 OK",
                    "{\"access_token\": \"t0ken\", \"expires_in\": 600}",
                ),
                false => ("400 Bad Request", "{\"error\": \"invalid_grant\"}"),
            };
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
        }
    });
    Ok(url)
}

fn resources(server: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: login }}\nspec:\n  \
         type: middleware.http.oauth2\n  version: v1\n  metadata:\n  \
         - {{ name: clientID, value: shop }}\n  - {{ name: clientSecret, value: s3cret }}\n  \
         - {{ name: authURL, value: '{server}/authorize' }}\n  - {{ name: tokenURL, value: '{server}/token' }}\n  \
         - {{ name: redirectURL, value: 'http://shop.example/back' }}\n  - {{ name: pathFilter, value: '^/echo' }}\n---\n\
         apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: way }}\n\
         spec: {{ httpPipeline: {{ handlers: [{{ name: login, type: middleware.http.oauth2 }}] }} }}\n"
    )
}

/// The cookies of an answer that last, as a browser sends them.
fn cookies(answer: &Answer) -> Result<String> {
    let all = answer.headers.get_all("set-cookie").iter();
    let all: Vec<_> = all
        .map(|cookie| cookie.to_str())
        .collect::<Result<_, _>>()?;
    let lasting = all.iter().filter(|cookie| !cookie.contains("Max-Age=0"));
    let pairs: Vec<_> = lasting
        .filter_map(|cookie| cookie.split(';').next())
        .collect();
    Ok(pairs.join("; "))
}

fn state(answer: &Answer) -> Result<&str> {
    let location = answer.header("location").context("no location")?;
    let state = location
        .split(['?', '&'])
        .find_map(|field| field.strip_prefix("state="));
    state.context("no state")
}

/// A page as a browser asks for it, with its cookies.
async fn page(running: &Running, path: &str, cookie: &str) -> Result<Answer> {
    let headers = [("host", "shop.example"), ("cookie", cookie)];
    request(&client(), Method::GET, &running.url(path), &headers, "").await
}

/// Ways back that are none.
async fn misused(running: &Running, state: &str, flow: &str) -> Result<()> {
    for (path, cookie, expected) in [
        (format!("/back?code=good&state={state}"), "", 400),
        (format!("/back?code=good&state=x{state}"), flow, 400),
        (
            format!("/back?error=access_denied&state={state}"),
            flow,
            403,
        ),
        (format!("/back?code=bad&state={state}"), flow, 503),
    ] {
        let answer = page(running, &path, cookie).await?;
        ensure!(
            answer.status == expected,
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        ensure!(!answer.message().contains("s3cret") && !answer.message().contains(state));
    }
    Ok(())
}

pub async fn logged_in() -> Result<()> {
    let server = server()?;
    let project = Project::new(APPS)
        .with("memory", MEMORY)
        .with("login", &resources(&server));
    let running = project.start().await?;
    let get = async |path: &str, cookie: &str| page(&running, path, cookie).await;
    ensure!(get("/plain", "").await?.status == 200);
    let away = get("/echo/a?n=1", "other=1").await?;
    ensure!(away.status == 302, "{}", away.text());
    let location = away.header("location").unwrap_or_default();
    ensure!(location.starts_with(&format!(
        "{server}/authorize?response_type=code&client_id=shop&"
    )));
    let (state, flow) = (state(&away)?.to_owned(), cookies(&away)?);
    misused(&running, &state, &flow).await?;
    let back = get(&format!("/back?code=good&state={state}"), &flow).await?;
    ensure!(
        (back.status, back.header("location")) == (303, Some("/echo/a?n=1")),
        "{}",
        back.text()
    );
    let session = cookies(&back)?;
    ensure!(
        !session.contains("t0ken") && !session.contains("flow"),
        "{session}"
    );
    let answer = get("/echo/a", &format!("other=1; {session}")).await?;
    ensure!(answer.status == 200, "{}", answer.text());
    let shown = answer.json();
    ensure!(got(&shown, "authorization") == ["Bearer t0ken"], "{shown}");
    ensure!(got(&shown, "cookie") == ["other=1"], "{shown}");
    let answer = get("/echo/a", &session.replace("=1.", "=1.A")).await?;
    ensure!(answer.status == 302, "{}", answer.text());
    let posted = running.send(Method::POST, "/echo/a", &[], "hello").await?;
    ensure!(posted.status == 401, "{}", posted.text());
    ensure!(running.stop().await);
    stays(&project, &session).await
}

/// The key of the cookies is stored: whoever is logged in stays so.
async fn stays(project: &Project, session: &str) -> Result<()> {
    let running = project.start().await?;
    let headers = [("cookie", session)];
    let answer = running.send(Method::GET, "/echo/a", &headers, "").await?;
    ensure!(answer.status == 200, "{}", answer.text());
    ensure!(running.stop().await);
    Ok(())
}
