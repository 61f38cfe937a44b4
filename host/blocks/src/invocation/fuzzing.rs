//! Paths of calls, as a target of the fuzzer: what policies judge is what a callee that decodes its path is given.

use super::Path;
use http::Uri;

/// A path with its query.
pub fn path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(path) = Path::parse(text.to_owned()) else {
        return;
    };
    assert_eq!(path.as_str(), text);
    let again = Path::parse(path.as_str().to_owned()).expect("it was plain");
    assert_eq!(again, path);
    if let Ok(uri) = Uri::builder().path_and_query(path.as_str()).build() {
        let of_request = Path::of(&uri).expect("it was plain");
        assert_eq!(of_request, path);
    }
    let segments = path.segments();
    assert_eq!(segments, as_callees_do(path.as_str()));
    for segment in &segments {
        assert!(![".", ".."].contains(&segment.as_str()) && !segment.contains(['/', '\\', '\0']));
    }
}

/// The segments by another way: the whole path is decoded before it is split.
pub(super) fn as_callees_do(path: &str) -> Vec<String> {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        let digits = std::str::from_utf8(more.get(..2).unwrap_or_default());
        let code = digits
            .ok()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code.filter(|_| *first == b'%') {
            Some(code) => {
                bytes.push(code);
                rest = &more[2..];
            }
            None => bytes.push(*first),
        }
    }
    let text = bytes.split(|byte| *byte == b'/').map(|segment| {
        let text = String::from_utf8_lossy(segment);
        text.to_ascii_lowercase()
    });
    let mut segments: Vec<String> = text.skip(1).collect();
    segments.pop_if(|last| last.is_empty());
    segments
}
