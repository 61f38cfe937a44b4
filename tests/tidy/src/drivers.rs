//! The native drivers, read as text: which types are registered, and the settings that each reads.

use crate::{
    File, Repository,
    items::{self, Node},
};

/// The macro that adds the keys of a server to a config; they stand in the macro.
const SHARING: &str = "config! {";

/// One type of component, such as `state.redb`.
pub struct Driver {
    pub kind: String,
    pub settings: Vec<Setting>,
}

/// One key of a component's metadata.
pub struct Setting {
    pub key: String,
    /// The value that the comment names for a key that is not written.
    pub default: Option<String>,
}

impl Repository {
    /// Every type that a file below `host/drivers` registers; what cannot be read is an error.
    pub fn drivers(&self) -> Result<Vec<Driver>, String> {
        let files = self.product().filter(|file| file.is_in("host/drivers/"));
        let mut found = Vec::new();
        for file in files {
            let code = compact(file);
            for (at, _) in code.match_indices("registry.") {
                let Some((block, names, parse)) = registration(&code, at) else {
                    continue;
                };
                let prefix = if block == "secrets" {
                    "secretstores"
                } else {
                    block
                };
                for name in names {
                    let kind = format!("{prefix}.{name}");
                    let settings = self.settings(file, parse);
                    let settings = settings.ok_or(format!(
                        "{}: cannot read the settings of `{kind}`",
                        file.path
                    ))?;
                    found.push(Driver { kind, settings });
                }
            }
        }
        Ok(found)
    }

    /// The settings that a function takes, by its path as it is written in `file`.
    fn settings(&self, file: &File, function: &str) -> Option<Vec<Setting>> {
        let (directory, _) = file.path.rsplit_once('/')?;
        let (module, name) = function.rsplit_once("::").unwrap_or(("", function));
        let place = format!("{directory}/{}", module.replace("::", "/"));
        let is_module = |other: &&File| {
            other.path == format!("{place}.rs") || other.path == format!("{place}/mod.rs")
        };
        let home = self.rust().find(is_module).unwrap_or(file);
        let (_, parameters) = home.text.split_once(&format!("fn {name}("))?;
        let (_, of) = parameters.split([',', ')']).next()?.split_once(':')?;
        let beside: Vec<_> = self
            .rust()
            .filter(|other| other.is_in(&format!("{directory}/")))
            .collect();
        let mut places = [home].into_iter().chain(beside.iter().copied());
        let (place, own) =
            places.find_map(|file| Some((file, settings(&file.text, of.trim())?)))?;
        if !place.text.contains(SHARING) {
            return Some(own);
        }
        let is_maker = |other: &&&File| other.text.contains("macro_rules! config ");
        let maker = beside.iter().find(is_maker)?;
        let mut all = settings(&maker.text, "Config")?;
        all.extend(own);
        Some(all)
    }
}

/// The text without white space and comments.
fn compact(file: &File) -> String {
    let lines = file
        .text
        .lines()
        .filter(|line| !line.trim().starts_with("//"));
    lines
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace())
        .collect()
}

/// Reads `registry.<block>.add..(<name>, <function>, ..)` at a place of a compact text: the block, the names, and the
/// function whose first parameter is the settings.
fn registration(code: &str, at: usize) -> Option<(&str, Vec<String>, &str)> {
    let (block, rest) = code[at + "registry.".len()..].split_once('.')?;
    let (method, rest) = rest.split_once('(')?;
    if !["add", "add_parsed", "add_warned"].contains(&method) {
        return None;
    }
    let (name, rest) = rest.split_once(',')?;
    let names = match name.strip_prefix('"') {
        Some(name) => vec![name.trim_end_matches('"').to_owned()],
        None => {
            let (_, list) = code[..at].rsplit_once(&format!("for{name}in["))?;
            let names = list.split_once(']')?.0.split(',');
            names
                .map(|name| name.trim_matches('"').to_owned())
                .collect()
        }
    };
    Some((block, names, rest.split([',', ')']).next()?))
}

/// The keys of a struct as a manifest writes them; none where the text has no such struct.
fn settings(text: &str, name: &str) -> Option<Vec<Setting>> {
    if text.contains(&format!("struct {name} {{}}")) {
        return Some(Vec::new());
    }
    let at = text.find(&format!("struct {name} {{\n"))?;
    let before = text[..at].rsplit("\n\n").next().unwrap_or_default();
    let is_camel = before.contains("rename_all = \"camelCase\"") || before.contains(SHARING);
    let mut lines = text[at..].lines().peekable();
    lines.next();
    let key = |field: &Node| {
        let plain = if is_camel {
            camel(&field.name)
        } else {
            field.name.clone()
        };
        field.setting("rename").unwrap_or(plain)
    };
    let fields = items::parts(&mut lines, "}");
    let settings = fields.iter().map(|field| Setting {
        key: key(field),
        default: default(&field.doc),
    });
    Some(settings.collect())
}

/// The words after `default`: a text in backticks, or all up to the end of the sentence.
fn default(doc: &str) -> Option<String> {
    let (_, after) = doc.split_once("efault ")?;
    let words = match after.strip_prefix('`') {
        Some(inside) => format!("`{}`", inside.split('`').next().unwrap_or_default()),
        None => after
            .split(';')
            .next()
            .unwrap_or_default()
            .trim_end_matches('.')
            .to_owned(),
    };
    Some(words)
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |all, word| {
        all + &word[..1].to_uppercase() + &word[1..]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_is_read_however_it_is_written() {
        let one = "registry.lock.add(\"redb\",lock::open);";
        assert_eq!(
            registration(one, 0),
            Some(("lock", vec!["redb".to_owned()], "lock::open"))
        );
        let two = "fornamein[\"a.b\",\"c\"]{registry.crypto.add_parsed(name,crypto::parse,crypto::open);}";
        let at = two.find("registry").expect("it is there");
        let names = vec!["a.b".to_owned(), "c".to_owned()];
        assert_eq!(
            registration(two, at),
            Some(("crypto", names, "crypto::parse"))
        );
        assert_eq!(
            registration("registry.state.open(&component,site)", 0),
            None
        );
    }

    #[test]
    fn settings_have_the_names_that_a_manifest_has() {
        let text = "#[serde(rename_all = \"camelCase\")]\nstruct Config {\n    /// Bytes; default 64 MiB.\n    max_bytes: u64,\n    \
                    #[serde(rename = \"skipTLS\")]\n    skip_tls: bool,\n}\n";
        let found = settings(text, "Config").expect("the struct is there");
        let found: Vec<_> = found
            .iter()
            .map(|s| (s.key.as_str(), s.default.as_deref()))
            .collect();
        assert_eq!(found, [("maxBytes", Some("64 MiB")), ("skipTLS", None)]);
        assert!(settings(text, "Other").is_none());
        let shared = "config! {\n    struct Config {\n        /// Text.\n        table_prefix: Option<String>,\n    }\n}\n";
        let found = settings(shared, "Config").expect("the struct is there");
        assert_eq!(found[0].key, "tablePrefix");
    }
}
