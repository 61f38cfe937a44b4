//! Places of what a manifest says and its tenant may not have.

use crate::{HostFile, load};
use std::fs;

#[test]
fn a_name_and_directories_of_another_are_told_with_their_lines() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    for directory in ["evil/own", "bank/resources"] {
        fs::create_dir_all(at(directory)).unwrap();
    }
    let text = "\
version: 1
tenant: bank
common:
  resourcesPaths: [own, ../bank/resources]
apps:
  - appID: a
    guest: a.wasm
    resourcesPaths:
      - ../bank
      - own
";
    fs::write(at("evil/wythe.yaml"), text).unwrap();
    let (manifest, problems) = load(&at("evil"));
    assert!(problems.is_empty(), "{problems}");
    let mut manifest = manifest.unwrap();
    let terms = HostFile::default().terms(&"evil".parse().unwrap());
    let shown = |problems: String| problems.replace(&format!("{}/", root.path().display()), "");
    assert_eq!(
        shown(terms.apply(&mut manifest).to_string()),
        "evil/wythe.yaml:2:9: tenant: `bank` is not the name of the tenant's directory; expected `evil`, or nothing"
    );
    let outside = |place: &str, path: &str| {
        format!(
            "evil/wythe.yaml:{place}: the directory of resources `evil/../{path}` is outside of the tenant's directory, which the operator does not allow: "
        )
    };
    let (_, problems) = terms.load_resources(&manifest);
    let expected = [outside("4:25", "bank/resources"), outside("9:9", "bank")];
    assert_eq!(shown(problems.to_string()), expected.join("\n"));
}

#[test]
fn what_is_not_written_has_the_place_of_the_file() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("resources")).unwrap();
    fs::write(
        root.path().join("wythe.yaml"),
        "version: 1\napps: []\nname: a\n",
    )
    .unwrap();
    let manifest = load(root.path()).0.unwrap();
    let whole = [&manifest.tenant_source, &manifest.resources_sources[0]];
    for source in whole {
        assert_eq!(
            (source.file.as_path(), source.line),
            (manifest.file.as_path(), 0)
        );
    }
    assert_eq!(
        manifest.resources_paths.len(),
        manifest.resources_sources.len()
    );
}
