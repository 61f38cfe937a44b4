//! The end of the data of a tenant that is gone.

use super::House;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use wythe_blocks::{Error, Result};
use wythe_manifest::Name;

/// Deletes what a tenant kept in the directory of the data, the workflows among it.
pub async fn purge(house: &House, name: &Name) -> Result<()> {
    if house.host.tenant(name).is_some() {
        return Err(Error::conflict(format!(
            "tenant `{name}` is served; remove its directory first"
        )));
    }
    let (data, name) = (house.data.clone(), name.clone());
    let deleted = tokio::task::spawn_blocking(move || delete(&data, &name)).await;
    deleted.map_err(|error| Error::internal("the data was not deleted").with_source(error))?
}

fn delete(data: &Path, name: &Name) -> Result<()> {
    let own = data.join(name.as_str());
    // Under another name it is nobody's, even if the tenant comes back meanwhile.
    let going = data.join(format!(".purged-{name}"));
    let failed = |path: &Path, error: io::Error| {
        let message = format!("the data at {} cannot be deleted", path.display());
        Error::unavailable(message).with_source(error)
    };
    let remove = |path: &PathBuf| match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    };
    remove(&going)?;
    match fs::rename(&own, &going) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::not_found(format!(
            "nothing is kept of a tenant `{name}`"
        ))),
        Err(error) => Err(failed(&own, error)),
        Ok(()) => remove(&going),
    }
}
