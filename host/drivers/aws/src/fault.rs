//! The one place where what a service answers, and what happens on the way to it, become errors of the host.

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
}

impl Fault {
    /// The service's word for the reason, if it refused.
    pub fn code(&self) -> &str {
        match self {
            Fault::Refused { code, .. } => code,
            _ => "",
        }
    }

    /// Returns whether the service knows who asks and only forbids what was asked: it is there.
    pub fn is_about_rights(&self) -> bool {
        let words = [
            "AccessDenied",
            "AccessDeniedException",
            "AuthorizationError",
        ];
        words.contains(&self.code())
    }

    /// The error for the app; `about` is what was asked, in its words.
    pub fn error(self, effect: Effect, about: &str) -> Error {
        match self {
            Fault::Way(failed) => {
                failed.error(effect, about, "`endpoint`, `region` and the network")
            }
            Fault::Refused { status, code, text } => {
                let error = refused(status, &code, effect, about);
                error.with_source(format!("{status} {code}: {text}"))
            }
            Fault::Odd(why) => Error::internal(format!(
                "the answer about {about} is not one of this service: check `endpoint`"
            ))
            .with_source(why),
        }
    }

    pub fn of_read(self, about: &str) -> Error {
        self.error(Effect::Read, about)
    }

    pub fn of_write(self, about: &str) -> Error {
        self.error(Effect::Write, about)
    }
}

/// Words for a key that the service does not know, one whose time is over, one that may not do it, a region that is another
/// one, too many requests, and a service that is not ready.
const UNKNOWN: [&str; 13] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "AuthFailure",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotSignedUp",
    "InvalidSecurity",
];
const OVER: [&str; 4] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "RequestExpired",
];
const FORBIDDEN: [&str; 5] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AllAccessDisabled",
    "AccountProblem",
];
const ELSEWHERE: [&str; 4] = [
    "PermanentRedirect",
    "TemporaryRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
];
const OFTEN: [&str; 13] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "Throttled",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceededException",
    "SlowDown",
    "TooManyRequestsException",
    "RequestThrottled",
    "RequestThrottledException",
    "OverLimit",
    "LimitExceededException",
    "EC2ThrottledException",
];
const UNREADY: [&str; 2] = ["ServiceUnavailable", "ServiceUnavailableException"];

/// The error for a service's word. Words of a service are of a closed alphabet and length when they come here.
fn refused(status: u16, code: &str, effect: Effect, about: &str) -> Error {
    let who = |hint: &str| {
        Error::denied(format!(
            "the service refuses the component's key ({code}): {hint}"
        ))
    };
    match code {
        code if UNKNOWN.contains(&code) => who("check `accessKey`, `secretKey` and `sessionToken`"),
        code if OVER.contains(&code) => who("its time is over; give the component a new one"),
        "RequestTimeTooSkewed" => who("the clock of this machine is wrong; set it right"),
        code if FORBIDDEN.contains(&code) => Error::denied(format!(
            "the component's key may not do this with {about} ({code}): its policy has to allow it"
        )),
        code if ELSEWHERE.contains(&code) => Error::unavailable(format!(
            "{about} is in another region ({code}): check `region`"
        )),
        code if OFTEN.contains(&code) => {
            Error::exhausted(format!("the service is asked too often ({code})"))
                .with_retry_after(PAUSE)
        }
        code if UNREADY.contains(&code) => {
            Error::unavailable(format!("the service is not ready ({code})"))
        }
        _ => by_status(status, code, effect, about),
    }
}

fn by_status(status: u16, code: &str, effect: Effect, about: &str) -> Error {
    let kind = effect.kind(status);
    let why = match code.is_empty() {
        true => String::new(),
        false => format!(", {code}"),
    };
    Error::new(
        kind,
        format!("the service answered {about} with {status}{why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_blocks::Kind;
    use wythe_client::Fault as Way;

    fn kind(status: u16, code: &str, effect: Effect) -> Kind {
        let fault = Fault::Refused {
            status,
            code: code.to_owned(),
            text: "of the service".to_owned(),
        };
        let error = fault.error(effect, "`a`");
        assert!(!error.message().contains("of the service"), "{error}");
        error.kind()
    }

    #[test]
    fn words_of_a_service_are_kinds() {
        for (status, code, expected) in [
            (403, "SignatureDoesNotMatch", Kind::Denied),
            (400, "UnrecognizedClientException", Kind::Denied),
            (400, "ExpiredTokenException", Kind::Denied),
            (403, "AccessDenied", Kind::Denied),
            (301, "PermanentRedirect", Kind::Unavailable),
            (400, "ThrottlingException", Kind::Exhausted),
            (503, "SlowDown", Kind::Exhausted),
            (404, "", Kind::NotFound),
            (400, "ValidationException", Kind::Invalid),
            (302, "", Kind::Internal),
        ] {
            assert_eq!(
                kind(status, code, Effect::Write),
                expected,
                "{status} {code}"
            );
        }
        assert_eq!(kind(500, "InternalError", Effect::Read), Kind::Unavailable);
        assert_eq!(
            kind(500, "InternalError", Effect::Write),
            Kind::UnknownOutcome
        );
        assert_eq!(
            kind(503, "ServiceUnavailable", Effect::Write),
            Kind::Unavailable
        );
    }

    #[test]
    fn a_request_that_was_not_sent_changed_nothing() {
        let error = |was_sent, effect| {
            let fault = Way::Late;
            Fault::Way(Failed::Fault { fault, was_sent })
                .error(effect, "`a`")
                .kind()
        };
        assert_eq!(error(false, Effect::Write), Kind::Unavailable);
        assert_eq!(error(true, Effect::Read), Kind::Unavailable);
        assert_eq!(error(true, Effect::Write), Kind::UnknownOutcome);
        let large = |effect| Fault::Way(Failed::Large).error(effect, "`a`").kind();
        assert_eq!(large(Effect::Read), Kind::Invalid);
        assert_eq!(large(Effect::Write), Kind::UnknownOutcome);
    }
}
