//! Just enough of Rust's grammar to tell code from comments and texts.

/// The same text, line for line, with comments and the insides of texts and characters blanked.
pub fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = end_of_blank(bytes, at);
        if end == at {
            // A byte of a longer character is never code.
            code.push(if bytes[at].is_ascii() {
                char::from(bytes[at])
            } else {
                ' '
            });
            at += 1;
            continue;
        }
        let blank = |byte: &u8| if *byte == b'\n' { '\n' } else { ' ' };
        code.extend(bytes[at..end].iter().map(blank));
        at = end;
    }
    code
}

/// The end of the comment, text or character that begins at `at`; `at` itself where none does.
fn end_of_blank(bytes: &[u8], at: usize) -> usize {
    match bytes[at] {
        b'/' if bytes.get(at + 1) == Some(&b'/') => end_of_line(bytes, at),
        b'/' if bytes.get(at + 1) == Some(&b'*') => end_of_comment(bytes, at),
        b'"' => end_of_text(bytes, at + 1),
        b'r' if !is_part(bytes, at.wrapping_sub(1)) || is_prefixed(bytes, at) => {
            end_of_raw(bytes, at).unwrap_or(at)
        }
        b'\'' => end_of_character(bytes, at).unwrap_or(at),
        _ => at,
    }
}

/// The first line of each doc comment with its number: the head of a run of `///` or `//!` lines. WIT has them, too.
pub fn docs(text: &str) -> Vec<(usize, &str)> {
    let (bytes, mut at) = (text.as_bytes(), 0);
    let mut line = 1;
    let mut last = (0, "");
    let mut found = Vec::new();
    while at < bytes.len() {
        let end = end_of_blank(bytes, at).max(at + 1);
        if let Some((mark, rest)) = bytes[at..end]
            .starts_with(b"//")
            .then(|| doc(&text[at..end]))
            .flatten()
        {
            if last != (line - 1, mark) {
                found.push((line, rest.trim()));
            }
            last = (line, mark);
        }
        line += bytes[at..end].iter().filter(|byte| **byte == b'\n').count();
        at = end;
    }
    found
}

/// The mark of a doc comment, and what is behind it; absent for any other comment.
fn doc(comment: &str) -> Option<(&str, &str)> {
    let (mark, rest) = comment.split_at_checked(3)?;
    let is_doc = mark == "//!" || mark == "///" && !rest.starts_with('/');
    is_doc.then_some((mark, rest))
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
}

fn end_of_comment(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < bytes.len() {
        match &bytes[at..(at + 2).min(bytes.len())] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" if depth == 1 => return at + 2,
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

/// The end of a text; `at` is behind the opening quote.
fn end_of_text(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a raw text; `at` is the `r` of `r"..."` or `r#"..."#`; absent where it begins something else.
fn end_of_raw(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|b| **b == b'#').count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let inside = &bytes[open + 1..];
    let end = inside
        .windows(close.len())
        .position(|window| window == close);
    Some(end.map_or(bytes.len(), |end| open + 1 + end + close.len()))
}

/// The end of a character; absent for a lifetime.
fn end_of_character(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at + 1..];
    if rest.first() == Some(&b'\\') {
        let end = rest[2..].iter().position(|b| *b == b'\'')?;
        return Some(at + 1 + 2 + end + 1);
    }
    let length = std::str::from_utf8(&rest[..rest.len().min(4)])
        .map_or_else(|error| error.valid_up_to(), str::len);
    let first = std::str::from_utf8(&rest[..length]).ok()?.chars().next()?;
    let end = first.len_utf8();
    (rest.get(end) == Some(&b'\'')).then_some(at + 1 + end + 1)
}

/// `br"..."` and `cr"..."`.
fn is_prefixed(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at.wrapping_sub(1)), Some(b'b' | b'c'))
        && !is_part(bytes, at.wrapping_sub(2))
}

fn is_part(bytes: &[u8], at: usize) -> bool {
    bytes
        .get(at)
        .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left() {
        let text =
            "a // b\n\"c \\\" d\" e /* f /* g */ h */ 'i' '\\'' 'j: r#\"k \" l\"# m br\"n\" r#o";
        let words: Vec<_> = blanked(text)
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        assert_eq!(words, ["a", "e", "'j:", "m", "b", "r#o"]);
        assert_eq!(blanked(text).lines().count(), text.lines().count());
    }

    #[test]
    fn doc_comments_are_found_by_their_first_lines() {
        let text = "//! A\n//! b\n\n/// C\n/// d\n// e\nf(); /// G\n//// h\n\"\n/// i\n\"\n/// \u{e4}\n//! K\n";
        let expected = [(1, "A"), (4, "C"), (7, "G"), (12, "\u{e4}"), (13, "K")];
        assert_eq!(docs(text), expected);
    }
}
