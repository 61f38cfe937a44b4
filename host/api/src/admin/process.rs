//! Commands for a tenant that runs in a process of its own: each is passed on to that process, whose answer is checked like a
//! stranger's.

use super::{Answer, Command, MAX, Refusal, TENANT, host};
use bytes::Bytes;
use futures::future::join_all;
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::{sync::Arc, time::Duration};
use tokio::net::UnixStream;
use wythe_blocks::{Error, Host, Kind, Process, ProcessState, Result};

/// Time for the process to do what a command asks for.
const COMMAND: Duration = Duration::from_secs(62);
/// Time for the process to tell how it is: many of them are asked at once, and one that is stuck holds up nobody.
const REPORT: Duration = Duration::from_secs(2);
/// Bytes of such a report, and its entries of each kind.
const REPORT_BYTES: usize = 4 << 20;
const ENTRIES: usize = 10_000;

/// Asks the process of a tenant to do a command.
pub async fn ask(process: &Process, command: &Command) -> Result<Answer> {
    within(process, command, COMMAND, MAX).await
}

async fn within(
    process: &Process,
    command: &Command,
    time: Duration,
    bytes: usize,
) -> Result<Answer> {
    let request = request(process, command)?;
    let exchanged = tokio::time::timeout(time, exchange(process, request, bytes)).await;
    let (is_good, body) = exchanged.map_err(|_| process.absent())??;
    let misfit = |error| {
        let tenant = process.tenant();
        let message = format!("the process of tenant `{tenant}` does not answer as expected");
        Error::internal(message).with_source(error)
    };
    if is_good {
        return serde_json::from_slice(&body).map_err(misfit);
    }
    let refusal: Refusal = serde_json::from_slice(&body).map_err(misfit)?;
    let known = Kind::ALL.into_iter();
    let kind = known
        .into_iter()
        .find(|kind| kind.as_str() == refusal.error);
    Err(Error::new(kind.unwrap_or(Kind::Internal), refusal.message))
}

fn request(process: &Process, command: &Command) -> Result<Request<Full<Bytes>>> {
    let wrong = |error| Error::internal("a command of the host's own").with_source(error);
    let (method, path, body) = command
        .request()
        .map_err(|error| Error::internal("a command of the host's own").with_source(error))?;
    Request::builder()
        .method(method)
        .uri(path)
        .header(TENANT, process.tenant().as_str())
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body.into()))
        .map_err(wrong)
}

/// One request on a connection of its own: whether it went well, and the body.
async fn exchange(
    process: &Process,
    request: Request<Full<Bytes>>,
    bytes: usize,
) -> Result<(bool, Bytes)> {
    let lost = |error| process.absent().with_source(error);
    let stream = UnixStream::connect(&process.control).await;
    let stream = stream.map_err(|error| process.absent().with_source(error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let asked = async move {
        let (head, body) = sender
            .send_request(request)
            .await
            .map_err(lost)?
            .into_parts();
        let body = Limited::new(body, bytes).collect().await;
        let body = body.map_err(|error| process.absent().with_source(error))?;
        Ok((head.status.is_success(), body.to_bytes()))
    };
    // The connection ends with the request, whose error says more.
    tokio::join!(asked, connection).0
}

/// The words of a process about its tenant, which is all that it may speak of.
#[derive(Default)]
pub struct Report {
    pub status: Option<host::Status>,
    pub tenant: Option<host::Tenant>,
    pub running: Vec<host::Running>,
}

/// Asks every process at once how its tenant is, those that do not answer for 2 s at most.
pub async fn reports(host: &Host) -> Vec<(Arc<Process>, Result<Report>)> {
    let asked = host.processes().into_iter().map(|process| async move {
        let report = report(&process).await;
        (process, report)
    });
    join_all(asked).await
}

async fn report(process: &Process) -> Result<Report> {
    // A tenant whose requests take all of its places is asked as well.
    if process.state() != ProcessState::Serving {
        return Err(process.absent());
    }
    let (status, tenants) = tokio::join!(
        reported(process, host::Action::Status {}),
        reported(process, host::Action::Tenants {}),
    );
    let (host::Answer::Status(mut status), host::Answer::Tenants(tenants)) = (status?, tenants?)
    else {
        return Err(process.absent());
    };
    let tenant = process.tenant().as_str();
    hold_to(&mut status, tenant);
    let own = tenants.into_iter().find(|one| one.tenant == tenant);
    let running = status.apps.iter().map(|app| app.running.clone());
    let running = running.filter(|app| app.calls > 0 || app.instances > 0);
    Ok(Report {
        running: running.collect(),
        tenant: own,
        status: Some(status),
    })
}

async fn reported(process: &Process, action: host::Action) -> Result<host::Answer> {
    let command = Command::Host(action);
    match within(process, &command, REPORT, REPORT_BYTES).await? {
        Answer::Host(answer) => Ok(answer),
        _ => Err(process.absent()),
    }
}

/// Makes a status one of this tenant alone, whatever it says.
fn hold_to(status: &mut host::Status, tenant: &str) {
    // All of its fields, so that a new one is held to the tenant as well.
    let host::Status {
        pid: _,
        version: _,
        problems,
        apps,
        components,
        subscriptions,
        breakers,
        quotas,
    } = status;
    problems.truncate(ENTRIES);
    apps.truncate(ENTRIES);
    components.truncate(ENTRIES);
    subscriptions.truncate(ENTRIES);
    breakers.truncate(ENTRIES);
    quotas.truncate(ENTRIES);
    let own = || tenant.to_owned();
    problems.iter_mut().for_each(|one| one.about = own());
    apps.iter_mut().for_each(|one| one.running.tenant = own());
    components.iter_mut().for_each(|one| one.tenant = own());
    subscriptions.iter_mut().for_each(|one| one.tenant = own());
    breakers.iter_mut().for_each(|one| one.tenant = own());
    quotas.iter_mut().for_each(|one| one.tenant = own());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use tempfile::tempdir;

    /// Answers what is asked of a process, each connection with the same status.
    fn answer(listener: std::os::unix::net::UnixListener, body: String) {
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                // The whole of the request, which has no body.
                let lines = BufReader::new(&stream)
                    .lines()
                    .map_while(std::io::Result::ok);
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                let length = body.len();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                let _ = write!(stream, "{head}{body}");
            }
        });
    }

    #[test]
    fn a_process_speaks_of_its_own_tenant_alone() {
        let problem = host::Problem {
            about: "bank".into(),
            kind: "invalid".into(),
            position: None,
            message: "a lie".into(),
        };
        let mut status = host::Status {
            problems: vec![problem; ENTRIES + 1],
            ..host::Status::default()
        };
        hold_to(&mut status, "shop");
        assert_eq!(status.problems.len(), ENTRIES);
        assert!(status.problems.iter().all(|one| one.about == "shop"));
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        let directory = tempdir().unwrap();
        let path = directory.path().join("control");
        let process = Process::new("shop".parse().unwrap(), "none".into(), path.clone(), 1);
        let asked = ask(&process, &Command::Ping).await.unwrap_err();
        assert_eq!(asked.kind(), Kind::Unavailable);
        process.set(ProcessState::Serving);
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        answer(listener, "{\"pong\": 7}".into());
        let asked = ask(&process, &Command::Ping).await.unwrap_err();
        assert_eq!(asked.kind(), Kind::Internal, "{asked:?}");
    }
}
