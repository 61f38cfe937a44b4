//! The one place where answers of the server and errors of its packets become errors of the host.

use rumqttc::mqttbytes::{self, v4::ConnectReturnCode};
use std::io;
use wythe_blocks::Error;

/// The server's answer to a login.
pub(crate) fn of_login(code: ConnectReturnCode) -> Error {
    use ConnectReturnCode as Code;
    match code {
        Code::BadUserNamePassword | Code::NotAuthorized => {
            Error::denied("the server refuses the user or the password: check those in `url`")
        }
        Code::BadClientId => {
            Error::denied("the server refuses the name of the session: check `consumerID`")
        }
        Code::RefusedProtocolVersion => Error::unsupported("the server does not speak MQTT 3.1.1"),
        _ => Error::unavailable("the server takes no sessions now"),
    }
}

/// A connection that ended.
pub(crate) fn broken(error: io::Error) -> Error {
    Error::unavailable("the connection to the server broke").with_source(error)
}

/// A packet that is none, or too large.
pub(crate) fn odd(error: mqttbytes::Error) -> Error {
    let why = format!("{error:?}");
    Error::unavailable("the server sends something that is not MQTT 3.1.1, or too much of it")
        .with_source(io::Error::new(io::ErrorKind::InvalidData, why))
}

/// A publish without an answer.
pub(crate) fn unknown(topic: &str) -> Error {
    Error::unknown_outcome(format!(
        "the server did not acknowledge a message to `{topic}`: whether it was stored is not known"
    ))
}

pub(crate) fn closed() -> Error {
    Error::unavailable("the component is closed")
}
