//! The one place where faults of the way and statuses of the server become errors of the host.

use crate::object::Status;
use http::StatusCode;
use wythe_blocks::{Error, Kind};
use wythe_client::{Failed, Fault};

/// Characters of what a server says, which is for the log.
const WORDS: usize = 1_000;

/// An answer that is not one of an API server.
pub(crate) fn odd(about: &str) -> Error {
    Error::internal(format!(
        "the answer about {about} is not one of an API server of Kubernetes: check the address of the server"
    ))
}

/// The error of a fault on the way; every request only reads.
pub(crate) fn of_way(fault: Fault, was_sent: bool) -> Error {
    let error = Error::unavailable(match (was_sent, &fault) {
        (true, Fault::Late) => "the server did not answer within `timeout`",
        (true, _) => {
            "the server broke off its answer; does it want TLS, or a client's certificate?"
        }
        (false, _) => {
            "the server cannot be reached: check its address, and that its certificate is believed (`certificate-authority-data`, `tls-server-name`)"
        }
    });
    match fault {
        Fault::Connect(cause) => error.with_source(cause),
        Fault::Unsent(cause) | Fault::Broken(cause) => error.with_source(cause),
        Fault::Excess(what) => error.with_source(format!("the server sent {what}")),
        Fault::Late => error.with_source("the time of the request is over"),
    }
}

pub(crate) fn of_request(failed: Failed, largest: usize) -> Error {
    match failed {
        Failed::Fault { fault, was_sent } => of_way(fault, was_sent),
        Failed::Large => large(largest),
        Failed::Room(error) => error,
    }
}

pub(crate) fn large(largest: usize) -> Error {
    Error::invalid(format!("the answer has more than {largest} bytes"))
}

/// Returns whether an answer is a server's own word on a failure, such as that there is no such object.
pub(crate) fn is_status(body: &[u8]) -> bool {
    let status = serde_json::from_slice::<Status>(body);
    status.is_ok_and(|status| status.kind == "Status")
}

/// The error of a status that is no answer; `about` is what was asked for, `verb` what one must be allowed to do with it.
pub(crate) fn refused(status: StatusCode, body: &[u8], verb: &str, about: &str) -> Error {
    let (kind, message) = match status.as_u16() {
        401 => (
            Kind::Denied,
            "the server does not know who asks (401): the token or the certificate is wrong or its time is over; write a new one into the kubeconfig, or look at the pod's service account".to_owned(),
        ),
        403 => (
            Kind::Denied,
            format!("the server denies {about} (403): give the account a Role with the verb `{verb}` for it, and a RoleBinding"),
        ),
        301 | 302 | 307 | 308 => (
            Kind::Unavailable,
            "the server sends on to another one, where no token is sent: name that one in the kubeconfig".to_owned(),
        ),
        410 => (Kind::Unavailable, format!("the server has forgotten what {about} was (410)")),
        429 => (Kind::Exhausted, "the server is asked too often (429)".to_owned()),
        500.. => (Kind::Unavailable, format!("the server failed at {about} ({status})")),
        _ => (Kind::Internal, format!("the server answered {about} with {status}")),
    };
    let said: Status = serde_json::from_slice(body).unwrap_or_default();
    let said: String = said.message.escape_debug().take(WORDS).collect();
    Error::new(kind, message).with_source(format!("{status}: {said}"))
}
