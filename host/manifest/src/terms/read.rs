//! Reading the operator's file: a document that is wrong concerns its tenant and no other.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{
    Allowed, Document, HOST_FILE, HostFile, Quotas, ingress::Names, isolation, quotas, signing, tls,
};
use crate::app::join;
use crate::file;
use crate::name::{Name, shown};
use crate::problem::{Problem, Problems, Source};
use crate::reader::{At, Fields, Report};
use crate::tracing;
use crate::yaml;

const VERSION: &str = "wythe/v1";
const KINDS: &str = "`Host` and `Tenant`";
/// The name of the document of all tenants.
const ALL: &str = "*";

/// Reads the operator's file of a directory of tenants. Problems of the answer concern the host; those of one tenant are
/// in [`HostFile::problems_of`].
pub fn load_host_file(root: &Path) -> (HostFile, Problems) {
    // What the user did not write is not shown.
    let path = root.strip_prefix(".").unwrap_or(root).join(HOST_FILE);
    let found = path.symlink_metadata();
    if found.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        let source = whole(&path);
        let none = HostFile {
            source,
            ..HostFile::default()
        };
        return (none, Problems::default());
    }
    match file::read(Some(root), &path) {
        Ok(text) => parse(&text, &path),
        Err(problem) => (HostFile::default(), problem.into()),
    }
}

/// Reads the text of an operator's file, as [`load_host_file`] does; `path` is where it stands.
pub fn parse(text: &str, path: &Path) -> (HostFile, Problems) {
    let report = Report::new(path);
    let nodes = yaml::parse(text, &report);
    let mut problems = report.into_problems();
    let mut file = HostFile {
        source: whole(path),
        text: text.into(),
        ..HostFile::default()
    };
    let mut hosts = 0;
    for node in nodes.iter().filter(|node| !node.is_null()) {
        let report = Report::new(path);
        let at = At::document(node, &report);
        let document = match kind(&at) {
            Some("Host") => {
                hosts += 1;
                if hosts > 1 {
                    at.error("there is a document of `kind: Host` already");
                }
                read_host(&at, path, &mut file);
                None
            }
            Some(_) => read_tenant(&at, path),
            None => None,
        };
        let found = report.into_problems();
        match document {
            Some(mut document) => {
                document.problems = found;
                file.documents.push(document);
            }
            None => problems.extend(found),
        }
    }
    refuse_doubles(&mut file.documents);
    (file, problems)
}

fn whole(path: &Path) -> Source {
    Problem::of_file(path, "").source()
}

/// The kind, if it is one of those that the file may have.
fn kind<'a>(at: &At<'a>) -> Option<&'a str> {
    let fields = Fields::of(at)?;
    let version = fields.require("apiVersion", &format!("write `{VERSION}`"))?;
    let text = version.text()?;
    if text != VERSION {
        version.error(&format!("expected `{VERSION}`, found `{}`", shown(text)));
        return None;
    }
    let kind = fields.require("kind", &format!("one of {KINDS}"))?;
    match kind.text()? {
        known @ ("Host" | "Tenant") => Some(known),
        other => {
            kind.error(&format!(
                "unknown kind `{}`; the kinds of this file are {KINDS}",
                shown(other)
            ));
            None
        }
    }
}

fn read_host(at: &At, path: &Path, file: &mut HostFile) -> Option<()> {
    let fields = at.fields(&["apiVersion", "kind", "spec"])?;
    let spec = fields.read("spec", |at| {
        at.fields(&["listen", "metrics", "tls", "tenantUsers", "tracing"])
    })?;
    let address = |name| {
        let at = spec.get(name)?;
        Some((at.filled()?.to_owned(), at.source()))
    };
    file.listen = address("listen");
    file.metrics = address("metrics");
    file.tracing = spec.read("tracing", tracing::read);
    file.tls = spec.read("tls", |at| tls::read_host(at, directory(path)));
    if let Some(users) = spec.read("tenantUsers", |at| at.parse()) {
        file.users = users;
    }
    Some(())
}

fn read_tenant(at: &At, path: &Path) -> Option<Document> {
    let fields = at.fields(&["apiVersion", "kind", "metadata", "spec"])?;
    let metadata = fields.read("metadata", |at| at.fields(&["name"]));
    let name = metadata.and_then(|fields| fields.get("name"));
    let tenant: Option<Name> = match &name {
        Some(at) if at.text()? == ALL => None,
        Some(at) => Some(at.parse()?),
        None => None,
    };
    let spec = fields.read("spec", |at| {
        at.fields(&[
            "isolation",
            "hosts",
            "path",
            "tls",
            "allow",
            "signingKeys",
            "quotas",
        ])
    });
    let allow = spec.as_ref().and_then(|spec| {
        spec.read("allow", |at| {
            at.fields(&["http", "tcp", "components", "paths", "environment"])
        })
    });
    let get = |name| spec.as_ref().and_then(|spec| spec.get(name));
    let allowed = |name| allow.as_ref().and_then(|allow| allow.get(name));
    let root = directory(path);
    Some(Document {
        isolation: get("isolation").and_then(|at| isolation::read(&at)),
        hosts: get("hosts").and_then(|at| read_hosts(&at, tenant.as_ref())),
        path: get("path").and_then(|at| at.boolean()),
        tls: get("tls").and_then(|at| tls::read_tenant(&at, root)),
        http: allowed("http").map(|at| list(&at, at.parse_items())),
        tcp: allowed("tcp").map(|at| list(&at, at.parse_items())),
        components: allowed("components").map(|at| list(&at, at.parse_items())),
        paths: allowed("paths").map(|at| list(&at, read_paths(&at, root))),
        environment: allowed("environment").map(|at| list(&at, at.strings())),
        signing_keys: spec.as_ref().and_then(signing::read),
        quotas: get("quotas")
            .map_or_else(Quotas::default, |at| quotas::read(&at).unwrap_or_default()),
        source: at.source(),
        problems: Problems::default(),
        tenant,
    })
}

fn list<T>(at: &At, entries: Vec<T>) -> Allowed<T> {
    Allowed {
        entries,
        source: at.source(),
    }
}

fn read_hosts(at: &At, tenant: Option<&Name>) -> Option<Allowed<Names>> {
    let names = list(at, at.parse_items::<Names>());
    if tenant.is_none() && names.entries.iter().any(|name| !name.is_of_each()) {
        at.error("a host name of all tenants has `{tenant}` in it, such as `{tenant}.example.com`");
    }
    Some(names)
}

/// The directory of a file, which the paths in it are relative to.
fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// Directories are relative to that of the file.
fn read_paths(at: &At, root: &Path) -> Vec<PathBuf> {
    let paths = at.strings();
    paths.iter().map(|path| join(root, path)).collect()
}

/// A tenant has one document, and a host name one tenant.
fn refuse_doubles(documents: &mut [Document]) {
    let (mut tenants, mut hosts) = (BTreeMap::new(), BTreeMap::new());
    for document in documents {
        let called = document
            .tenant
            .as_ref()
            .map_or(ALL, Name::as_str)
            .to_owned();
        if let Some(first) = tenants.insert(called.clone(), document.source.clone()) {
            let message = format!("the tenant `{called}` has its document already in {first}");
            let problem = document.source.problem("metadata.name", message);
            document.problems.0.push(problem);
        }
        let (Some(names), Some(tenant)) = (&document.hosts, &document.tenant) else {
            continue;
        };
        for name in names.of(tenant) {
            let claimed = (tenant.clone(), names.source.clone());
            let Some((other, first)) = hosts.insert(name.clone(), claimed) else {
                continue;
            };
            let message = format!("the host name `{name}` is that of tenant `{other}` in {first}");
            let problem = names.source.problem("spec.hosts", message);
            document.problems.0.push(problem);
        }
    }
}
