//! The checks of a plugin's file before any of it is compiled or runs.

use super::settings::Settings;
use crate::{
    grants,
    inspect::{Import, Inspection},
};
use wythe_blocks::{Error, Result, Site, interfaces::is_candidate};
use wythe_manifest::Grants;

/// Checks that it is a plugin, before the imports: an app in the place of a plugin needs no grants, it needs to go.
pub(super) fn check_offer(shown: &str, world: &str, inspection: &Inspection) -> Result<()> {
    match inspection.plugin.is_empty() || inspection.app.workflow_handler {
        true => Err(Error::invalid(format!(
            "`{shown}` is no plugin of the world {world}: it exports no `wythe:plugin/lifecycle` with a driver"
        ))),
        false => Ok(()),
    }
}

/// Checks that it imports nothing which it was not granted.
pub(super) fn check_imports(imports: &[Import], settings: &Settings, site: &Site) -> Result<()> {
    reported(&grants::refused(&site.component, imports, &settings.grants))
}

/// Checks that it imports and exports no version from before a release, which the linker would tell without a name.
pub(super) fn check_versions(inspection: &Inspection, site: &Site) -> Result<()> {
    let mut imports = inspection.imports.clone();
    imports.retain(|import| is_candidate(&import.name));
    let mut refused = grants::refused(&site.component, &imports, &Grants::default());
    let exports = &inspection.exports;
    refused.extend(grants::refused_exports(&site.component, exports));
    reported(&refused)
}

fn reported(refused: &[Error]) -> Result<()> {
    let all: Vec<_> = refused.iter().map(Error::message).collect();
    match all.is_empty() {
        true => Ok(()),
        false => Err(Error::denied(all.join("; "))),
    }
}
