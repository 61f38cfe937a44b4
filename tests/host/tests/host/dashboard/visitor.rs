//! A visitor of a dashboard, who has its URL and acts as a browser does.

use crate::crash::{command, spawn};
use anyhow::{Context, Result, ensure};
use host_tests::{Answer, Project, client, request};
use http::Method;
use std::{process::Child, time::Duration};

/// A host in a process of its own, killed when it is dropped.
pub struct Seen {
    pub child: Child,
    /// The URL of its apps.
    pub url: String,
    /// The URL of its dashboard, with the token.
    pub dashboard: String,
}

impl Drop for Seen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Seen {
    pub fn start(project: &Project, more: &[&str]) -> Result<Self> {
        let mut command = command();
        command
            .args(["run", "--listen", "127.0.0.1:0", "-o", "json"])
            .args(more)
            .arg(project.path());
        let (child, ready) = spawn(command)?;
        let text = |name: &str| ready[name].as_str().unwrap_or_default();
        let seen = Seen {
            child,
            url: text("url").trim_end_matches('/').to_owned(),
            dashboard: text("dashboard").to_owned(),
        };
        ensure!(!seen.dashboard.is_empty(), "no dashboard in {ready}");
        Ok(seen)
    }
}

/// Somebody with the URL of a dashboard.
pub struct Visitor {
    /// The origin: `http://HOST:PORT`.
    pub site: String,
    /// The path behind the door.
    pub base: String,
    pub cookie: String,
}

impl Visitor {
    /// Comes by the URL that was printed.
    pub async fn enter(dashboard: &str) -> Result<Self> {
        let answer = request(&client(), Method::GET, dashboard, &[], "").await?;
        ensure!(answer.status == 200, "{answer:?}");
        let cookie = answer.header("set-cookie").context("no cookie")?;
        let base = between(cookie, "Path=", ";").context("no path")?;
        let cookie = cookie.split(';').next().unwrap_or_default();
        let (site, _) = dashboard.split_once("/?").context("no token")?;
        Ok(Visitor {
            site: site.to_owned(),
            base: base.to_owned(),
            cookie: cookie.to_owned(),
        })
    }

    /// The URL of a page of a tenant.
    pub fn page(&self, tenant: &str, page: &str) -> String {
        format!("{}{}t/{tenant}/{page}", self.site, self.base)
    }

    pub async fn get(&self, url: &str) -> Result<Answer> {
        let headers = [("cookie", self.cookie.as_str())];
        request(&client(), Method::GET, url, &headers, "").await
    }

    /// The text of a page of the only tenant of a project.
    pub async fn read(&self, page: &str) -> Result<String> {
        let url = self.page("default", page);
        let answer = self.get(&url).await?;
        ensure!(answer.status == 200, "{url}: {answer:?}");
        Ok(answer.text())
    }

    /// Reads a page until it has this text: for what is seen a moment later.
    pub async fn until(&self, page: &str, expected: &str) -> Result<String> {
        let mut last = String::new();
        for _ in 0..600 {
            last = self.read(page).await?;
            if last.contains(expected) {
                return Ok(last);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("{page} never said `{expected}`, but {last}")
    }

    /// The token of the forms of this session.
    pub async fn token(&self) -> Result<String> {
        let page = self.read("").await?;
        let token = between(&page, "name=\"form\" value=\"", "\"");
        Ok(token.context("no form")?.to_owned())
    }

    /// Sends a form of the page, and follows to the page that comes next.
    pub async fn send(&self, action: &str, fields: &str) -> Result<String> {
        let body = format!("form={}&{fields}", self.token().await?);
        let url = self.page("default", &format!("do/{action}"));
        let answer = self.post(&url, &[("origin", &self.site)], body).await?;
        ensure!(answer.status == 303, "{url}: {answer:?}");
        let next = answer.header("location").context("no page")?;
        let next = format!("{}{next}", self.site);
        let answer = self.get(&next).await?;
        ensure!(answer.status == 200, "{next}: {answer:?}");
        Ok(answer.text())
    }

    pub async fn post(&self, url: &str, headers: &[(&str, &str)], body: String) -> Result<Answer> {
        let mut all = vec![
            ("cookie", self.cookie.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        all.extend(headers);
        request(&client(), Method::POST, url, &all, body).await
    }
}

/// The text between two others.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}
