//! The file of a plugin: read once, checked by what was read, and compiled.

use super::{checks, settings::Settings};
use crate::{
    compile::Compiled,
    component_file::{Allowed, ComponentFile},
    engine::Runtime,
    inspect::Inspection,
};
use bytes::Bytes;
use std::sync::Arc;
use wythe_blocks::{Result, Site};

/// A file that was read and looked into, and of which nothing is compiled.
pub struct Opened {
    pub shown: String,
    pub inspection: Inspection,
    bytes: Bytes,
    allowed: Allowed,
}

impl Opened {
    /// Reads a file, if it is the one that its component names; `check` is asked before anything of it is parsed.
    pub async fn read(
        runtime: &Runtime,
        site: &Site,
        settings: &Settings,
        check: fn(&str, &[u8]) -> Result<()>,
    ) -> Result<Self> {
        let shown = settings.path.display().to_string();
        let place = site.place_of(&settings.path)?;
        let keys = site.terms.as_ref();
        let keys = keys.and_then(|terms| terms.signing_keys.clone());
        let allowed = Allowed::to_site(site);
        let file = ComponentFile::new(place, keys, allowed.clone());
        let bytes = file.read().await?;
        settings.check_digest(&shown, &bytes)?;
        check(&shown, &bytes)?;
        let inspection = runtime.inspect_bytes(&shown, &bytes, &allowed).await?;
        checks::check_versions(&inspection, site)?;
        Ok(Opened {
            shown,
            inspection,
            bytes,
            allowed,
        })
    }

    /// Compiles it: what was refused never comes to this.
    pub async fn compile(self, runtime: &Runtime) -> Result<Arc<Compiled>> {
        let (inspection, allowed) = (&self.inspection, &self.allowed);
        let compiled = runtime.compile_within(&self.shown, self.bytes, inspection, allowed);
        compiled.await
    }
}

/// Compiles the file, if it is a plugin of this interface, and no more than its site allows.
pub async fn compile(
    runtime: &Runtime,
    site: &Site,
    settings: &Settings,
    interface: &str,
) -> Result<Arc<Compiled>> {
    let opened = Opened::read(runtime, site, settings, |_, _| Ok(())).await?;
    checks::check_offer(&opened.shown, interface, &opened.inspection)?;
    checks::check_imports(&opened.inspection.imports, settings, site)?;
    opened.compile(runtime).await
}
