//! Projects on disk.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Problems, load, load_resources};

const GUEST: &str = "version: 1\nname: shop\napps: [{ appID: cart, guest: cart.wasm }]\n";

fn project(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("its directory");
        fs::write(path, text).expect("a file");
    }
    directory
}

fn component(name: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\nspec: {{ type: state.test }}\n"
    )
}

/// The problems with the temporary directory cut from their paths.
fn reported(directory: &TempDir, problems: &Problems) -> String {
    let prefix = directory.path().display().to_string();
    problems
        .to_string()
        .replace(&format!("{prefix}/"), "")
        .replace(&prefix, "DIR")
}

#[test]
fn the_manifest_is_found() {
    let both = project(&[("wythe.yaml", GUEST), ("dapr.yaml", "version: 1\n")]);
    let (manifest, problems) = load(both.path());
    assert_eq!(reported(&both, &problems), "");
    assert_eq!(
        manifest.expect("a manifest").file,
        both.path().join("wythe.yaml")
    );
    let dapr = project(&[("dapr.yaml", GUEST)]);
    assert!(load(dapr.path()).0.is_some());
    assert!(load(&dapr.path().join("dapr.yaml")).0.is_some());
}

#[test]
fn a_missing_manifest_names_the_next_command() {
    let help = "`wythe new NAME` makes a new project in the directory NAME";
    let empty = project(&[]);
    let here =
        format!("DIR: there is no `wythe.yaml` and no `dapr.yaml` in this directory; {help}");
    assert_eq!(reported(&empty, &load(empty.path()).1), here);
    let nowhere = load(&empty.path().join("shop.yaml")).1;
    assert_eq!(
        reported(&empty, &nowhere),
        format!("shop.yaml: no such file or directory; {help}")
    );
}

#[test]
fn default_directories_of_resources() {
    let dapr = ("apps/cart/.dapr/resources/a.yaml", "");
    let text = "version: 1\nname: shop\napps: [{ appDirPath: apps/cart, guest: a.wasm }]\n";
    let project = project(&[
        ("wythe.yaml", text),
        ("resources/a.yaml", ""),
        ("other/a.yaml", ""),
        dapr,
    ]);
    let paths = |text: &str| -> Vec<PathBuf> {
        fs::write(project.path().join("wythe.yaml"), text).expect("a file");
        let paths = load(project.path()).0.expect("a manifest").resources_paths;
        paths
            .iter()
            .map(|path| {
                path.strip_prefix(project.path())
                    .expect("below")
                    .to_path_buf()
            })
            .collect()
    };
    let of_dapr = Path::new("apps/cart/.dapr/resources");
    assert_eq!(paths(text), [Path::new("resources"), of_dapr]);
    let named = format!("common: {{ resourcesPaths: [./other, other/] }}\n{text}");
    assert_eq!(paths(&named), [Path::new("other"), of_dapr]);
}

#[test]
fn resources_of_several_files() {
    let (b, c) = (component("b"), component("c"));
    let project = project(&[
        ("r/2.yml", &c),
        ("r/1.yaml", &b),
        ("r/notes.txt", "}"),
        ("r/deeper/x.yaml", "}"),
    ]);
    let named = [project.path().join("r"), project.path().join("./r/")];
    let (resources, problems) = load_resources(&named);
    assert_eq!(reported(&project, &problems), "");
    let names: Vec<&str> = resources
        .components
        .iter()
        .map(|component| component.name.as_str())
        .collect();
    assert_eq!(names, ["b", "c"]);
}

#[test]
fn duplicate_components_name_both_places() {
    let (b, more) = (
        component("b"),
        format!("{}---\n{}", component("c"), component("b")),
    );
    let project = project(&[("1.yaml", &b), ("2.yaml", &more)]);
    let (resources, problems) = load_resources(&[project.path().to_path_buf()]);
    let expected = "2.yaml:6:1: metadata.name: the component `b` is already defined in 1.yaml:1";
    assert_eq!(reported(&project, &problems), expected);
    assert_eq!(resources.components.len(), 2);
}

#[test]
fn default_directories_that_may_come_are_known() {
    let text = "version: 1\nname: shop\napps: [{ guest: a.wasm, appID: cart }]\n";
    let project = project(&[("wythe.yaml", text)]);
    let manifest = load(project.path()).0.expect("a manifest");
    let awaited = ["resources", ".dapr/resources"].map(|name| project.path().join(name));
    assert_eq!(manifest.awaited_paths, awaited);
    assert_eq!(manifest.resources_paths, [] as [PathBuf; 0]);
}

#[test]
fn names_that_differ_in_case_alone_are_refused() {
    let two = format!("{}---\n{}", component("Orders"), component("orders"));
    let project = project(&[("1.yaml", &two)]);
    let (_, problems) = load_resources(&[project.path().to_path_buf()]);
    let expected = "1.yaml:6:1: metadata.name: the component `orders` differs in case alone from `Orders` in 1.yaml:1";
    assert_eq!(reported(&project, &problems), expected);
}

#[test]
fn what_is_no_regular_file_of_the_directory_is_not_read() {
    let project = project(&[("wythe.yaml", GUEST), ("r/good.yaml", "")]);
    let at = |name: &str| project.path().join(name);
    let fifo = std::ffi::CString::new(at("r/fifo.yaml").to_str().expect("text")).expect("text");
    // SAFETY: the path is a text that ends with a zero.
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
    std::os::unix::fs::symlink("/dev/zero", at("r/device.yaml")).expect("a link");
    std::os::unix::fs::symlink(at("wythe.yaml"), at("r/out.yaml")).expect("a link");
    std::os::unix::fs::symlink("good.yaml", at("r/within.yaml")).expect("a link");
    let out = "cannot be read: a link leads out of the directory that it belongs to; write the path that is meant instead";
    let expected = format!(
        "r/device.yaml: {out}\nr/fifo.yaml: cannot be read: a FIFO; expected a regular file\nr/out.yaml: {out}"
    );
    assert_eq!(reported(&project, &load_resources(&[at("r")]).1), expected);
    let device = load(Path::new("/dev/zero")).1;
    assert_eq!(
        device.to_string(),
        "/dev/zero: cannot be read: a device; expected a regular file"
    );
}

#[test]
fn what_cannot_be_read() {
    let project = project(&[]);
    fs::write(project.path().join("a.yaml"), [0xff, 0xfe, 0x00]).expect("a file");
    fs::write(project.path().join("b.yaml"), " ".repeat((1 << 20) + 1)).expect("a file");
    let directories = [project.path().to_path_buf(), project.path().join("nowhere")];
    let expected = "a.yaml: not UTF-8 text\nb.yaml: larger than 1 MiB, which is the most that is read\n\
                    nowhere: cannot be read as a directory of resources: entity not found";
    assert_eq!(
        reported(&project, &load_resources(&directories).1),
        expected
    );
}
