//! The errors of requests that failed on their way, by what the request would have done.

use wythe_blocks::Kind;

/// The nature of a request that may fail on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing, or may be done twice.
    Read,
    /// It may have happened though nobody heard of it.
    Write,
}

impl Effect {
    /// The kind of an answer that is no success, where only its status says what it is.
    pub fn kind(self, status: u16) -> Kind {
        match (status, self) {
            (401 | 403, _) => Kind::Denied,
            (404, _) => Kind::NotFound,
            (409, _) => Kind::Conflict,
            (429, _) => Kind::Exhausted,
            (503, _) | (500.., Effect::Read) => Kind::Unavailable,
            (500.., Effect::Write) => Kind::UnknownOutcome,
            (400..500, _) => Kind::Invalid,
            _ => Kind::Internal,
        }
    }
}
