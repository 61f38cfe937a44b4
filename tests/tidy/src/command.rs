//! The types of `host/cli/src/args`, read as text: what may be written after `wythe`, as Markdown.

use crate::{
    File,
    items::{Node, parts},
};
use std::fmt::Write;

/// Every type of the arguments.
pub struct Arguments {
    types: Vec<Node>,
}

impl Arguments {
    pub fn read<'a>(files: impl Iterator<Item = &'a File>) -> Self {
        let texts = files.map(|file| file.text.split("#[cfg(test)]").next().unwrap_or_default());
        let types = texts.flat_map(|text| parts(&mut text.lines().peekable(), ""));
        Arguments {
            types: types.collect(),
        }
    }

    /// Renders every verb of the command, with what its comments say.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for (title, group) in [("every command", "Common"), ("a project", "Project")] {
            let _ = writeln!(out, "### Options of {title}\n");
            if let Some(group) = self.find(group) {
                sentence(&mut out, group);
                self.list(&mut out, &group.parts);
            }
        }
        let verbs = self.find("Command").map_or(&[][..], |verbs| &verbs.parts);
        verbs
            .iter()
            .for_each(|verb| self.verb(&mut out, verb, "###", "wythe"));
        out.trim_end().to_owned() + "\n"
    }

    /// Renders a verb, and the verbs below it.
    fn verb(&self, out: &mut String, variant: &Node, level: &str, before: &str) {
        let known = self.find(inner(&variant.of)).unwrap_or(variant);
        let name = variant
            .setting("name")
            .unwrap_or_else(|| kebab(&variant.name));
        let line = format!("{before} {name}");
        let mut words = line.clone();
        self.usage(&known.parts)
            .iter()
            .for_each(|word| words += &format!(" {word}"));
        let below = known.parts.iter().find(|part| part.has("subcommand"));
        let verb = below.map_or("", |verb| match verb.is_optional() {
            true => " [VERB]",
            false => " VERB",
        });
        let _ = writeln!(out, "{level} `{words}{verb}`\n");
        sentence(out, known);
        self.list(out, &known.parts);
        for verb in below
            .and_then(|verb| self.find(inner(&verb.of)))
            .iter()
            .flat_map(|verbs| &verbs.parts)
        {
            self.verb(out, verb, "####", &line);
        }
    }

    /// Names what must or may stand behind a verb without being asked for by an option, and the options that must.
    fn usage(&self, parts: &[Node]) -> Vec<String> {
        let mut words = Vec::new();
        for part in parts.iter().filter(|part| !part.has("subcommand")) {
            if part.has("flatten") {
                words.extend(
                    self.find(&part.of)
                        .iter()
                        .flat_map(|group| self.usage(&group.parts)),
                );
                continue;
            }
            let value = part.value();
            match (part.is_option(), part.is_optional()) {
                (true, true) => {}
                (true, false) => words.push(format!("{} {value}", part.long())),
                (false, true) if part.is_list() => words.push(format!("[{value}]...")),
                (false, true) => words.push(format!("[{value}]")),
                (false, false) if part.is_list() => words.push(format!("{value}...")),
                (false, false) => words.push(value),
            }
        }
        words
    }

    /// Lists the options, and those other arguments of which something is said.
    fn list(&self, out: &mut String, parts: &[Node]) {
        let mut lines = String::new();
        parts.iter().for_each(|part| self.line(&mut lines, part));
        if !lines.is_empty() {
            let _ = writeln!(out, "{lines}");
        }
    }

    fn line(&self, out: &mut String, part: &Node) {
        if part.has("subcommand") {
            return;
        }
        if let Some(group) = self.find(&part.of).filter(|_| part.has("flatten")) {
            if !group.doc.is_empty() {
                let name = group.name.to_lowercase();
                let _ = writeln!(out, "- the [options of a {name}](#options-of-a-{name})");
                return;
            }
            if group.attributes.contains("required = true") {
                let names: Vec<_> = group
                    .parts
                    .iter()
                    .map(|part| format!("`{}`", part.long()))
                    .collect();
                let _ = writeln!(out, "- exactly one of {}", names.join(", "));
            }
            return group.parts.iter().for_each(|part| self.line(out, part));
        }
        let mut said = vec![part.doc.clone()];
        said.extend(self.values(part));
        let default = part
            .setting("default_value")
            .filter(|_| !part.has("hide_default_value"));
        said.extend(
            default
                .filter(|text| !text.is_empty())
                .map(|text| format!("default `{text}`")),
        );
        said.retain(|text| !text.is_empty());
        if part.is_option() || !said.is_empty() {
            let colon = if said.is_empty() { "" } else { ": " };
            let _ = writeln!(out, "- {}{colon}{}", part.shown(), said.join("; "));
        }
    }

    /// Lists the values of an enum.
    fn values(&self, part: &Node) -> Option<String> {
        let known = self.find(inner(&part.of))?;
        let value = |variant: &Node| {
            let name = variant
                .setting("name")
                .unwrap_or_else(|| kebab(&variant.name));
            match variant.doc.as_str() {
                "" => format!("`{name}`"),
                doc => format!("`{name}` ({doc})"),
            }
        };
        let values: Vec<_> = known.parts.iter().map(value).collect();
        known
            .attributes
            .contains("ValueEnum")
            .then(|| values.join(", "))
    }

    fn find(&self, name: &str) -> Option<&Node> {
        self.types.iter().find(|node| node.name == name)
    }
}

impl Node {
    fn is_option(&self) -> bool {
        self.has("long") || self.has("short")
    }

    fn is_list(&self) -> bool {
        self.of.starts_with("Vec<")
    }

    /// True where it may be left out.
    fn is_optional(&self) -> bool {
        let maybe = self.of.starts_with("Option<") || self.is_list() || self.is_flag();
        (maybe && !self.has("required")) || self.has("default_value")
    }

    fn is_flag(&self) -> bool {
        self.of == "bool" || self.has("action")
    }

    fn long(&self) -> String {
        format!(
            "--{}",
            self.setting("long")
                .unwrap_or_else(|| self.name.replace('_', "-"))
        )
    }

    fn value(&self) -> String {
        self.setting("value_name")
            .unwrap_or_else(|| self.name.to_uppercase())
    }

    /// Its names and the name of its value.
    fn shown(&self) -> String {
        if !self.is_option() {
            return format!("`{}`", self.value());
        }
        let first = || self.name.chars().take(1).collect();
        let short = self
            .has("short")
            .then(|| self.setting("short").unwrap_or_else(first));
        let short = short.map_or(String::new(), |letter| format!("`-{letter}`, "));
        let value = if self.is_flag() {
            String::new()
        } else {
            format!(" {}", self.value())
        };
        format!("{short}`{}{value}`", self.long())
    }
}

fn sentence(out: &mut String, node: &Node) {
    if !node.doc.is_empty() {
        let _ = writeln!(out, "{}.\n", node.doc.trim_end_matches('.'));
    }
}

/// The type within `Option<..>`, `Box<..>` or `Vec<..>`.
fn inner(of: &str) -> &str {
    let inside = ["Option<", "Box<", "Vec<"]
        .iter()
        .find_map(|open| of.strip_prefix(open));
    inside.map_or(of, |inside| inside.trim_end_matches('>'))
}

/// The name that a variant has on the command line.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}
