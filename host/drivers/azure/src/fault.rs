//! The one place where what the service answers, and what happens on the way to it, become errors of the host.

use std::time::Duration;
use wythe_blocks::Error;
use wythe_client::{Effect, Failed};

/// Pause that is asked for where a service is asked too often.
const PAUSE: Duration = Duration::from_secs(1);

/// A request that did not do what it should.
pub(crate) enum Fault {
    /// The answer is not whole.
    Way(Failed),
    /// The service refused it: its status, its word for the reason, and its text, which is for the log.
    Refused {
        status: u16,
        code: String,
        text: String,
    },
    /// The answer is none of this service.
    Odd(String),
    /// The request cannot be sent.
    Unsendable(String),
}

impl Fault {
    /// The service's word for the reason, if it refused.
    pub fn code(&self) -> &str {
        match self {
            Fault::Refused { code, .. } => code,
            _ => "",
        }
    }

    /// The error for the app; `about` is what was asked, in its words.
    pub fn error(self, effect: Effect, about: &str) -> Error {
        match self {
            Fault::Way(failed) => failed.error(
                effect,
                about,
                "`endpoint`, `accountName`, `azureEnvironment` and the network",
            ),
            Fault::Refused { status, code, text } => {
                let error = refused(status, &code, effect, about);
                error.with_source(format!("{status} {code}: {text}"))
            }
            Fault::Odd(why) => odd(effect, about).with_source(why),
            Fault::Unsendable(why) => {
                Error::invalid(format!("{about} cannot be sent")).with_source(why)
            }
        }
    }
}

fn odd(effect: Effect, about: &str) -> Error {
    match effect {
        Effect::Read => Error::internal(format!(
            "the answer about {about} is not one of this service: check `endpoint`"
        )),
        Effect::Write => Error::unknown_outcome(format!(
            "the answer about {about} is not one of this service: whether it was written is not known; check `endpoint`"
        )),
    }
}

/// Words for a key that is not the account's, for what a key may not do, for too many requests, and for what is not ready.
const UNKNOWN: [&str; 4] = [
    "AuthenticationFailed",
    "InvalidAuthenticationInfo",
    "NoAuthenticationInformation",
    "InvalidAuthorizationHeader",
];
const FORBIDDEN: [&str; 5] = [
    "AuthorizationFailure",
    "AuthorizationPermissionMismatch",
    "AuthorizationResourceTypeMismatch",
    "AuthorizationServiceMismatch",
    "InsufficientAccountPermissions",
];
const OFTEN: [&str; 2] = ["ServerBusy", "TooManyRequests"];
const UNREADY: [&str; 3] = [
    "ContainerBeingDeleted",
    "QueueBeingDeleted",
    "AccountBeingCreated",
];

/// The error for a service's word. Words of a service are of a closed alphabet and length when they come here.
fn refused(status: u16, code: &str, effect: Effect, about: &str) -> Error {
    match code {
        code if UNKNOWN.contains(&code) => Error::denied(format!(
            "the service refuses the account's key ({code}): check `accountName` and `accountKey`, and the clock of this machine"
        )),
        "KeyBasedAuthenticationNotPermitted" => Error::denied(format!(
            "the account takes no requests that are signed with its key ({code}): allow them for the account"
        )),
        code if FORBIDDEN.contains(&code) => Error::denied(format!(
            "the account's key may not do this with {about} ({code}): check `accountName` and `accountKey`, and the account's firewall"
        )),
        "PublicAccessNotPermitted" => Error::denied(format!(
            "the account allows no public access ({code}): leave out `publicAccessLevel`, or allow it for the account"
        )),
        code if OFTEN.contains(&code) => {
            Error::exhausted(format!("the service is asked too often ({code})"))
                .with_retry_after(PAUSE)
        }
        "ResourceNotFound" | "AccountIsDisabled" => Error::unavailable(format!(
            "the service has no such account ({code}): check `accountName` and `endpoint`"
        )),
        code if UNREADY.contains(&code) => Error::unavailable(format!(
            "the service is not ready for {about} ({code}): try again in a minute"
        )),
        _ => effect.refused(status, code, about),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_blocks::Kind;

    #[test]
    fn an_answer_of_something_else_does_not_say_what_became_of_a_write() {
        let kind = |effect| Fault::Odd("no etag".to_owned()).error(effect, "`a`").kind();
        assert_eq!(kind(Effect::Write), Kind::UnknownOutcome);
        assert_eq!(kind(Effect::Read), Kind::Internal);
        let unsent = Fault::Unsendable("too long".to_owned());
        assert_eq!(unsent.error(Effect::Write, "`a`").kind(), Kind::Invalid);
    }

    #[test]
    fn words_of_the_service_become_kinds() {
        for (status, code, effect, kind) in [
            (403, "AuthenticationFailed", Effect::Read, Kind::Denied),
            (403, "AuthorizationFailure", Effect::Read, Kind::Denied),
            (503, "ServerBusy", Effect::Write, Kind::Exhausted),
            (
                409,
                "ContainerBeingDeleted",
                Effect::Write,
                Kind::Unavailable,
            ),
            (500, "InternalError", Effect::Write, Kind::UnknownOutcome),
            (500, "OperationTimedOut", Effect::Read, Kind::Unavailable),
            (404, "ResourceNotFound", Effect::Read, Kind::Unavailable),
            (400, "InvalidHeaderValue", Effect::Write, Kind::Invalid),
            (412, "", Effect::Write, Kind::Invalid),
        ] {
            let fault = Fault::Refused {
                status,
                code: code.to_owned(),
                text: "of the service".to_owned(),
            };
            let error = fault.error(effect, "`a`");
            assert_eq!(error.kind(), kind, "{code}");
            assert!(!error.message().contains("of the service"), "{error}");
        }
    }
}
