//! The files of the repository, without what builds and runs leave behind.

use crate::rust;
use std::{fs, path::Path, path::PathBuf};

/// Directories that no rule looks into.
const SKIPPED: [&str; 3] = ["target", ".git", ".wythe"];

/// Every text file below the top.
pub struct Repository {
    pub top: PathBuf,
    pub files: Vec<File>,
}

/// One file; `path` is from the top, with `/` between its parts.
pub struct File {
    pub path: String,
    pub text: String,
}

/// Technologies that are called by a plain word, which may stand anywhere.
const WORDS: [&str; 8] = [
    "cron",
    "directory",
    "env",
    "file",
    "http",
    "memory",
    "vault",
    "webhook",
];

/// Crates of drivers, one folder each, and the folder of the technologies that need no crate of their own.
pub const STREET: &str = "host/drivers";
const EMBEDDED: &str = "host/drivers/embedded/src";

/// A technology that drivers are written for.
pub struct Technology {
    pub name: String,
    /// The folder of its source, with the file that registers its drivers.
    pub home: String,
}

impl Repository {
    /// Reads the whole of it; what is not UTF-8 is left out.
    pub fn read() -> Self {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = Vec::new();
        walk(&top, "", &mut files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Repository { top, files }
    }

    pub fn has(&self, path: &str) -> bool {
        self.top.join(path).exists()
    }

    /// The files whose names end so.
    pub fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a File> {
        self.files
            .iter()
            .filter(move |file| file.path.ends_with(end))
    }

    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.ending(".rs")
    }

    /// Rust of the product itself: what runs in the host or in every guest, not what tests or shows it.
    pub fn product(&self) -> impl Iterator<Item = &File> {
        self.rust()
            .filter(|file| file.is_in("host/") || file.is_in("guest-sdk/"))
            .filter(|file| !file.is_test())
            .filter(|file| {
                !["/examples/", "/templates/"]
                    .iter()
                    .any(|part| file.path.contains(part))
            })
    }

    /// The names in a directory, without what is skipped.
    pub fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.top.join(directory)).into_iter().flatten();
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut names: Vec<_> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.retain(|name| !SKIPPED.contains(&name.as_str()));
        names.sort();
        names
    }

    /// Returns the crates of the street by their folders.
    pub fn street(&self) -> Vec<String> {
        let mut names = self.names(STREET);
        names.retain(|name| self.has(&format!("{STREET}/{name}/Cargo.toml")));
        names
    }

    /// Returns every technology: the crates of the street, and the folders of the embedded ones.
    pub fn technologies(&self) -> Vec<Technology> {
        let crates = self.street().into_iter().map(|name| {
            let home = format!("{STREET}/{name}/src");
            Technology { name, home }
        });
        let embedded = self.names(EMBEDDED).into_iter().map(|name| {
            let home = format!("{EMBEDDED}/{name}");
            Technology { name, home }
        });
        let mut all: Vec<_> = crates.filter(|one| one.home != EMBEDDED).collect();
        all.extend(embedded.filter(|one| self.list_of(one).is_some()));
        all
    }

    /// Returns the technologies whose name is a product's and no plain word.
    pub fn products(&self) -> Vec<Technology> {
        let mut products = self.technologies();
        products.retain(|one| !WORDS.contains(&one.name.as_str()));
        products
    }

    /// Returns the file that registers a technology's drivers.
    pub fn list_of(&self, technology: &Technology) -> Option<&File> {
        let home = &technology.home;
        let paths = [format!("{home}/lib.rs"), format!("{home}/mod.rs")];
        let mut files = self.files.iter();
        files.find(|file| paths.contains(&file.path) && file.text.contains("fn register("))
    }

    /// The blocks: every file of the contract, but what all of them share.
    pub fn blocks(&self) -> Vec<String> {
        let names = self.names("wit").into_iter();
        let names = names.filter_map(|name| name.strip_suffix(".wit").map(str::to_owned));
        names
            .filter(|name| name != "types" && name != "world")
            .collect()
    }
}

impl File {
    pub fn is_in(&self, directory: &str) -> bool {
        self.path.starts_with(directory)
    }

    /// A file of tests, by its place.
    pub fn is_test(&self) -> bool {
        self.is_in("tests/") || self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// Its lines with comments and texts blanked, and without unit tests at its end, each with its number.
    pub fn code(&self) -> Vec<(usize, String)> {
        let code = rust::blanked(&self.text);
        let product = code
            .lines()
            .zip(1..)
            .take_while(|(line, _)| line.trim() != "#[cfg(test)]" || !self.opens_tests());
        product
            .map(|(line, number)| (number, line.to_owned()))
            .collect()
    }

    fn opens_tests(&self) -> bool {
        self.text.contains("#[cfg(test)]\nmod tests {")
    }

    /// The places where a line of its code says one of these.
    pub fn places_of(&self, words: &[&str]) -> Vec<String> {
        let said = |line: &str| words.iter().find(|word| line.contains(**word)).copied();
        let lines = self.code();
        let found = lines
            .iter()
            .filter_map(|(number, line)| Some((number, said(line)?)));
        found
            .map(|(number, word)| format!("{}:{number}: `{word}`", self.path))
            .collect()
    }

    /// The lines where a whole word stands, in code, comment or text.
    pub fn lines_with<'a>(&'a self, word: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
        let lines = self.text.lines().zip(1..);
        lines
            .filter(move |(line, _)| has_word(&line.to_ascii_lowercase(), word))
            .map(|(line, number)| (number, line))
    }
}

/// Returns whether `word` stands in `text` with no letter, digit or `_` beside it.
pub fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

fn walk(directory: &Path, path: &str, files: &mut Vec<File>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{path}{name}");
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), files);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            files.push(File { path, text });
        }
    }
}
