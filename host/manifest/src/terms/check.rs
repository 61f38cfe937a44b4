//! The comparison of what a tenant asks for with what its operator allows: a refusal names the lines of both.

use std::fs;
use std::iter;
use std::path::{Path, PathBuf};

use super::{Quota, Terms, TypePattern, quotas};
use crate::anchored_path::AnchoredPath;
use crate::app::App;
use crate::component::Component;
use crate::manifest::Manifest;
use crate::name::Name;
use crate::problem::{Problem, Problems, Source};
use crate::resources::{self, Resources};
use crate::same;

impl Terms {
    /// Says whether a component of this type may be there, given whether the type reaches for what is outside of the host.
    pub fn allows_type(&self, block: &str, driver: &str, reaches_out: bool) -> bool {
        match &self.components {
            Some(allowed) => {
                let mut patterns = allowed.entries.iter();
                patterns.any(|pattern: &TypePattern| pattern.matches(block, driver))
            }
            None => !reaches_out,
        }
    }

    /// The place of what is said of types.
    pub fn place_of_types(&self) -> &Source {
        let written = self.components.as_ref();
        written.map_or(&self.source, |allowed| &allowed.source)
    }

    /// Says whether the tenant may read a variable of the host's environment.
    pub fn allows_variable(&self, name: &str) -> bool {
        let mut names = self.environment.entries.iter();
        names.any(|allowed| allowed == name)
    }

    /// The place of a path that a tenant wrote, below its own directory or below one that the operator allows: no link leads
    /// out of it, now or later. An error is the place of what is said of paths, where the tenant may not name this one.
    pub fn place(&self, own: &Path, path: &Path) -> Result<AnchoredPath, &Source> {
        let mut roots = iter::once(own).chain(self.paths.entries.iter().map(PathBuf::as_path));
        let place = roots.find_map(|root| AnchoredPath::beneath(root, path));
        let is_allowed = |place: &AnchoredPath| {
            nearest(place.path()).is_some_and(|known| self.allows_path(own, &known))
        };
        place.filter(is_allowed).ok_or(&self.paths.source)
    }

    /// The words for a path that the tenant may not name, given the place of what is said of paths.
    pub fn outside(path: &Path, source: &Source) -> String {
        format!(
            "`{}` is outside of the tenant's directory, which the operator does not allow: {source}",
            path.display()
        )
    }

    fn allows_path(&self, own: &Path, path: &Path) -> bool {
        let below =
            |directory: &Path| nearest(directory).is_some_and(|known| path.starts_with(known));
        below(own) || self.paths.entries.iter().any(|allowed| below(allowed))
    }

    /// Cuts a tenant's project to the terms. What the tenant wrote and may not have is a problem; a default is cut. Its
    /// directories of resources are looked at when they are read.
    pub fn apply(&self, manifest: &mut Manifest) -> Problems {
        let mut problems = Problems::default();
        self.check_tenant(manifest, &mut problems);
        let apps = manifest.apps.iter().map(|app| &app.source);
        problems
            .0
            .extend(self.over("apps", self.quotas.apps.as_ref(), apps));
        for app in &mut manifest.apps {
            self.apply_to(app, &mut problems);
        }
        problems
    }

    /// Reads the directories of resources of a tenant's project, from where no link leads out.
    pub fn load_resources(&self, manifest: &Manifest) -> (Resources, Problems) {
        let paths = manifest.resources_paths.iter();
        let places = paths
            .zip(&manifest.resources_sources)
            .map(|(path, source)| {
                self.inside(
                    &manifest.directory,
                    path,
                    source,
                    "the directory of resources",
                )
            });
        resources::load(places)
    }

    /// Counts the components that a tenant wrote.
    pub fn check_resources(&self, resources: &Resources) -> Problems {
        let is_own = |component: &&Component| {
            let namespace: Option<&Name> = component.namespace.as_ref();
            namespace.is_none_or(|tenant| *tenant == self.tenant)
        };
        let components = resources.components.iter().filter(is_own);
        let components = components.map(|component| &component.source);
        let quota = self.quotas.components.as_ref();
        let over = self.over("components", quota, components);
        let mut problems: Vec<Problem> = over.into_iter().collect();
        problems.extend(self.tracing(resources));
        Problems(problems)
    }

    /// The problems of tenants that say where the host sends what it records.
    fn tracing(&self, resources: &Resources) -> Vec<Problem> {
        let own = resources.configurations.iter();
        let own = own.filter(|one| self.tenant.has(one.namespace.as_ref()));
        let tracing = own.filter_map(|one| one.tracing.as_ref());
        let refused = tracing.map(|tracing| {
            let source = &self.source;
            tracing.problem(format!(
                "a tenant may not say where this host sends traces, its operator does, in `tracing` of `kind: Host`; \
                 leave it out here: {source}"
            ))
        });
        refused.collect()
    }

    /// Returns whether what is open by these terms may stay open by others: it names no path that is not allowed any more,
    /// and reads the same variables.
    pub fn leaves_open(&self, other: &Terms) -> bool {
        let (old, new) = (&self.paths.entries, &other.paths.entries);
        old.iter().all(|path| new.contains(path))
            && self.environment.entries == other.environment.entries
    }

    /// Returns whether the same keys must have signed what a tenant runs.
    pub fn has_same_keys(&self, other: &Terms) -> bool {
        same::keys(&self.signing_keys) == same::keys(&other.signing_keys)
    }

    fn over<'a>(
        &self,
        what: &str,
        quota: Option<&Quota<u32>>,
        mut positions: impl Iterator<Item = &'a Source> + Clone,
    ) -> Option<Problem> {
        let (count, max) = (positions.clone().count(), quotas::count(quota));
        let first = positions.nth(usize::try_from(max).ok()?)?;
        let message = match quota {
            Some(Quota { source, .. }) => {
                format!("{count} {what} are over the operator's quota of {max}: {source}")
            }
            None => format!(
                "{count} {what} are over the default quota of {max}; the operator may write `quotas.{what}`: {}",
                self.source
            ),
        };
        Some(first.problem(what, message))
    }

    fn check_tenant(&self, manifest: &mut Manifest, problems: &mut Problems) {
        if manifest.tenant.as_str() != "default" && manifest.tenant != self.tenant {
            let message = format!(
                "`{}` is not the name of the tenant's directory; expected `{}`, or nothing",
                manifest.tenant, self.tenant
            );
            let place = &manifest.tenant_source;
            problems.0.push(place.problem("tenant", message));
        }
        manifest.tenant = self.tenant.clone();
    }

    fn apply_to(&self, app: &mut App, problems: &mut Problems) {
        self.apply_to_paths(app, problems);
        app.signing_keys = self.signing_keys.clone();
        let hosts = app.grants.http.iter().flatten();
        for (host, position) in hosts.zip(&app.grants.http_places) {
            if !self.http.entries.iter().any(|allowed| allowed.covers(host)) {
                let message = format!(
                    "the operator does not allow requests to `{host}`: {}",
                    self.http.source
                );
                problems.0.push(position.problem("grants.http", message));
            }
        }
        for (limit, Quota { max, source }) in &self.quotas.app {
            let position = app.written_limits.get(limit.key);
            if let Err((asked, max)) = quotas::cut(&mut app.limits, limit, max, position.is_some())
            {
                let message = format!("{asked} is over the operator's quota of {max}: {source}");
                let position = position.unwrap_or(&app.source);
                let key = format!("limits.{}", limit.key);
                problems.0.push(position.problem(key, message));
            }
        }
    }

    /// Makes the component file one that is below the directory that it is opened below.
    fn apply_to_paths(&self, app: &mut App, problems: &mut Problems) {
        for path in &app.watch {
            let place = self.inside(&app.project, path, &app.source, "the watched path");
            problems.0.extend(place.err());
        }
        match self.inside(&app.project, &app.guest, &app.source, "the component file") {
            Ok(place) => {
                if let Some((root, _)) = place.anchored() {
                    app.project = root.to_path_buf();
                }
                app.guest = place.path().to_path_buf();
            }
            Err(problem) => problems.0.push(problem),
        }
    }

    /// The place of a path, or the problem that it leads out of what the tenant may name, by itself or by a link.
    fn inside(
        &self,
        own: &Path,
        path: &Path,
        source: &Source,
        what: &str,
    ) -> Result<AnchoredPath, Problem> {
        self.place(own, path).map_err(|position| {
            let outside = Terms::outside(path, position);
            source.problem("", format!("{what} {outside}"))
        })
    }
}

/// The path without links, of which as much is looked at as is there.
fn nearest(path: &Path) -> Option<PathBuf> {
    let mut rest = Vec::new();
    for ancestor in path.ancestors() {
        let there = match ancestor.as_os_str().is_empty() {
            true => Path::new("."),
            false => ancestor,
        };
        if let Ok(mut known) = fs::canonicalize(there) {
            known.extend(rest.iter().rev());
            return Some(known);
        }
        // `..` after what is not there could be anything.
        rest.push(ancestor.file_name()?);
    }
    None
}
