//! One app of the manifest: a guest, where it answers, and what it may use.

use std::collections::BTreeMap;
use std::path::{Component as Part, Path, PathBuf};
use std::sync::Arc;

use crate::file::leaves;
use crate::grants::{self, Grants};
use crate::health::{self, HealthCheck};
use crate::limits::{self, Limits, Reuse};
use crate::name::{Name, shown};
use crate::problem::Source;
use crate::reader::{At, Fields};
use crate::terms::SigningKeys;

pub(crate) const KEYS: [&str; 12] = [
    "appID",
    "appDirPath",
    "guest",
    "build",
    "watch",
    "ingress",
    "health",
    "grants",
    "limits",
    "reuse",
    "env",
    "resourcesPaths",
];

/// Dapr's keys of a process that it starts itself.
const NATIVE: [&str; 6] = [
    "appChannelAddress",
    "appPort",
    "command",
    "containerImage",
    "containerImagePullPolicy",
    "createService",
];

/// Dapr's keys of the process beside an app.
pub(crate) const SIDECAR: [&str; 20] = [
    "apiListenAddresses",
    "appLogDestination",
    "appMaxConcurrency",
    "appProtocol",
    "appSSL",
    "daprGRPCPort",
    "daprHTTPPort",
    "daprInternalGRPCPort",
    "daprdLogDestination",
    "enableApiLogging",
    "enableProfiling",
    "logLevel",
    "maxBodySize",
    "metricsPort",
    "placementHostAddress",
    "profilePort",
    "readBufferSize",
    "runtimePath",
    "schedulerHostAddress",
    "unixDomainSocket",
];

/// The words about Dapr's keys for the process beside an app.
pub(crate) const NO_SIDECAR: &str = "no effect: a guest has no sidecar";

/// The key of a file that may deny secrets.
pub(crate) const CONFIGURATION: &str = "configFilePath";

/// One app.
#[derive(Clone, Debug)]
pub struct App {
    /// The id that other apps call it by.
    pub id: Name,
    /// The directory of the manifest, which no link below it may lead out of.
    pub project: PathBuf,
    /// Its directory; relative to the working directory if the manifest's own path is.
    pub directory: PathBuf,
    /// The component file, below `directory` unless it is absolute.
    pub guest: PathBuf,
    /// A shell command to run in `directory` that makes the component file.
    pub build: Option<String>,
    /// The paths to watch for changes; default `directory`.
    pub watch: Vec<PathBuf>,
    /// The prefix of the paths that it answers over HTTP, without a slash at its end unless it is `/`.
    pub ingress: Option<String>,
    /// Its health check; absent where it is taken to be well.
    pub health: Option<HealthCheck>,
    /// The things that it may use.
    pub grants: Grants,
    /// The amounts that it may use.
    pub limits: Limits,
    /// The places of the limits that are written, by key.
    pub written_limits: BTreeMap<String, Source>,
    /// The life of an instance of it.
    pub reuse: Reuse,
    /// The environment it sees, those of `common` included.
    pub env: BTreeMap<String, String>,
    /// The keys of which one must have signed its component file, where the operator of a host with many tenants says so.
    pub signing_keys: Option<Arc<SigningKeys>>,
    /// The place where it was written.
    pub source: Source,
}

/// An app with the keys it was read from, for later checks.
pub(crate) struct Read<'a> {
    pub(crate) app: App,
    pub(crate) fields: Fields<'a>,
}

/// Tells of keys that have no effect. A `Configuration` that is not read is an error: it may deny what would be allowed
/// without it.
pub(crate) fn check_sidecar(fields: &Fields) {
    fields.warn_of(&SIDECAR, NO_SIDECAR);
    for (_, at) in fields.each_of(&[CONFIGURATION]) {
        let help = "move the file to a directory of `resourcesPaths`, such as `resources/`";
        let message = "not read: a `Configuration` counts only among the resources";
        at.error_with_help(message, Some(help.to_owned()));
    }
}

/// The part of `common` that is for all apps.
#[derive(Default)]
pub(crate) struct Common {
    env: BTreeMap<String, String>,
    health: health::Written,
}

impl Common {
    pub(crate) fn read(fields: &Fields) -> Self {
        Common {
            env: read_env(fields),
            health: health::read_daprs(fields),
        }
    }
}

/// Reads one item of `apps`; `root` is the manifest's directory.
pub(crate) fn read<'a>(at: &At<'a>, root: &Path, common: &Common) -> Option<Read<'a>> {
    let known: Vec<&str> = NATIVE
        .iter()
        .chain(&SIDECAR)
        .chain(&health::DAPRS)
        .copied()
        .chain(["resourcesPath", CONFIGURATION])
        .collect();
    let fields = at.fields_of(&KEYS, &known)?;
    check_sidecar(&fields);
    let below = fields
        .string("appDirPath")
        .unwrap_or_else(|| ".".to_owned());
    let directory = join(root, &below);
    let (id, guest) = (read_id(&fields, &directory), read_guest(&fields, &below));
    let watch = fields
        .get("watch")
        .map_or_else(|| vec![".".to_owned()], |at| at.strings());
    let app = App {
        build: fields.string("build"),
        watch: watch.iter().map(|path| join(&directory, path)).collect(),
        ingress: fields.read("ingress", read_ingress),
        health: health::read(&fields, &common.health),
        grants: read_grants(&fields),
        limits: fields
            .read("limits", limits::read_limits)
            .unwrap_or_default(),
        written_limits: fields.read("limits", positions).unwrap_or_default(),
        reuse: fields.read("reuse", limits::read_reuse).unwrap_or_default(),
        env: common
            .env
            .clone()
            .into_iter()
            .chain(read_env(&fields))
            .collect(),
        signing_keys: None,
        source: at.source(),
        id: id?,
        guest: join(&directory, guest?),
        project: root.to_path_buf(),
        directory,
    };
    Some(Read { app, fields })
}

/// The place of each key.
fn positions(at: &At) -> Option<BTreeMap<String, Source>> {
    let entries = Fields::quiet(at)?.at.entries()?.into_iter();
    Some(
        entries
            .map(|(entry, at)| (entry.key.clone(), at.source()))
            .collect(),
    )
}

/// Reads `env`, of an app or of `common`.
fn read_env(fields: &Fields) -> BTreeMap<String, String> {
    let Some(at) = fields.get("env") else {
        return BTreeMap::new();
    };
    let (good, bad): (Vec<_>, Vec<_>) = at
        .texts()
        .into_iter()
        .partition(|(name, _)| !name.is_empty() && !name.contains(['=', '\0']));
    for (name, _) in bad {
        at.error(&format!(
            "`{}` is not the name of a variable: it may not be empty or hold `=`",
            shown(&name)
        ));
    }
    good.into_iter().collect()
}

/// A path below a directory, without any `./`; the result is never empty.
pub(crate) fn join(directory: &Path, path: impl AsRef<Path>) -> PathBuf {
    let joined = directory.join(path);
    let clean: PathBuf = joined
        .components()
        .filter(|part| *part != Part::CurDir)
        .collect();
    if clean.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        clean
    }
}

/// Reads the grants: even an app without grants knows where it was written, for the message that refuses it something.
fn read_grants(fields: &Fields) -> Grants {
    let source = fields.at.source();
    let read = fields
        .get("grants")
        .and_then(|at| grants::read(&at, source.clone()));
    read.unwrap_or_else(|| Grants {
        source,
        ..Grants::default()
    })
}

fn read_id(fields: &Fields, directory: &Path) -> Option<Name> {
    if let Some(at) = fields.get("appID") {
        return at.parse();
    }
    let id = directory_name(directory);
    if id.is_none() {
        fields.missing(
            "appID",
            "the name of the app's directory cannot be used as its id",
        );
    }
    id
}

/// The name of a directory as an id.
pub(crate) fn directory_name(directory: &Path) -> Option<Name> {
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    let absolute = directory
        .canonicalize()
        .or_else(|_| std::path::absolute(directory))
        .ok()?;
    Name::sanitised(&absolute.file_name()?.to_string_lossy())
}

fn read_guest<'a>(fields: &Fields<'a>, below: &str) -> Option<&'a str> {
    let native = fields.each_of(&NATIVE);
    let Some(at) = fields.get("guest") else {
        match native.first() {
            Some((position, native)) => fields.at.report.error(
                *position,
                native.key.clone(),
                "this version does not run native apps",
                Some("give `guest:`, the path of a component file".to_owned()),
            ),
            None => fields.missing("guest", "the path of the app's component file"),
        }
        return None;
    };
    fields.warn_of(&NATIVE, "no effect: the app is a guest");
    let guest = at.filled()?;
    if leaves(&Path::new(below).join(guest)) {
        at.error(&format!(
            "`{}` leaves the directory of the manifest",
            shown(guest)
        ));
        return None;
    }
    Some(guest)
}

fn read_ingress(at: &At) -> Option<String> {
    let text = at.text()?;
    let wrong = if !text.starts_with('/') {
        "it begins with `/`"
    } else if text.contains(['?', '#']) {
        "it has no query"
    } else if text.split('/').any(|part| part == ".." || part == ".") {
        "it has no `.` or `..`"
    } else if text.contains("//") {
        "it has no `//`"
    } else if !text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'%' && byte != b'\\')
    {
        "it holds only letters, digits and signs, nothing encoded"
    } else {
        let trimmed = text.trim_end_matches('/');
        return Some(if trimmed.is_empty() {
            "/".to_owned()
        } else {
            trimmed.to_owned()
        });
    };
    at.error(&format!("`{}` is not a path prefix: {wrong}", shown(text)));
    None
}
