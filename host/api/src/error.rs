//! The one place where kinds of errors become statuses of HTTP, and words for strangers.

use http::StatusCode;
use wythe_blocks::Kind;

/// The status of a kind.
pub fn status(kind: Kind) -> StatusCode {
    row(kind).0
}

/// The words of an answer to a stranger, which say nothing of the project.
pub fn words(kind: Kind, status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
        StatusCode::MISDIRECTED_REQUEST => "this host is not asked on this connection",
        StatusCode::METHOD_NOT_ALLOWED => "the method is not allowed here",
        _ => row(kind).1,
    }
}

/// The table: each kind with its status and its words.
fn row(kind: Kind) -> (StatusCode, &'static str) {
    use StatusCode as Code;
    match kind {
        Kind::NotFound => (Code::NOT_FOUND, "nothing answers here"),
        Kind::Denied => (Code::FORBIDDEN, "this is not allowed"),
        Kind::Invalid => (Code::BAD_REQUEST, "the request is not understood"),
        Kind::Conflict => (Code::CONFLICT, "the request conflicts with another one"),
        Kind::Timeout => (Code::GATEWAY_TIMEOUT, "there was no answer in time"),
        Kind::Unavailable => (
            Code::SERVICE_UNAVAILABLE,
            "this is not available now; try again later",
        ),
        Kind::Exhausted => (
            Code::TOO_MANY_REQUESTS,
            "too much is asked at once; try again later",
        ),
        Kind::Unsupported => (Code::NOT_IMPLEMENTED, "this is not supported"),
        Kind::UnknownOutcome => (
            Code::SERVICE_UNAVAILABLE,
            "it is not known whether this was done",
        ),
        Kind::Internal => (Code::BAD_GATEWAY, "this failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_contract_has_this_table() {
        let page = include_str!("../../../wit/README.md");
        for kind in Kind::ALL {
            let row = format!("| `{}` | {}", kind.as_str(), status(kind).as_u16());
            assert!(page.contains(&row), "wit/README.md has no `{row}`");
        }
    }
}
