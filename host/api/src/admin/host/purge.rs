//! The end of the data of a tenant that is gone.

use super::House;
use std::time::Duration;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use wythe_blocks::{Error, Result, Settings};
use wythe_manifest::Name;

/// The time for a tenant that has nothing to close.
const RESERVED: Duration = Duration::from_secs(5);

/// Deletes what a tenant kept in the directory of the data, the workflows among it.
pub async fn purge(house: &House, name: &Name) -> Result<()> {
    let is_there = || {
        Error::conflict(format!(
            "tenant `{name}` is served, or its directory is there; remove that first"
        ))
    };
    if !house.host.notices().of(name.as_str()).is_empty() || house.host.process(name).is_some() {
        return Err(is_there());
    }
    // Nobody can open a tenant of this name until its data is gone.
    let reserved = house.host.open(Settings::new(name.clone(), ""));
    reserved.map_err(|_| is_there())?;
    let (data, gone) = (house.data.clone(), name.clone());
    let deleted = tokio::task::spawn_blocking(move || delete(&data, &gone)).await;
    house.host.remove(name, RESERVED).await;
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
    // True where there was something.
    let remove = |path: &PathBuf| match fs::remove_dir_all(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(path, error)),
    };
    // A purge that failed has left the rest there.
    let had_rest = remove(&going)?;
    match fs::rename(&own, &going) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && had_rest => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::not_found(format!(
            "nothing is kept of a tenant `{name}`"
        ))),
        Err(error) => Err(failed(&own, error)),
        Ok(()) => remove(&going).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_is_tried_again_after_one_that_failed() {
        let data = tempfile::tempdir().unwrap();
        let name: Name = "shop".parse().unwrap();
        let (own, rest) = (data.path().join("shop"), data.path().join(".purged-shop"));
        let keep = |directory: &Path| {
            fs::create_dir_all(directory.join("state")).unwrap();
            fs::write(directory.join("state/one"), "kept").unwrap();
        };
        keep(&rest);
        delete(data.path(), &name).unwrap();
        assert!(!rest.exists());
        keep(&rest);
        keep(&own);
        delete(data.path(), &name).unwrap();
        assert!(!rest.exists() && !own.exists());
        let error = delete(data.path(), &name).unwrap_err();
        assert_eq!(error.message(), "nothing is kept of a tenant `shop`");
    }
}
