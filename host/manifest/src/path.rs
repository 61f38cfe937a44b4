//! Paths of calls, as policies judge them: which are plain, and the segments of one.

/// The mistake of a path that could be read in two ways; none where it is plain. What stands after `?` is no part of it,
/// but for a `#`, which has no place anywhere.
pub fn wrong_with_path(path: &str) -> Option<&'static str> {
    let only_path = path.split('?').next().unwrap_or_default();
    if !path.starts_with('/') {
        return Some("does not begin with `/`");
    }
    if only_path.contains("//") || only_path.contains('\\') || path.contains('#') {
        return Some("has `//`, a backslash or `#`; expected a plain path");
    }
    if only_path.split('/').any(|part| part == ".." || part == ".") {
        return Some("has a `.` or `..` segment; expected a plain path");
    }
    let mut codes = only_path.split('%').skip(1).map(code);
    codes.find_map(|code| match code {
        None => Some("has a `%` without two digits after it; expected `%25` for the sign itself"),
        Some(b'/' | b'\\' | b'.' | 0) => {
            Some("has an encoded slash, backslash, dot or NUL; expected them plain or not at all")
        }
        Some(_) => None,
    })
}

/// The segments of a plain path: decoded once, in lower case of ASCII, without the query and without an empty one at the
/// end. Paths that are the same to a callee which decodes them have the same segments.
pub fn path_segments(path: &str) -> Vec<String> {
    let only_path = path.split('?').next().unwrap_or_default();
    let only_path = only_path.strip_prefix('/').unwrap_or(only_path);
    let only_path = only_path.strip_suffix('/').unwrap_or(only_path);
    match only_path {
        "" => Vec::new(),
        _ => only_path.split('/').map(decoded).collect(),
    }
}

fn decoded(segment: &str) -> String {
    let mut bytes = percent_decoded(segment).unwrap_or_else(|| segment.into());
    bytes.make_ascii_lowercase();
    String::from_utf8(bytes)
        .unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into_owned())
}

/// Decodes a text in percent-encoding (RFC 3986, section 2.1); none where a `%` has no two digits after it.
pub fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes: Vec<u8> = parts.next().unwrap_or_default().into();
    for part in parts {
        bytes.push(code(part)?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(bytes)
}

/// The byte that two digits of base 16 at the beginning of a text are.
fn code(text: &str) -> Option<u8> {
    let digits = text.as_bytes().first_chunk::<2>()?;
    let value = |digit: u8| char::from(digit).to_digit(16);
    let [first, second] = digits.map(value);
    u8::try_from(first? * 16 + second?).ok()
}
