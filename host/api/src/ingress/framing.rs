//! The framing of a request of HTTP/1.1 (RFC 9112 6.1, 7): what another host on the way may read otherwise is not read.

use http::{HeaderMap, header};

/// Says whether a body, if there is one, is framed by its length or by `chunked`, once: hyper looks at the last coding alone.
pub fn is_plain(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::TRANSFER_ENCODING).iter();
    let codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut codings = codings
        .map(<[u8]>::trim_ascii)
        .filter(|coding| !coding.is_empty());
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_body_is_chunked_once() {
        let cases: [(&[&[u8]], bool); 10] = [
            (&[], true),
            (&[b"chunked"], true),
            (&[b"Chunked"], true),
            (&[b" , chunked"], true),
            (&[b"chunked", b"chunked"], false),
            (&[b"chunked, chunked"], false),
            (&[b"gzip, chunked"], false),
            (&[b"gzip", b"chunked"], false),
            (&[b"identity"], false),
            (&[b"chunked\xff"], false),
        ];
        for (values, is_good) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                let value = HeaderValue::from_bytes(value).expect("a header");
                headers.append(header::TRANSFER_ENCODING, value);
            }
            assert_eq!(is_plain(&headers), is_good, "{values:?}");
        }
    }
}
