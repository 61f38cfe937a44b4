//! The names that a `Cargo.toml` depends on, read line by line.

use crate::File;

/// One crate of the workspace.
pub struct Package {
    pub path: String,
    pub name: String,
    /// The dependencies of every kind, those for builds and tests too.
    pub dependencies: Vec<String>,
}

impl Package {
    /// Reads a manifest; absent for a workspace without a package.
    pub fn of(file: &File) -> Option<Self> {
        let (mut section, mut name, mut dependencies) = (String::new(), None, Vec::new());
        for line in file.text.lines().map(str::trim) {
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_end_matches(']').to_owned();
                dependencies.extend(table(&section));
            } else if let Some((key, value)) = line.split_once('=') {
                let key = key.trim().trim_matches('"');
                if section == "package" && key == "name" {
                    name = Some(value.trim().trim_matches('"').to_owned());
                } else if section.ends_with("dependencies") && !section.starts_with("workspace") {
                    dependencies.push(key.split('.').next().unwrap_or(key).to_owned());
                }
            }
        }
        Some(Package {
            path: file.path.clone(),
            name: name?,
            dependencies,
        })
    }
}

/// `foo` of `[dependencies.foo]`.
fn table(section: &str) -> Option<String> {
    let (kind, name) = section.rsplit_once('.')?;
    (kind.ends_with("dependencies") && !kind.starts_with("workspace")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_dependency_is_read() {
        let text = "[package]\nname = \"a\"\n[dependencies]\nb.workspace = true\nc = { version = \"1\" }\n\
                    [target.'cfg(unix)'.dependencies]\nd = \"1\"\n[dev-dependencies.e]\nversion = \"1\"\n";
        let file = File {
            path: "a/Cargo.toml".to_owned(),
            text: text.to_owned(),
        };
        let package = Package::of(&file).expect("it has a name");
        assert_eq!(package.name, "a");
        assert_eq!(package.dependencies, ["b", "c", "d", "e"]);
    }
}
