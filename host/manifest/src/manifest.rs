//! `wythe.yaml`: the apps of a project. A Dapr `dapr.yaml` of guests is read the same way.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::app::{self, App, CONFIGURATION, Common, SIDECAR, directory_name, join};
use crate::file;
use crate::front::{self, Cors, TokenVariable};
use crate::health;
use crate::name::{Name, shown};
use crate::problem::{Problem, Problems, Source};
use crate::reader::{At, Fields, Report};
use crate::yaml;

const FILES: [&str; 2] = ["wythe.yaml", "dapr.yaml"];

/// A project: its apps and where their resources are.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The manifest's own file.
    pub file: PathBuf,
    /// The directory that its paths are relative to.
    pub directory: PathBuf,
    /// The name of the project; default the name of its directory.
    pub name: Name,
    /// The tenant that the apps belong to; default `default`.
    pub tenant: Name,
    /// The place where the tenant was written; the file where it was not.
    pub tenant_source: Source,
    /// The variable with the token that requests from outside have to show; none where it is not written.
    pub api_token: Option<TokenVariable>,
    /// The pages of other origins whose scripts may ask; none without it.
    pub cors: Option<Cors>,
    /// The apps in the order they were written.
    pub apps: Vec<App>,
    /// Every directory of resources that is named for all apps or for one, and the default ones that exist.
    pub resources_paths: Vec<PathBuf>,
    /// The places where these were written first, in the same order; the file for those that were not.
    pub resources_sources: Vec<Source>,
    /// The default directories of resources that do not exist yet.
    pub awaited_paths: Vec<PathBuf>,
}

/// Reads the manifest of a project, given the file or its directory.
///
/// The answer has as much as could be read even if there are errors; check [`Problems::has_errors`] before using it.
pub fn load(path: &Path) -> (Option<Manifest>, Problems) {
    let text = find(path).and_then(|file| {
        // A file that is named is what the operator wrote; one that is found belongs to its directory.
        let root = path.is_dir().then(|| file.parent()).flatten();
        Ok((file::read(root, &file)?, file))
    });
    match text {
        Ok((text, file)) => parse_manifest(&text, &file),
        Err(problem) => (None, problem.into()),
    }
}

fn find(path: &Path) -> Result<PathBuf, Problem> {
    let missing = |message: &str| {
        Problem::of_file(path, message)
            .with_help("`wythe new NAME` makes a new project in the directory NAME")
    };
    if !path.exists() {
        return Err(missing("no such file or directory"));
    }
    if !path.is_dir() {
        return Ok(path.to_path_buf());
    }
    // What the user did not write is not shown: `wythe.yaml` rather than `./wythe.yaml`.
    let directory = if path == Path::new(".") {
        Path::new("")
    } else {
        path
    };
    let found = FILES
        .iter()
        .map(|name| directory.join(name))
        .find(|file| file.symlink_metadata().is_ok() && !file.is_dir());
    found.ok_or_else(|| missing("there is no `wythe.yaml` and no `dapr.yaml` in this directory"))
}

/// Reads the text of a manifest; `file` says where it is, so that its paths have a meaning.
pub fn parse_manifest(text: &str, file: &Path) -> (Option<Manifest>, Problems) {
    let report = Report::new(file);
    let documents = yaml::parse(text, &report);
    let manifest = match documents.as_slice() {
        [document] => read(&At::document(document, &report)),
        [] => None,
        [_, second, ..] => {
            At::document(second, &report).error("a manifest is one document, found a second one");
            None
        }
    };
    let mut problems = report.into_problems();
    if documents.is_empty() && problems.is_empty() {
        problems.0.push(Problem::of_file(
            file,
            "empty; a manifest begins with `version: 1`",
        ));
    }
    (manifest, problems)
}

impl Manifest {
    /// Takes the resources of these directories in place of all that the manifest names, and of the default ones; where there
    /// are none of these, everything stays. Whoever reads them tells of one that is not there.
    pub fn replace_resources(&mut self, directories: &[PathBuf]) {
        if directories.is_empty() {
            return;
        }
        let whole = Problem::of_file(&self.file, "").source();
        self.resources_sources = directories.iter().map(|_| whole.clone()).collect();
        self.resources_paths = directories.to_vec();
        self.awaited_paths.clear();
    }
}

fn read(document: &At) -> Option<Manifest> {
    let file = document.report.file().to_path_buf();
    let root = join(file.parent().unwrap_or(Path::new("")), ".");
    let fields = document.fields(&[
        "version", "name", "tenant", "common", "apps", "apiToken", "cors",
    ])?;
    check_version(&fields);
    let name = fields
        .get("name")
        .map_or_else(|| directory_name(&root), |at| at.parse());
    let whole = Problem::of_file(&file, "").source();
    let at_tenant = fields.get("tenant");
    let tenant_source = at_tenant.as_ref().map_or_else(|| whole.clone(), At::source);
    let tenant = at_tenant.map_or_else(|| "default".parse().ok(), |at| at.parse());
    let common = fields.get("common").and_then(|at| read_common(&at));
    let of_all = common.as_ref().map(Common::read).unwrap_or_default();
    let items = fields
        .require("apps", "a list of apps")
        .map(|at| at.items())
        .unwrap_or_default();
    let read: Vec<app::Read> = items
        .iter()
        .filter_map(|at| app::read(at, &root, &of_all))
        .collect();
    refuse_duplicates(&read);
    let (resources, awaited_paths) = resources_paths(&root, common.as_ref(), &read, &whole);
    let (resources_paths, resources_sources) = resources.into_iter().unzip();
    let apps = read.into_iter().map(|read| read.app).collect();
    Some(Manifest {
        file,
        directory: root,
        name: name?,
        tenant: tenant?,
        tenant_source,
        api_token: fields.read("apiToken", front::read_token),
        cors: fields.read("cors", front::read_cors),
        apps,
        resources_paths,
        resources_sources,
        awaited_paths,
    })
}

fn check_version(fields: &Fields) {
    if let Some(at) = fields.require("version", "write `version: 1`")
        && let Some(text) = at.text()
        && text != "1"
    {
        at.error(&format!("expected `1`, found `{}`", shown(text)));
    }
}

fn read_common<'a>(at: &At<'a>) -> Option<Fields<'a>> {
    let more = ["resourcesPath", CONFIGURATION];
    let known = SIDECAR.into_iter().chain(health::DAPRS).chain(more);
    let known: Vec<&str> = known.collect();
    let fields = at.fields_of(&["env", "resourcesPaths"], &known)?;
    app::check_sidecar(&fields);
    Some(fields)
}

fn refuse_duplicates(apps: &[app::Read]) {
    let (mut ids, mut prefixes) = (HashMap::new(), HashMap::new());
    for app::Read { app, fields } in apps {
        if let Some(first) = ids.insert(&app.id, app.source.line) {
            let message = format!("the app `{}` is already defined in line {first}", app.id);
            fields
                .get("appID")
                .as_ref()
                .unwrap_or(&fields.at)
                .error(&message);
        }
        if let (Some(prefix), Some(at)) = (&app.ingress, fields.get("ingress"))
            && let Some(other) = prefixes.insert(prefix, &app.id)
        {
            at.error(&format!(
                "`{prefix}` is already the prefix of the app `{other}`"
            ));
        }
    }
}

/// The directories that are there, each with its place, and the default ones that are not. `whole` is the place of the
/// file.
fn resources_paths(
    root: &Path,
    common: Option<&Fields>,
    apps: &[app::Read],
    whole: &Source,
) -> (Vec<(PathBuf, Source)>, Vec<PathBuf>) {
    let owners = common
        .into_iter()
        .chain(apps.iter().map(|read| &read.fields));
    let (mut paths, mut is_named) = (Vec::new(), false);
    for owner in owners {
        for item in named_paths(owner) {
            is_named = true;
            paths.extend(existing(&item, root).map(|path| (path, item.source())));
        }
    }
    let default = Some(join(root, "resources")).filter(|_| !is_named);
    let of_dapr = apps
        .iter()
        .map(|read| join(&read.app.directory, ".dapr/resources"));
    let defaults = default.into_iter().chain(of_dapr);
    let (there, awaited): (Vec<_>, Vec<_>) = defaults.partition(|path| path.is_dir());
    paths.extend(there.into_iter().map(|path| (path, whole.clone())));
    let awaited = awaited.into_iter().map(|path| (path, ()));
    let awaited = unique(awaited.collect()).into_iter();
    (unique(paths), awaited.map(|(path, ())| path).collect())
}

/// Returns each path once, where it was named first.
fn unique<T>(paths: Vec<(PathBuf, T)>) -> Vec<(PathBuf, T)> {
    let mut seen = HashSet::new();
    let mut is_first = |path: &PathBuf| seen.insert(path.clone());
    let paths = paths.into_iter();
    paths.filter(|(path, _)| is_first(path)).collect()
}

fn named_paths<'a>(owner: &Fields<'a>) -> Vec<At<'a>> {
    let mut items = owner
        .get("resourcesPaths")
        .map(|at| at.items())
        .unwrap_or_default();
    owner.warn_of(
        &["resourcesPath"],
        "deprecated: write a list, `resourcesPaths`",
    );
    items.extend(owner.get("resourcesPath"));
    items
}

fn existing(at: &At, root: &Path) -> Option<PathBuf> {
    let path = join(root, at.filled()?);
    if !path.is_dir() {
        at.error(&format!("there is no directory `{}`", path.display()));
        return None;
    }
    Some(path)
}
