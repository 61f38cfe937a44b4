//! The tables of the corpus, which are text: a row a line, or a row and what belongs to it in the lines below.

use anyhow::{Context, Result};

/// The cells of each line with ` | ` between them; a line that begins with `#` says something of the next ones.
pub fn lines<const N: usize>(text: &'static str) -> Vec<[&'static str; N]> {
    let is_row = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let cells = |line: &'static str| cells(line).expect("a good row");
    text.lines().filter(is_row).map(cells).collect()
}

fn cells<const N: usize>(line: &'static str) -> Result<[&'static str; N]> {
    let cells: Vec<_> = line.splitn(N, " | ").map(str::trim).collect();
    cells
        .try_into()
        .ok()
        .with_context(|| format!("expected {N} cells in `{line}`"))
}

/// The blocks of a text, each below a line `;;; name | more`.
pub fn blocks(text: &'static str) -> Vec<([&'static str; 2], &'static str)> {
    let blocks = text.split("\n;;; ").skip(1);
    let block = |block: &'static str| {
        let (head, text) = block.split_once('\n').expect("a block has lines");
        (cells(head).expect("a good head"), text)
    };
    blocks.map(block).collect()
}

/// The count, the text and what follows, if a text begins with a repetition. One may be in another.
pub fn repetition(text: &str) -> Option<(usize, &str, &str)> {
    let (count, rest) = text.strip_prefix('{')?.split_once(':')?;
    let count = count.parse().ok()?;
    let mut depth = 1;
    let end = rest.find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0
    })?;
    Some((count, &rest[..end], &rest[end + 1..]))
}

/// A text with its repetitions written out: `{3:ab}` is `ababab`.
pub fn repeated(text: &str) -> String {
    let mut rest = text;
    let mut whole = String::new();
    while let Some(start) = rest.find('{') {
        let (before, after) = rest.split_at(start);
        whole.push_str(before);
        rest = match repetition(after) {
            Some((count, inside, after)) => {
                whole.push_str(&repeated(inside).repeat(count));
                after
            }
            None => {
                whole.push('{');
                &after[1..]
            }
        };
    }
    whole + rest
}

/// The bytes that a text with escapes stands for; `{3:ab}` is `ababab`.
pub fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some((count, inside, after)) = repetition(rest) {
            bytes.extend(unescaped(inside).repeat(count));
            rest = after;
            continue;
        }
        let (byte, length) = match (next, rest.as_bytes().get(1)) {
            ('\\', Some(b'r')) => (b'\r', 2),
            ('\\', Some(b'n')) => (b'\n', 2),
            ('\\', Some(b'0')) => (0, 2),
            ('\\', Some(b'\\')) => (b'\\', 2),
            ('\\', Some(b'x')) => (u8::from_str_radix(&rest[2..4], 16).expect("two digits"), 4),
            _ => (u8::try_from(next).expect("plain text"), 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    bytes
}
