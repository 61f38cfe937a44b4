//! A project in a temporary directory, and a host that runs it in this process on a port of its own.

use crate::{
    client::{Answer, client, request},
    guests::guest,
};
use anyhow::{Context, Result};
use bytes::Bytes;
use http::Method;
use http_body_util::Full;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use std::{net::SocketAddr, path::Path, path::PathBuf, time::Duration};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use wythe::{
    boot::{self, Booted},
    check,
    report::Problem,
};
use wythe_api::{Audience, Ingress};

/// Components that forget everything, for tests of something else.
pub const MEMORY: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.memory, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec: { type: pubsub.memory, version: v1, initTimeout: 1m }
";

pub struct Project {
    directory: TempDir,
}

impl Project {
    /// `apps` is the list below `apps:`; `NAME.wasm` in it stands for the sample guest of that name.
    pub fn new(apps: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let project = Project { directory };
        let mut text = String::from("version: 1\nname: test\napps:\n");
        // A text that begins with `\` in the source has lost the spaces of its first line.
        let first = if apps.starts_with('-') { "  " } else { "" };
        for line in format!("{first}{apps}").lines() {
            text += &format!("{}\n", absolute(line));
        }
        project.write("wythe.yaml", &text);
        project
    }

    /// Adds a file of resources.
    #[must_use]
    pub fn with(self, name: &str, text: &str) -> Self {
        self.write(&format!("resources/{name}.yaml"), text);
        self
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a file has a directory"))
            .expect("a directory");
        std::fs::write(&path, content).expect("a file");
        path
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The errors that keep it from running, without places and the temporary directory's name. Where `wythe validate`
    /// finds an error, it is the same list that `wythe run` tells.
    pub async fn problems(&self) -> Vec<String> {
        let problems = self.all_problems().await.into_iter();
        let errors = problems.filter(|problem| !problem.is_warning);
        errors.map(|problem| self.shown(&problem.message)).collect()
    }

    /// The problems with places, and with warnings.
    pub async fn located_problems(&self) -> Vec<String> {
        let shown = |problem: Problem| {
            let word = if problem.is_warning { "warning: " } else { "" };
            format!("{word}{}", self.shown(&problem.to_string()))
        };
        self.all_problems().await.into_iter().map(shown).collect()
    }

    fn shown(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.path().display()), "")
    }

    async fn all_problems(&self) -> Vec<Problem> {
        let (_, validated) = check::problems(self.path(), None).await;
        let run = match self.try_start().await {
            Ok(running) => running.stop_with_warnings().await,
            Err(problems) => problems,
        };
        if boot::has_errors(&validated) || !boot::has_errors(&run) {
            assert_eq!(validated, run, "`validate` and `run` do not agree");
        }
        run
    }

    pub async fn start(&self) -> Result<Running> {
        let running = self.try_start().await;
        running.map_err(|problems| {
            let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{}", texts.join("\n"))
        })
    }

    async fn try_start(&self) -> Result<Running, Vec<Problem>> {
        let (plan, mut warnings) = check::good(self.path(), None).await?;
        let data = boot::data_directory(&plan.manifest);
        let booted = boot::boot(&plan, &data).await;
        let all = |more: &[Problem]| {
            let mut all = [warnings.as_slice(), more].concat();
            Problem::sort(&mut all);
            all
        };
        let booted = booted.map_err(|problems| all(&problems))?;
        warnings = all(&booted.warnings);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let shutdown = CancellationToken::new();
        let host = booted.host.clone();
        let audience = Audience::Strangers;
        let ingress = Ingress { host, audience };
        let serving = ingress.serve(listener, shutdown.clone(), Duration::from_secs(10));
        Ok(Running {
            serving: tokio::spawn(serving),
            client: client(),
            address,
            booted,
            shutdown,
            warnings,
        })
    }
}

/// `guest: NAME.wasm` becomes the absolute path of that sample guest.
fn absolute(line: &str) -> String {
    let Some((before, name)) = line.split_once("guest: ") else {
        return line.to_owned();
    };
    match name.trim().strip_suffix(".wasm") {
        Some(name) if !name.contains('/') => format!("{before}guest: {}", guest(name).display()),
        _ => line.to_owned(),
    }
}

/// A host that serves.
pub struct Running {
    pub address: SocketAddr,
    pub booted: Booted,
    client: Client<HttpConnector, Full<Bytes>>,
    shutdown: CancellationToken,
    warnings: Vec<Problem>,
    serving: JoinHandle<bool>,
}

impl Running {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, &[], "").await
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        let answer = request(&self.client, method, &self.url(path), headers, body).await;
        answer.with_context(|| format!("a request to {path}"))
    }

    /// Asks until the answer is as expected, for at most a minute: for what happens a moment later.
    pub async fn eventually(
        &self,
        path: &str,
        expected: impl Fn(&Answer) -> bool,
    ) -> Result<Answer> {
        let mut last = None;
        for _ in 0..1200 {
            let answer = self.get(path).await?;
            if expected(&answer) {
                return Ok(answer);
            }
            last = Some(answer);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("not within a minute; the last answer of {path} was {last:?}")
    }

    /// Tells the host to stop, without waiting for it.
    pub fn begin_stop(&self) {
        self.shutdown.cancel();
    }

    async fn stop_with_warnings(mut self) -> Vec<Problem> {
        let warnings = std::mem::take(&mut self.warnings);
        self.stop().await;
        warnings
    }

    /// Drains and closes; true if nothing was cut short.
    pub async fn stop(self) -> bool {
        self.shutdown.cancel();
        let drained = self.serving.await.unwrap_or(false);
        self.booted.host.close(Duration::from_secs(10)).await && drained
    }
}
