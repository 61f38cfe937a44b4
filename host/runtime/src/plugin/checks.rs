//! What is found wrong with a plugin's file before any of it runs.

use super::settings::Settings;
use crate::{
    engine::{Compiled, Runtime},
    grants, inspect,
    version::read_component,
};
use std::sync::Arc;
use wythe_blocks::{Error, Result, Site};
use wythe_manifest::Grants;

/// The file, compiled, once its digest is found good.
pub(super) async fn compile(
    runtime: &Arc<Runtime>,
    settings: &Settings,
    site: &Site,
    shown: &str,
) -> Result<Arc<Compiled>> {
    let bytes = read_component(Some(&site.root), &settings.path).await?;
    settings.check_digest(shown, &bytes)?;
    runtime.compile(shown, bytes).await
}

/// That it imports nothing which it was not granted.
pub(super) fn check_imports(compiled: &Compiled, settings: &Settings, site: &Site) -> Result<()> {
    told(grants::refused(
        &site.component,
        &imports(compiled),
        &settings.grants,
    ))
}

/// That it imports and exports no version from before a release, which the linker would tell without a name.
pub(super) fn check_versions(compiled: &Compiled, site: &Site) -> Result<()> {
    let mut imports = imports(compiled);
    imports.retain(|import| inspect::is_candidate(&import.name));
    let mut refused = grants::refused(&site.component, &imports, &Grants::default());
    let exports = inspect::inspect(compiled.component.engine(), &compiled.component).exports;
    refused.extend(grants::refused_exports(&site.component, &exports));
    told(refused)
}

fn imports(compiled: &Compiled) -> Vec<inspect::Import> {
    inspect::imports(compiled.component.engine(), &compiled.component)
}

fn told(refused: Vec<Error>) -> Result<()> {
    let all: Vec<_> = refused.iter().map(Error::message).collect();
    match all.is_empty() {
        true => Ok(()),
        false => Err(Error::denied(all.join("; "))),
    }
}
