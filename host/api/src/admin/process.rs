//! Commands for a tenant that runs in a process of its own: each is passed on to that process, whose answer is checked like a
//! stranger's.

use super::{
    Answer, Command, MAX, Refusal,
    client::{self, ExchangeError},
    host,
};
use futures::future::join_all;
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
    let tenant = process.tenant();
    let request = client::request(Some(tenant.as_str()), command)?;
    let exchanged = async {
        let stream = UnixStream::connect(&process.control).await;
        let stream = stream.map_err(|error| ExchangeError::Lost(error.into()))?;
        client::exchange(stream, request, bytes).await
    };
    let exchanged = tokio::time::timeout(time, exchanged).await;
    let reply = exchanged
        .map_err(|_| process.absent())?
        .map_err(|error| match error {
            ExchangeError::Lost(_) => process.absent().with_source(error),
            ExchangeError::Misfit(_) => {
                let message =
                    format!("the process of tenant `{tenant}` does not answer as expected");
                Error::internal(message).with_source(error)
            }
        })?;
    reply.map_err(|Refusal { error, message }| {
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == error);
        Error::new(kind.unwrap_or(Kind::Internal), message)
    })
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
