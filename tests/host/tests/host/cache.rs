//! The cache of compiled guests: used when good, never believed when touched.

use anyhow::{Context, Result, ensure};
use host_tests::guest;
use libtest_mimic::Trial;
use std::{fs, path::PathBuf};
use wythe_runtime::{Options, Runtime};

pub fn trials() -> Vec<Trial> {
    vec![
        crate::case("cache::a_touched_file_is_compiled_again", tampered),
        crate::case("cache::a_file_of_another_component_is_not_taken", swapped),
    ]
}

async fn compiled_into(directory: &std::path::Path, name: &str) -> Result<PathBuf> {
    let before = files(directory)?;
    let options = Options {
        cache: Some(directory.to_owned()),
        ..Options::default()
    };
    let runtime = Runtime::new(&options)?;
    let inspection = runtime.inspect(&guest(name)).await?;
    let bytes = fs::read(guest(name))?.into();
    runtime.compile(name, bytes, &inspection).await?;
    let new = files(directory)?
        .into_iter()
        .find(|file| !before.contains(file));
    new.or_else(|| before.first().cloned())
        .context("nothing was kept")
}

fn files(directory: &std::path::Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let all = entries.collect::<std::io::Result<Vec<_>>>()?;
    Ok(all
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "cwasm"))
        .collect())
}

/// Bits all over the file are turned; each time it is compiled anew, to the same bytes as before.
async fn tampered() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = compiled_into(directory.path(), "hello").await?;
    let good = fs::read(&file)?;
    for part in 0..8 {
        let mut bad = good.clone();
        let position = (bad.len() - 1) * part / 7;
        bad[position] ^= 1;
        fs::write(&file, &bad)?;
        compiled_into(directory.path(), "hello").await?;
        ensure!(
            fs::read(&file)? == good,
            "the file touched at {position} was kept"
        );
    }
    Ok(())
}

async fn swapped() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let hello = compiled_into(directory.path(), "hello").await?;
    let echo = compiled_into(directory.path(), "echo").await?;
    ensure!(hello != echo);
    let good = fs::read(&hello)?;
    fs::copy(&echo, &hello)?;
    fs::copy(echo.with_extension("tag"), hello.with_extension("tag"))?;
    compiled_into(directory.path(), "hello").await?;
    ensure!(
        fs::read(&hello)? == good,
        "another component's code was kept"
    );
    Ok(())
}
