//! The token that a request shows: no app is given it, nor any handler.

use http::{HeaderMap, HeaderValue};
use wythe_blocks::invocation::API_TOKEN;

/// The token of a request.
pub enum Token {
    Absent,
    One(HeaderValue),
    /// Several are as good as a wrong one.
    Many,
}

impl Token {
    /// Takes the token out of the headers.
    pub fn take(headers: &mut HeaderMap) -> Self {
        let count = headers.get_all(API_TOKEN).iter().take(2).count();
        match (count, headers.remove(API_TOKEN)) {
            (1, Some(value)) => Token::One(value),
            (_, None) => Token::Absent,
            (_, Some(_)) => Token::Many,
        }
    }

    /// Puts the token where the host of the tenant's process finds it.
    pub fn put_back(self, headers: &mut HeaderMap) {
        if let Token::One(value) = self {
            headers.insert(API_TOKEN, value);
        }
    }

    /// The bytes that were shown; absent where there are none.
    pub fn shown(&self) -> Option<&[u8]> {
        match self {
            Token::Absent => None,
            Token::One(value) => Some(value.as_bytes()),
            Token::Many => Some(&[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_once_and_goes_no_further() {
        let cases: [(&[&str], Option<&[u8]>); 3] = [
            (&[], None),
            (&["secret"], Some(b"secret")),
            (&["secret", "secret"], Some(b"")),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(API_TOKEN, value.parse().expect("a header"));
            }
            let token = Token::take(&mut headers);
            assert_eq!(token.shown(), expected);
            assert!(headers.is_empty());
        }
    }
}
