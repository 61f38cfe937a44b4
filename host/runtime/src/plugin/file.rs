//! The file of a plugin: read once, checked by what was read, and compiled.

use super::{checks, settings::Settings};
use crate::{
    compile::Compiled,
    component_file::{Allowed, ComponentFile},
    engine::Runtime,
};
use std::sync::Arc;
use wythe_blocks::{Result, Site};

/// Compiles the file, if it is a plugin of this interface, and no more than its site allows.
pub async fn compile(
    runtime: &Runtime,
    site: &Site,
    settings: &Settings,
    interface: &str,
) -> Result<Arc<Compiled>> {
    let shown = settings.path.display().to_string();
    let place = site.place_of(&settings.path)?;
    let keys = site.terms.as_ref();
    let keys = keys.and_then(|terms| terms.signing_keys.clone());
    let allowed = Allowed::to_site(site);
    let file = ComponentFile::new(place, keys, allowed.clone());
    let bytes = file.read().await?;
    settings.check_digest(&shown, &bytes)?;
    let inspection = runtime.inspect_bytes(&shown, &bytes, &allowed).await?;
    checks::check_versions(&inspection, site)?;
    checks::check_offer(&shown, interface, &inspection)?;
    checks::check_imports(&inspection, settings, site)?;
    // What is refused is not compiled.
    let compiled = runtime.compile_within(&shown, bytes, &inspection, &allowed);
    compiled.await
}
