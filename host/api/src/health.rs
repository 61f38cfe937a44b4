//! Health: whether requests should come here, as a status and a line for each thing that keeps them away.

use crate::admin::reports;
use futures::future::join_all;
use http::StatusCode;
use serde_json::json;
use std::sync::Arc;
use wythe_blocks::{Error, Health, Host, Process, ProcessState, Tenant, text::escape};

/// The process itself: 200 while it serves, 503 while it stops. What a restart would not mend is for [`ready`].
pub fn alive(is_draining: bool) -> (StatusCode, String) {
    match is_draining {
        true => stopping(),
        false => (StatusCode::OK, "ok\n".to_owned()),
    }
}

fn stopping() -> (StatusCode, String) {
    let text = "the host is stopping\n".to_owned();
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

/// Looks once, for the status, its text, and the components that cannot do their work where the text has them not.
async fn look(host: &Host, is_draining: bool) -> (StatusCode, String, String) {
    if is_draining {
        let (status, text) = stopping();
        return (status, text, String::new());
    }
    match survey(host, true).await {
        (true, lines) => (StatusCode::OK, "ok\n".to_owned(), lines),
        (false, lines) => (StatusCode::SERVICE_UNAVAILABLE, lines, String::new()),
    }
}

/// Asks all tenants: whether requests should come here, and a line for each thing that cannot do its work.
async fn survey(host: &Host, with_apps: bool) -> (bool, String) {
    let tenants = host.tenants();
    let mut unwell = unwell(&tenants, with_apps).await;
    unwell.extend(down(host));
    let all = tenants.len() + host.processes().len();
    let is_ready = unwell.is_empty() || unwell.len() < all;
    (is_ready, unwell.concat())
}

/// The tenants whose processes do not serve, a line each.
fn down(host: &Host) -> Vec<String> {
    let processes = host.processes();
    let down = processes.iter();
    let down = down.filter(|process| process.state() != ProcessState::Serving);
    let line = |process: &Arc<Process>| {
        let tenant = process.tenant();
        format!("the process of tenant `{tenant}` does not serve\n")
    };
    down.map(line).collect()
}

/// The components that cannot do their work, and with `apps` the apps that are not well, as lines for each tenant that has
/// any.
async fn unwell(tenants: &[Arc<Tenant>], with_apps: bool) -> Vec<String> {
    let mut unwell = Vec::new();
    // All at once, so that the slow server of one tenant makes nobody wait for that of another.
    let asked = join_all(tenants.iter().map(|tenant| tenant.unwell())).await;
    for (tenant, components) in tenants.iter().zip(asked) {
        let whose = match tenants.len() {
            1 => String::new(),
            _ => format!(" of tenant `{}`", tenant.name()),
        };
        let lines = components.into_iter();
        let line =
            |(name, error): (_, Error)| format!("component `{name}`{whose} is {}\n", error.kind());
        let mut lines: String = lines.map(line).collect();
        let apps = tenant.all_apps();
        let ill = apps.iter().map(|app| (app.id(), app.health()));
        for (id, health) in ill.filter(|(_, health)| with_apps && *health != Health::Well) {
            lines += &format!("app `{id}`{whose} is {}\n", health.as_str());
        }
        if !lines.is_empty() {
            unwell.push(lines);
        }
    }
    unwell
}

/// Readiness: 200 while requests should come here; 503 while the host drains, or where each tenant has a component that
/// cannot do its work or an app that is not well: one tenant keeps no requests away from others. The log has the cause. If
/// asked for more, it names each of them, and each tenant whose last change was wrong. That change is not in force, so it
/// keeps no request away; status has its file and line.
pub async fn ready(host: &Host, is_draining: bool, is_verbose: bool) -> (StatusCode, String) {
    let (status, mut text, unwell) = look(host, is_draining).await;
    if is_verbose {
        text += &unwell;
        text += &apart(host).await;
        for (about, problems) in host.notices().list() {
            text += &not_in_force(&about, problems.len());
        }
    }
    (status, text)
}

/// One of Dapr's own questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// `/v1.0/healthz`.
    Whole,
    /// `/v1.0/healthz/outbound`.
    Outbound,
}

/// Answers as daprd does: 204, or 500 with an error of Dapr's form. Both ask for the host and its components; as there, an
/// app that is not well changes nothing.
pub async fn as_dapr(
    host: &Host,
    is_draining: bool,
    question: Question,
    app: Option<&str>,
) -> (StatusCode, String) {
    let failed = |code: &str, message: &str| {
        let body = json!({ "errorCode": code, "message": message });
        (StatusCode::INTERNAL_SERVER_ERROR, body.to_string())
    };
    if let Some(id) = app
        && !has_app(host, id).await
    {
        return failed("ERR_HEALTH_APPID_NOT_MATCH", "dapr app-id does not match");
    }
    let is_ready = !is_draining && survey(host, false).await.0;
    match (is_ready, question) {
        (true, _) => (StatusCode::NO_CONTENT, String::new()),
        (false, Question::Whole) => failed("ERR_HEALTH_NOT_READY", "dapr is not ready"),
        (false, Question::Outbound) => failed(
            "ERR_OUTBOUND_HEALTH_NOT_READY",
            "dapr outbound is not ready",
        ),
    }
}

/// Returns whether a tenant has an app of this name, be it in a process of its own.
async fn has_app(host: &Host, id: &str) -> bool {
    let tenants = host.tenants();
    let mut apps = tenants.iter().flat_map(|tenant| tenant.all_apps());
    if apps.any(|app| app.id().as_str() == id) {
        return true;
    }
    let reports = reports(host).await;
    let statuses = reports
        .into_iter()
        .filter_map(|(_, report)| report.ok()?.status);
    let mut apps = statuses.flat_map(|status| status.apps);
    apps.any(|app| app.running.app == id)
}

/// Lines about components, apps and changes of the tenants that are in processes of their own.
async fn apart(host: &Host) -> String {
    let mut text = String::new();
    for (process, report) in reports(host).await {
        let Some(status) = report.ok().and_then(|report| report.status) else {
            continue;
        };
        let tenant = process.tenant();
        for component in status.components.iter().filter(|one| one.health != "ok") {
            let (name, health) = (escape(&component.component), escape(&component.health));
            text += &format!("component `{name}` of tenant `{tenant}` is {health}\n");
        }
        for app in status.apps.iter().filter(|one| one.health != "ok") {
            let (name, health) = (escape(&app.running.app), escape(&app.health));
            text += &format!("app `{name}` of tenant `{tenant}` is {health}\n");
        }
        if !status.problems.is_empty() {
            text += &not_in_force(tenant.as_str(), status.problems.len());
        }
    }
    text
}

fn not_in_force(about: &str, count: usize) -> String {
    format!("the last change of `{about}` is not in force: {count} problems; see `wythe status`\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::host::{App, Running, Status};
    use async_trait::async_trait;
    use std::{
        io::{self, BufRead, BufReader, Write},
        os::unix::net::UnixListener,
        path::Path,
        time::{Duration, SystemTime},
    };
    use tempfile::tempdir;
    use wythe_blocks::{
        Key, Ready, Registry, Result, Settings,
        lock::{Acquired, Driver, Features, Grant},
    };
    use wythe_manifest::Name;

    /// A driver that cannot do its work.
    struct Sick;

    fn sick<T>() -> Result<T> {
        Err(Error::unavailable("no server"))
    }

    #[async_trait]
    impl Driver for Sick {
        fn features(&self) -> Features {
            Features { durable: false }
        }

        async fn acquire(&self, _: &Key, _: &str, _: Duration) -> Result<Acquired> {
            sick()
        }

        async fn renew(&self, _: &Key, _: u64, _: Duration) -> Result<SystemTime> {
            sick()
        }

        async fn release(&self, _: &Key, _: u64) -> Result<()> {
            sick()
        }

        async fn holder(&self, _: &Key) -> Result<Option<Grant>> {
            sick()
        }

        async fn health(&self) -> Result<()> {
            sick()
        }
    }

    /// Opens a tenant, with a component that is sick if so wanted.
    async fn open(host: &Host, tenant: &str, is_sick: bool) {
        let mut registry = Registry::default();
        let ready = |_, _| async {
            Ok(Ready::new(|| async {
                Ok(Arc::new(Sick) as Arc<dyn Driver>)
            }))
        };
        registry.lock.add_raw("sick", ready);
        let text = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: locks }\nspec: { type: lock.sick }\n";
        let (resources, _) = wythe_manifest::parse_resources(text, "locks.yaml".as_ref());
        let components = if is_sick {
            resources.components
        } else {
            Vec::new()
        };
        let tenant = host.open(Settings::new(tenant.parse().expect("a name"), ""));
        let opened = tenant.expect("a tenant").open(&registry, &components).await;
        opened.expect("it opens");
    }

    #[tokio::test]
    async fn one_tenant_of_many_keeps_no_request_away_from_others() {
        let host = Host::default();
        open(&host, "one", true).await;
        let alone = (
            StatusCode::SERVICE_UNAVAILABLE,
            "component `locks` is unavailable\n".to_owned(),
        );
        assert_eq!(ready(&host, false, false).await, alone);
        open(&host, "two", false).await;
        assert_eq!(
            ready(&host, false, false).await,
            (StatusCode::OK, "ok\n".to_owned())
        );
        let shown = "ok\ncomponent `locks` of tenant `one` is unavailable\n";
        assert_eq!(
            ready(&host, false, true).await,
            (StatusCode::OK, shown.to_owned())
        );
        open(&host, "three", true).await;
        assert_eq!(ready(&host, false, false).await.0, StatusCode::OK);
        host.remove(&"two".parse().expect("a name"), Duration::from_secs(60))
            .await;
        assert_eq!(
            ready(&host, false, false).await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }

    /// Answers what is asked of a process that has an app `cart`, a connection for each question.
    fn serve(path: &Path) {
        let running = Running {
            tenant: "shop".into(),
            app: "cart".into(),
            calls: 0,
            calls_limit: 1,
            instances: 0,
        };
        let app = App {
            running,
            version: String::new(),
            host_memory: 0,
            host_memory_limit: 0,
            health: "ok".into(),
            health_reason: None,
            last_error: None,
        };
        let status = Status {
            apps: vec![app],
            ..Status::default()
        };
        let status = json!({ "host": { "status": status } }).to_string();
        let listener = UnixListener::bind(path).expect("a socket");
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(&stream).lines().map_while(io::Result::ok);
                let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                let body = match lines.first().is_some_and(|line| line.contains("status")) {
                    true => &*status,
                    false => r#"{"host":{"tenants":[]}}"#,
                };
                let length = body.len();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                let _ = write!(stream, "{head}{body}");
            }
        });
    }

    #[tokio::test]
    async fn an_app_in_a_process_of_its_own_is_an_app_of_the_host() {
        let (host, directory) = (Host::default(), tempdir().expect("a directory"));
        let (path, tenant) = (directory.path().join("control"), "shop".parse());
        let tenant = tenant.expect("a name");
        let process = Process::new(Name::clone(&tenant), "none".into(), path.clone(), 1);
        serve(&path);
        process.set(ProcessState::Serving);
        host.set_process(&tenant, Some(process));
        for (app, expected) in [
            ("cart", StatusCode::NO_CONTENT),
            ("other", StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            let answer = as_dapr(&host, false, Question::Whole, Some(app)).await;
            assert_eq!(answer.0, expected, "{answer:?}");
        }
    }
}
