//! The part of a plugin's metadata that the host reads; the rest is the plugin's own.

use crate::{ctx::Identity, engine::Runtime};
use std::{fmt::Display, path::PathBuf, str::FromStr, sync::Arc, time::Duration};
use wythe_blocks::{Error, Meters, Result, Site, Tenant, text::hex};
use wythe_manifest::{
    ByteSize, Component, ComponentName, Grants, HostPattern, Limits, Metered, ServerPattern, Terms,
    Value,
};

/// The timeout of one call, unless the component says otherwise by `callTimeout`.
const CALL: Duration = Duration::from_secs(5);

pub struct Settings {
    pub path: PathBuf,
    sha256: Option<String>,
    pub instances: usize,
    pub call: Duration,
    limits: Limits,
    pub grants: Grants,
}

/// The settings of one kind of plugin that a component leaves out, and how far they go.
struct Defaults {
    instances: usize,
    max_instances: usize,
    call: Duration,
}

const OF_DRIVER: Defaults = Defaults {
    instances: 1,
    max_instances: 64,
    call: CALL,
};

/// A handler has an instance for each request, and waits for what is behind it, which has 30 s by default.
const OF_HANDLER: Defaults = Defaults {
    instances: 64,
    max_instances: 1_000,
    call: Duration::from_secs(60),
};

impl Settings {
    /// Takes the host's keys out, so that the plugin gets only its own.
    pub fn take(component: &mut Component) -> Result<Self> {
        let path = text(component, "path").ok_or_else(|| {
            Error::invalid("no `path` in its metadata; expected the plugin's component file, relative to this file")
        })?;
        Self::take_of(component, &path, &OF_DRIVER)
    }

    /// Does what [`Settings::take`] does, for a handler of requests. Its file may be named by Dapr's key, too.
    pub fn take_of_handler(component: &mut Component) -> Result<Self> {
        let path = match (text(component, "path"), text(component, "url")) {
            (Some(path), None) => path,
            (None, Some(url)) => file_of(&url)
                .map_err(|why| wrong(component, "url", Error::invalid(format!("`url`: {why}"))))?,
            (Some(_), Some(_)) => {
                return Err(Error::invalid("`path` and `url`; expected one of them"));
            }
            (None, None) => {
                return Err(Error::invalid(
                    "no `path` in its metadata; expected the handler's component file, relative to this file",
                ));
            }
        };
        let mut settings = Self::take_of(component, &path, &OF_HANDLER)?;
        settings.limits.wall_time = settings.call;
        if let Some(time) = parsed::<wythe_manifest::Duration>(component, "responseTime")? {
            settings.limits.response_time = time.0;
        }
        // The import by which it asks the next handler is there without a host outside.
        settings.grants.http.get_or_insert_default();
        Ok(settings)
    }

    fn take_of(component: &mut Component, path: &str, defaults: &Defaults) -> Result<Self> {
        let source = component.source.clone();
        let directory = source.file.parent().map(PathBuf::from).unwrap_or_default();
        let instances = parsed::<usize>(component, "instances")?.unwrap_or(defaults.instances);
        let limit = defaults.max_instances;
        if !(1..=limit).contains(&instances) {
            return Err(Error::invalid(format!(
                "`instances: {instances}`; expected 1 to {limit}"
            )));
        }
        let call = parsed::<wythe_manifest::Duration>(component, "callTimeout")?;
        let (http, tcp) = hosts(component)?;
        let grants = Grants {
            http,
            tcp,
            source,
            ..Grants::default()
        };
        Ok(Settings {
            path: directory.join(path),
            sha256: text(component, "sha256"),
            call: call.map_or(defaults.call, |time| time.0),
            limits: limits(component)?,
            instances,
            grants,
        })
    }

    /// Checks the hosts against those that the operator allows the tenant.
    pub fn check_hosts(&self, tenant: &Tenant) -> Result<()> {
        let settings = tenant.settings();
        let Some(terms) = &settings.terms else {
            return Ok(());
        };
        let is_allowed =
            |host: &&HostPattern| terms.http.entries.iter().any(|one| one.covers(host));
        match self
            .grants
            .http
            .iter()
            .flatten()
            .find(|host| !is_allowed(host))
        {
            None => self.check_servers(terms),
            Some(host) => Err(Error::denied(format!(
                "`allowedHosts`: the operator does not allow requests to `{host}`: {}",
                terms.http.source
            ))),
        }
    }

    /// Checks the servers that it may connect to. What goes over a connection is not counted, so that quotas of it which
    /// the operator wrote would not hold.
    fn check_servers(&self, terms: &Terms) -> Result<()> {
        let is_allowed =
            |server: &&ServerPattern| terms.tcp.entries.iter().any(|one| one.covers(server));
        if let Some(server) = self.grants.tcp.iter().find(|server| !is_allowed(server)) {
            return Err(Error::denied(format!(
                "`allowedHosts`: the operator does not allow connections to `{server}`, which he does by `allow.tcp`: {}",
                terms.tcp.source
            )));
        }
        let written = [Metered::EgressBytes, Metered::OutgoingHosts]
            .into_iter()
            .find_map(|quota| Some((quota, terms.quotas.written(quota)?)));
        match (self.grants.tcp.first(), written) {
            (Some(server), Some((quota, source))) => Err(Error::denied(format!(
                "`allowedHosts`: what goes to `{server}` does not count in the operator's `quotas.{}`: {source}; leave out one of the two",
                quota.key()
            ))),
            _ => Ok(()),
        }
    }

    /// Checks the file against `sha256`, where the component names one.
    pub fn check_digest(&self, shown: &str, bytes: &[u8]) -> Result<()> {
        use sha2::Digest;
        let Some(expected) = &self.sha256 else {
            return Ok(());
        };
        let found = hex(sha2::Sha256::digest(bytes));
        if found.eq_ignore_ascii_case(expected.trim_start_matches("sha256:")) {
            return Ok(());
        }
        Err(Error::denied(format!(
            "`{shown}` has the sha256 {found}; expected {expected}"
        )))
    }

    /// The identity of the plugin, whose environment has these variables.
    pub fn identity(
        &self,
        runtime: &Runtime,
        tenant: &Arc<Tenant>,
        site: &Site,
        env: Vec<(String, String)>,
    ) -> Identity {
        // A component's name may have dots, `_` and upper case, which an app's id has not.
        let name: Result<ComponentName, _> = site.component.parse();
        let id = name.ok().and_then(|name| name.as_id());
        let id = id.unwrap_or_else(|| site.tenant.clone());
        let meters = Meters::of_plugin(tenant.name().clone(), &site.component);
        tenant.metrics.show(&meters);
        let grants = Arc::new(self.grants.clone());
        Identity::new(runtime, tenant, id, grants, &self.limits, env, &meters)
    }
}

fn limits(component: &mut Component) -> Result<Limits> {
    let mut limits = Limits::default();
    if let Some(size) = parsed::<ByteSize>(component, "memory")? {
        limits.memory = size.0;
    }
    if let Some(time) = parsed::<wythe_manifest::Duration>(component, "cpuTime")? {
        limits.cpu_time = time.0;
    }
    Ok(limits)
}

/// The hosts of HTTP, and the servers of TCP.
type Hosts = (Option<Vec<HostPattern>>, Arc<[ServerPattern]>);

/// The path of a URL of Dapr's, which is relative as a `path` is.
fn file_of(url: &str) -> Result<String, &'static str> {
    match url.split_once("://") {
        Some((scheme, path)) if scheme.eq_ignore_ascii_case("file") => Ok(path.to_owned()),
        Some(_) => Err(
            "the host downloads no code; put the file beside the project, and write `path`, and `sha256` for this very one",
        ),
        None => Ok(url.to_owned()),
    }
}

/// A list with commas, of which `tcp://HOST:PORT` is a server. An empty one lets the import of HTTP link and allows no host.
fn hosts(component: &mut Component) -> Result<Hosts> {
    let Some(value) = component.metadata.take("allowedHosts") else {
        return Ok((None, Arc::default()));
    };
    let names = value
        .reveal()
        .split(',')
        .map(str::trim)
        .filter(|host| !host.is_empty());
    let (servers, hosts): (Vec<_>, Vec<_>) =
        names.partition(|name| name.starts_with(ServerPattern::SCHEME));
    let misread = |error: String| {
        let error = match &value {
            Value::Plain(_) => Error::invalid(format!("`allowedHosts`: {error}")),
            Value::Secret(_) => secret("allowedHosts"),
        };
        wrong(component, "allowedHosts", error)
    };
    let single = |text: &str| match text.parse::<ServerPattern>()? {
        server if server.is_single() => Ok(server),
        server => Err(format!(
            "`{server}` is a pattern; expected each server by its name or address"
        )),
    };
    let servers: Result<_, String> = servers.into_iter().map(single).collect();
    let servers: Vec<_> = servers.map_err(misread)?;
    let hosts: Result<Vec<_>, String> = hosts.into_iter().map(str::parse).collect();
    let http = hosts.map_err(misread)?;
    // Servers alone open no way for HTTP.
    let is_http = !http.is_empty() || servers.is_empty();
    Ok((is_http.then_some(http), servers.into()))
}

/// The error of a file with the component's name, at the setting that names it.
pub fn at_file(component: &Component, setting: &str, error: Error) -> Error {
    let path = component.position_of(setting);
    let named = |text| format!("component `{}`: {text}", component.name);
    let position = match path.line > 0 {
        true => &path,
        false => &component.source,
    };
    error.map_message(named).at(position)
}

/// The error with the component's name, at the setting.
fn wrong(component: &Component, setting: &str, error: Error) -> Error {
    let named = |text| format!("component `{}`: {text}", component.name);
    error.map_message(named).at(&component.position_of(setting))
}

fn text(component: &mut Component, name: &str) -> Option<String> {
    let value = component.metadata.take(name);
    value.map(|value| value.reveal().to_owned())
}

fn parsed<T: FromStr<Err: Display>>(component: &mut Component, name: &str) -> Result<Option<T>> {
    let parse = |value: Value| {
        value.reveal().parse().map_err(|error| match &value {
            Value::Plain(text) => Error::invalid(format!("`{name}: {text}`: {error}")),
            Value::Secret(_) => secret(name),
        })
    };
    let parsed = component.metadata.take(name).map(parse).transpose();
    parsed.map_err(|error| wrong(component, name, error))
}

/// The error of a setting from a secret store or the environment, which is not quoted.
fn secret(name: &str) -> Error {
    Error::invalid(format!(
        "`{name}`: the secret is not of the form that is expected"
    ))
}
