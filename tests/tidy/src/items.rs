//! Types of Rust read as text: their fields or variants, with comments and attributes.

use std::{iter::Peekable, str::Lines};

/// A struct, an enum, a field or a variant.
pub struct Node {
    pub name: String,
    /// The type of a field, or the one in the parentheses of a variant.
    pub of: String,
    pub doc: String,
    pub attributes: String,
    pub parts: Vec<Node>,
}

impl Node {
    /// The settings within `#[arg(..)]` and its like, each with its text or none.
    fn settings(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let lines = self
            .attributes
            .split("#[")
            .filter_map(|one| one.split_once('('));
        let settings = lines.flat_map(|(_, inside)| inside.split(", "));
        settings.map(|setting| {
            let setting = setting.trim_matches([' ', ',', ')', ']']);
            setting
                .split_once(" = ")
                .map_or((setting, None), |(key, value)| (key, Some(value)))
        })
    }

    pub fn has(&self, key: &str) -> bool {
        self.settings().any(|(name, _)| name == key)
    }

    pub fn setting(&self, key: &str) -> Option<String> {
        let mut settings = self.settings();
        let (_, value) = settings.find(|(name, value)| *name == key && value.is_some())?;
        Some(value?.trim_matches(['"', '\'']).to_owned())
    }
}

/// Reads types, fields or variants up to a line that closes them, each with its comment and attributes.
pub fn parts(lines: &mut Peekable<Lines>, close: &str) -> Vec<Node> {
    let (mut found, mut doc, mut attributes) = (Vec::new(), Vec::new(), String::new());
    while let Some(line) = lines.next().map(str::trim) {
        if !close.is_empty() && line.trim_end_matches(',') == close {
            break;
        } else if let Some(text) = line.strip_prefix("///") {
            doc.push(text.trim());
        } else if line.starts_with("#[") {
            attributes += line;
            while attributes.matches('[').count() > attributes.matches(']').count() {
                attributes += &format!(" {}", lines.next().unwrap_or("]").trim());
            }
        } else if let Some((name, of, parts)) = part(line, lines) {
            let (doc, attributes) = (
                std::mem::take(&mut doc).join(" "),
                std::mem::take(&mut attributes),
            );
            found.push(Node {
                name,
                of,
                doc,
                attributes,
                parts,
            });
        } else {
            doc.clear();
            attributes.clear();
        }
    }
    found
}

/// Reads one type, field or variant: its name, its type, and its parts.
fn part(line: &str, lines: &mut Peekable<Lines>) -> Option<(String, String, Vec<Node>)> {
    let line = ["pub ", "pub(super) ", "pub(crate) "]
        .iter()
        .find_map(|visibility| line.strip_prefix(visibility))
        .unwrap_or(line)
        .trim_end_matches(',');
    let (kind, plain) = line.split_once(' ').unwrap_or(("", line));
    let is_type = ["struct", "enum"].contains(&kind);
    let line = if is_type { plain } else { line };
    let name: String = line
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    let rest = line[name.len()..].trim();
    let none = Vec::new;
    match rest {
        _ if name.is_empty() => None,
        "{" => Some((name, String::new(), parts(lines, "}"))),
        "" if !is_type => Some((name, String::new(), none())),
        rest if rest.starts_with(": ") => Some((name, rest[2..].to_owned(), none())),
        rest if rest.starts_with('(') && rest.ends_with(')') => {
            Some((name, rest[1..rest.len() - 1].to_owned(), none()))
        }
        rest if rest.starts_with("{ ") && rest.ends_with(" }") => {
            let fields = rest[2..rest.len() - 2].replace(", ", ",\n");
            Some((
                name,
                String::new(),
                parts(&mut fields.lines().peekable(), ""),
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_variants_are_read_with_what_is_said_of_them() {
        let text = "/// One\n/// two\n#[a(\n    b = \"c\",\n    d\n)]\npub enum E {\n    F { g: H, i: J },\n    K(L),\n    M,\n}\n\
                    pub(super) struct N {\n    /// o\n    pub p: Option<Q>,\n}\n";
        let found = parts(&mut text.lines().peekable(), "");
        let [first, second] = &found[..] else {
            panic!("{} types", found.len());
        };
        assert_eq!((first.name.as_str(), first.doc.as_str()), ("E", "One two"));
        assert_eq!(first.setting("b").as_deref(), Some("c"));
        assert!(first.has("d") && !first.has("c"));
        let names = |node: &Node| {
            node.parts
                .iter()
                .map(|part| part.name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(first), ["F", "K", "M"]);
        assert_eq!(names(&first.parts[0]), ["g", "i"]);
        assert_eq!(first.parts[1].of, "L");
        let field = &second.parts[0];
        assert_eq!((field.doc.as_str(), field.of.as_str()), ("o", "Option<Q>"));
    }
}
