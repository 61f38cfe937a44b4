//! The comparison of what a tenant asks for with what its operator allows: a refusal names the lines of both.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Quota, Terms, TypePattern, quotas};
use crate::app::App;
use crate::component::Component;
use crate::manifest::Manifest;
use crate::name::Name;
use crate::problem::{Problem, Problems, Source};
use crate::resources::Resources;

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

    /// The place of what is said of paths, where the tenant may not name this one: it leads neither below its own
    /// directory nor below one that the operator allows, by itself or by a link.
    pub fn refuses_path(&self, own: &Path, path: &Path) -> Option<&Source> {
        let is_allowed = nearest(path).is_some_and(|known| self.allows_path(own, &known));
        (!is_allowed).then_some(&self.paths.source)
    }

    fn allows_path(&self, own: &Path, path: &Path) -> bool {
        let below =
            |directory: &Path| nearest(directory).is_some_and(|known| path.starts_with(known));
        below(own) || self.paths.entries.iter().any(|allowed| below(allowed))
    }

    /// Cuts a tenant's project to the terms. What the tenant wrote and may not have is a problem, and its directories of
    /// resources outside are left out; a default is cut.
    pub fn apply(&self, manifest: &mut Manifest) -> Problems {
        let mut problems = Problems::default();
        self.check_tenant(manifest, &mut problems);
        let apps = manifest.apps.iter().map(|app| &app.source);
        problems
            .0
            .extend(over("apps", self.quotas.apps.as_ref(), apps));
        let (own, source) = (
            &manifest.directory,
            Problem::of_file(&manifest.file, "").source(),
        );
        manifest.resources_paths.retain(|path| {
            let what = || format!("the directory of resources `{}`", path.display());
            let outside = self.outside(own, path, &source, what);
            let is_inside = outside.is_none();
            problems.0.extend(outside);
            is_inside
        });
        for app in &mut manifest.apps {
            self.apply_to(app, &mut problems);
        }
        problems
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
        Problems(over("components", quota, components).into_iter().collect())
    }

    /// Returns whether these terms say what others say, wherever it stands.
    pub fn is_same(&self, other: &Terms) -> bool {
        let said = |terms: &Terms| {
            let types = terms.components.as_ref().map(|types| &types.entries);
            let reached = (&terms.hosts, terms.by_path);
            format!(
                "{reached:?} {:?} {types:?} {:?} {:?} {}",
                terms.http.entries,
                terms.paths.entries,
                terms.environment.entries,
                terms.quotas.said()
            )
        };
        said(self) == said(other)
    }

    /// Returns whether what is open by these terms may stay open by others: it names no path that is not allowed any more,
    /// and reads the same variables.
    pub fn leaves_open(&self, other: &Terms) -> bool {
        let (old, new) = (&self.paths.entries, &other.paths.entries);
        old.iter().all(|path| new.contains(path))
            && self.environment.entries == other.environment.entries
    }

    fn check_tenant(&self, manifest: &mut Manifest, problems: &mut Problems) {
        if manifest.tenant.as_str() != "default" && manifest.tenant != self.tenant {
            let message = format!(
                "`{}` is not the name of the tenant's directory; expected `{}`, or nothing",
                manifest.tenant, self.tenant
            );
            let mut problem = Problem::of_file(&manifest.file, message);
            problem.key = "tenant".to_owned();
            problems.0.push(problem);
        }
        manifest.tenant = self.tenant.clone();
    }

    fn apply_to(&self, app: &mut App, problems: &mut Problems) {
        let guest = || format!("the component file `{}`", app.guest.display());
        let found = self.outside(&app.project, &app.guest, &app.source, guest);
        problems.0.extend(found);
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
        for (key, Quota { max, source }) in &self.quotas.app {
            let position = app.written_limits.get(*key);
            if let Err((asked, max)) = quotas::cut(&mut app.limits, key, max, position.is_some()) {
                let message = format!("{asked} is over the operator's quota of {max}: {source}");
                let position = position.unwrap_or(&app.source);
                problems
                    .0
                    .push(position.problem(format!("limits.{key}"), message));
            }
        }
    }

    /// The problem of a path that leads out of the tenant's directory, by itself or by a link.
    fn outside(
        &self,
        own: &Path,
        path: &Path,
        source: &Source,
        what: impl Fn() -> String,
    ) -> Option<Problem> {
        let position = self.refuses_path(own, path)?;
        let message = format!(
            "{} is outside of the tenant's directory, which the operator does not allow: {}",
            what(),
            position
        );
        Some(source.problem("", message))
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

fn over<'a>(
    what: &str,
    quota: Option<&Quota<u32>>,
    mut positions: impl Iterator<Item = &'a Source> + Clone,
) -> Option<Problem> {
    let Quota { max, source } = quota?;
    let count = positions.clone().count();
    let first = positions.nth(usize::try_from(*max).ok()?)?;
    let message = format!("{count} {what} are over the operator's quota of {max}: {source}");
    Some(first.problem(what, message))
}
