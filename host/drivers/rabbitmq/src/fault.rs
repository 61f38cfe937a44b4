//! The one place where errors of the client and of the server become those of the host.

use crate::settings::Target;
use lapin::{
    ErrorKind,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
};
use wythe_blocks::{Error, Result};

/// An error of a connection that begins.
pub(crate) fn of_login(error: lapin::Error, target: &Target) -> Error {
    let known = match kind(&error) {
        Some(AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)) => Error::denied(
            "the server refuses the user or the password (ACCESS_REFUSED): check `username` and `password`; it takes `guest` from its own machine alone",
        ),
        Some(AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)) => {
            let vhost = &target.address.vhost;
            Error::denied(format!(
                "the server has no virtual host `{vhost}` for this user (NOT_ALLOWED): create it there, or let the user into it"
            ))
        }
        Some(_) => Error::unavailable("the server refused the connection"),
        None if target.tls.is_none() => Error::unavailable(
            "the server ended the connection before it answered; is this its port of AMQP 0-9-1, and does it want TLS? Then write `amqps`",
        ),
        None => Error::unavailable(
            "the server ended the connection before it answered; is this its port of AMQP 0-9-1, and does it want `clientCert` and `clientKey`?",
        ),
    };
    known.with_source(error)
}

/// An error of a call that changes nothing, or that may be done twice; `about` is what it was about.
pub(crate) fn of_call(error: lapin::Error, about: &str) -> Error {
    let known = match kind(&error) {
        Some(AMQPErrorKind::Soft(soft)) => soft_error(soft, about),
        Some(AMQPErrorKind::Hard(_)) => {
            Error::unavailable(format!("the server ended the connection over {about}"))
        }
        None => Error::unavailable(format!(
            "no answer of the server to {about}: the connection broke"
        )),
    };
    known.with_source(error)
}

fn soft_error(soft: &AMQPSoftError, about: &str) -> Error {
    match soft {
        AMQPSoftError::ACCESSREFUSED => Error::denied(format!(
            "the user may not do that with {about} (ACCESS_REFUSED): give it the permissions that host/drivers/README.md lists"
        )),
        AMQPSoftError::NOTFOUND => {
            Error::not_found(format!("the server does not have {about} (NOT_FOUND)"))
        }
        AMQPSoftError::RESOURCELOCKED => Error::conflict(format!(
            "{about} belongs to another connection alone (RESOURCE_LOCKED): only one may use what is exclusive"
        )),
        AMQPSoftError::PRECONDITIONFAILED => Error::conflict(format!(
            "the server has {about} with other properties than these settings (PRECONDITION_FAILED): its log says which; change the settings, or delete it there"
        )),
        AMQPSoftError::CONTENTTOOLARGE => Error::invalid(format!(
            "the server does not take {about}, which is larger than its `max_message_size` (CONTENT_TOO_LARGE)"
        )),
        AMQPSoftError::NOROUTE | AMQPSoftError::NOCONSUMERS => {
            Error::unavailable(format!("the server has nobody for {about}"))
        }
    }
}

/// An error of a publish that was sent.
pub(crate) fn of_publish(error: lapin::Error, about: &str, exchange: &str) -> Error {
    // In its texts the server names the exchange that has no name.
    let exchange = if exchange.is_empty() {
        "amq.default"
    } else {
        exchange
    };
    let refused = match kind(&error) {
        // The channel is that of other messages, too: it is this one only if the server names it.
        Some(AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)) => {
            error.to_string().contains(&format!("'{exchange}'"))
        }
        _ => false,
    };
    let known = match refused {
        true => soft_error(&AMQPSoftError::ACCESSREFUSED, about),
        false => Error::unknown_outcome(format!(
            "the connection to the server broke before its answer: whether {about} was stored is not known"
        )),
    };
    known.with_source(error)
}

/// A publish without an answer in its time.
pub(crate) fn late_publish(about: &str) -> Error {
    Error::unknown_outcome(format!(
        "the server did not answer in time: whether {about} was stored is not known"
    ))
}

/// A call without an answer in its time.
pub(crate) fn late(about: &str) -> Error {
    Error::unavailable(format!("the server did not answer to {about} in time"))
}

fn kind(error: &lapin::Error) -> Option<&AMQPErrorKind> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.kind()),
        _ => None,
    }
}

/// A text of AMQP, which has at most 255 bytes; `what` it is.
pub(crate) fn short(what: &str, text: &str) -> Result<lapin::types::ShortString> {
    match text.len() {
        0..=255 => Ok(text.to_owned().into()),
        length => Err(Error::invalid(format!(
            "{what} has {length} bytes; at most 255 are allowed"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::protocol::AMQPError;
    use wythe_blocks::Kind;

    #[test]
    fn a_publish_that_is_refused_is_denied_where_the_server_names_its_exchange() {
        let text = |exchange: &str| {
            format!(
                "ACCESS_REFUSED - write access to exchange '{exchange}' in vhost '/' refused for user 'reader'"
            )
        };
        let cases = [
            ("topic", "topic", Kind::Denied),
            ("", "amq.default", Kind::Denied),
            ("topic", "other", Kind::UnknownOutcome),
            ("", "topic", Kind::UnknownOutcome),
        ];
        for (exchange, named, expected) in cases {
            let refused = AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED);
            let error = AMQPError::new(refused, text(named).into());
            let error = ErrorKind::ProtocolError(error).into();
            let error = of_publish(error, "a message", exchange);
            assert_eq!(error.kind(), expected, "{}", error.chain());
        }
    }
}
