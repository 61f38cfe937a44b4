//! The door: who is let in, and who gets nothing.

use super::visitor::{Seen, Visitor};
use crate::{case, crash::command};
use anyhow::{Context, Result, ensure};
use host_tests::{Answer, MEMORY, Project, client, request};
use http::Method;
use libtest_mimic::Trial;
use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    process::Stdio,
    time::Duration,
};

type Headers<'a> = &'a [(&'a str, &'a str)];

const HELLO: &str = "\
  - appID: hello
    guest: hello.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("dashboard::nothing_is_shown_before_the_door", before),
        case("dashboard::a_form_of_somebody_else_does_nothing", forged),
        case("dashboard::it_ends_with_its_host", ends),
        case("dashboard::a_token_of_the_operators_is_not_printed", given),
        case(
            "dashboard::bodies_and_paths_of_strangers_are_bounded",
            bounded,
        ),
    ]
}

fn project() -> Project {
    Project::new(HELLO).with("memory", MEMORY)
}

async fn ask(url: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    request(&client(), Method::GET, url, headers, "").await
}

async fn before() -> Result<()> {
    let project = project();
    let seen = Seen::start(&project, &["--dashboard"])?;
    let visitor = Visitor::enter(&seen.dashboard).await?;
    let (site, base) = (&visitor.site, &visitor.base);
    let page = visitor.page("default", "");
    let cookie = visitor.cookie.as_str();
    let root = format!("{site}/");
    let own: &[(&str, &str)] = &[("cookie", cookie)];
    let other = ("cookie", "wythe-dashboard=0123456789abcdef0123456789abcdef");
    let elsewhere = format!("{site}/0123456789abcdef0123456789abcdef/t/default/");
    let from = |site| [("cookie", cookie), ("sec-fetch-site", site)];
    let cases: &[(&str, Headers<'_>, u16)] = &[
        (&page, own, 200),
        // Without the cookie, with another, and with the right one for a path that is not the right one.
        (&page, &[], 403),
        (&page, &[other], 403),
        (&elsewhere, own, 404),
        (&format!("{site}/t/default/"), own, 404),
        (&format!("{root}?token=wrong"), &[], 403),
        // A name that somebody has lead to 127.0.0.1, and a page of another origin.
        (&page, &[own[0], ("host", "rebound.example")], 403),
        (&root, &[("host", "rebound.example")], 403),
        (&page, &from("cross-site"), 403),
        (&page, &from("same-site"), 403),
        (&page, &from("same-origin"), 200),
        (&root, &[], 200),
        (&format!("{site}/style.css"), &[], 200),
        (&format!("{site}/etc/passwd"), &[], 404),
    ];
    for (url, headers, status) in cases {
        answers(url, headers, *status, base).await?;
    }
    Ok(())
}

/// Asks, and checks the status, the headers of every answer, and that a refusal says nothing.
async fn answers(url: &str, headers: Headers<'_>, status: u16, base: &str) -> Result<()> {
    let answer = ask(url, headers).await?;
    ensure!(answer.status == status, "{url} {headers:?}: {answer:?}");
    for (name, begin) in [
        ("content-security-policy", "default-src 'none';"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
    ] {
        let found = answer.header(name).unwrap_or_default();
        ensure!(found.starts_with(begin), "{url}: {name} is {found}");
    }
    let text = answer.text();
    ensure!(
        status == 200 || !text.contains("hello") && !text.contains(base),
        "{url}: {text}"
    );
    Ok(())
}

async fn forged() -> Result<()> {
    let project = project();
    let seen = Seen::start(&project, &["--dashboard"])?;
    let visitor = Visitor::enter(&seen.dashboard).await?;
    let other = Visitor::enter(&seen.dashboard).await?;
    let site = visitor.site.clone();
    let (token, others) = (visitor.token().await?, other.token().await?);
    let url = visitor.page("default", "do/publish");
    let fields = "component=pubsub&topic=visits&data=1";
    let good = format!("form={token}&{fields}");
    let own = ("origin", site.as_str());
    let cases: &[(Headers<'_>, String)] = &[
        // No token, another one, that of another session.
        (&[own], fields.to_owned()),
        (&[own], format!("form=&{fields}")),
        (&[own], format!("form={others}&{fields}")),
        // The right one, from a page of somebody else.
        (&[], good.clone()),
        (&[("origin", "null")], good.clone()),
        (&[("origin", seen.url.as_str())], good.clone()),
        (&[own, ("sec-fetch-site", "same-site")], good.clone()),
        (&[own, ("sec-fetch-site", "cross-site")], good.clone()),
        (&[own, ("host", "rebound.example")], good.clone()),
    ];
    for (headers, body) in cases {
        let answer = visitor.post(&url, headers, body.clone()).await?;
        ensure!(answer.status == 403, "{headers:?} {body}: {answer:?}");
    }
    // A command is no page that is read.
    let read = visitor.get(&format!("{url}?{good}")).await?;
    ensure!(read.status == 404, "{read:?}");
    let done = visitor.post(&url, &[own], good).await?;
    ensure!(done.status == 303, "{done:?}");
    let left = format!("{site}{}leave", visitor.base);
    visitor.post(&left, &[own], format!("form={token}")).await?;
    let answer = visitor.get(&visitor.page("default", "")).await?;
    ensure!(answer.status == 403, "{answer:?}");
    ensure!(other.read("").await.is_ok(), "another session goes on");
    Ok(())
}

/// Waits until nobody listens there.
async fn gone(address: SocketAddr) -> Result<()> {
    for _ in 0..600 {
        if TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_err() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the dashboard goes on")
}

fn address(dashboard: &str) -> Result<SocketAddr> {
    let rest = dashboard.strip_prefix("http://").context("a URL")?;
    Ok(rest.split('/').next().context("an address")?.parse()?)
}

async fn ends() -> Result<()> {
    let project = project();
    let mut seen = Seen::start(&project, &["--dashboard"])?;
    let address = address(&seen.dashboard)?;
    Visitor::enter(&seen.dashboard).await?;
    // However the host ends.
    seen.child.kill()?;
    seen.child.wait()?;
    gone(address).await
}

async fn given() -> Result<()> {
    const TOKEN: &str = "a-token-of-the-operators-own";
    let project = project();
    let seen = crate::crash::run(&project, &[])?;
    let mut command = command();
    command
        .args(["dashboard", "-o", "json", "-p"])
        .arg(project.path())
        .env("WYTHE_DASHBOARD_TOKEN", TOKEN);
    let (mut child, said) = crate::crash::spawn(command)?;
    let url = said["url"].as_str().context("a URL")?.to_owned();
    ensure!(!said.to_string().contains(TOKEN), "{said}");
    let visitor = Visitor::enter(&format!("{url}?token={TOKEN}")).await?;
    ensure!(visitor.read("").await?.contains("hello"));
    // By the form of the first page as well.
    let form = visitor
        .post(&url, &[("origin", &visitor.site)], format!("token={TOKEN}"))
        .await?;
    ensure!(
        form.status == 200 && form.header("set-cookie").is_some(),
        "{form:?}"
    );
    child.kill()?;
    child.wait()?;
    let mut process = seen;
    Ok(process.child.kill()?)
}

async fn bounded() -> Result<()> {
    let project = project();
    let seen = Seen::start(&project, &["--dashboard"])?;
    let visitor = Visitor::enter(&seen.dashboard).await?;
    let own = ("origin", visitor.site.as_str());
    let url = visitor.page("default", "do/publish");
    let long = format!(
        "form={}&data={}",
        visitor.token().await?,
        "a".repeat(2 << 20)
    );
    let answer = visitor.post(&url, &[own], long).await?;
    ensure!(answer.status == 400, "{answer:?}");
    let door = format!("{}/", visitor.site);
    let answer = visitor
        .post(&door, &[own], format!("token={}", "a".repeat(5_000)))
        .await?;
    ensure!(answer.status == 400, "{answer:?}");
    // A path of a megabyte ends the connection, and nothing else.
    let mut stream = TcpStream::connect(address(&seen.dashboard)?)?;
    let _ = stream.write_all(format!("GET /{} HTTP/1.1\r\n", "a".repeat(1 << 20)).as_bytes());
    ensure!(visitor.read("").await?.contains("hello"));
    // Beyond this machine it starts only with a token of the operator's.
    let mut wrong = command();
    let wrong = wrong
        .args(["dashboard", "--listen", "0.0.0.0:0", "-p"])
        .arg(project.path());
    let refused = wrong.stdin(Stdio::null()).output()?;
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        words.contains("WYTHE_DASHBOARD_TOKEN or `--token-file`"),
        "{words}"
    );
    Ok(())
}
