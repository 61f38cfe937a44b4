//! Words for strangers, who are told what went wrong and nothing of the project.

use http::StatusCode;
use wythe_blocks::Kind;

/// The words of an answer to a stranger, which say nothing of the project.
pub fn words(kind: Kind, status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "say who you are, as this host asks for it",
        StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
        StatusCode::MISDIRECTED_REQUEST => "this host is not asked on this connection",
        StatusCode::METHOD_NOT_ALLOWED => "the method is not allowed here",
        _ => of(kind),
    }
}

fn of(kind: Kind) -> &'static str {
    match kind {
        Kind::NotFound => "nothing answers here",
        Kind::Denied => "this is not allowed",
        Kind::Invalid => "the request is not understood",
        Kind::Conflict => "the request conflicts with another one",
        Kind::Timeout => "there was no answer in time",
        Kind::Unavailable => "this is not available now; try again later",
        Kind::Exhausted => "too much is asked at once; try again later",
        Kind::Unsupported => "this is not supported",
        Kind::UnknownOutcome => "it is not known whether this was done",
        Kind::Internal => "this failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_contract_has_this_table() {
        let page = include_str!("../../../wit/README.md");
        for kind in Kind::ALL {
            let row = format!("| `{}` | {}", kind.as_str(), kind.status().as_u16());
            assert!(page.contains(&row), "wit/README.md has no `{row}`");
        }
    }
}
