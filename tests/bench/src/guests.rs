//! The guests that are measured, built from `sample-guests`.

use anyhow::{Context, Result, bail, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-wasip2";
const PACKAGES: [&str; 18] = [
    "account",
    "cart",
    "catalog",
    "checkout",
    "echo",
    "email",
    "errands",
    "gauge",
    "hostile",
    "meter",
    "payment",
    "plain",
    "plain3",
    "purchase",
    "report",
    "shipping",
    "storefront",
    "ttl-cache",
];

/// The repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// The component file of a sample guest, which may not be there.
pub fn file(name: &str) -> PathBuf {
    root().join(format!("sample-guests/target/{TARGET}/release/{name}.wasm"))
}

pub fn build() -> Result<()> {
    ensure_target()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--quiet",
            "--release",
            "--target",
            TARGET,
            "--target-dir",
            "target",
        ])
        .current_dir(root().join("sample-guests"))
        // What cargo sets for the benchmarks is not meant for the guests.
        .env_remove("CARGO_BUILD_TARGET")
        .env_remove("RUSTFLAGS");
    for package in PACKAGES {
        command.args(["-p", package]);
    }
    let built = command.status().context("cargo does not start")?;
    ensure!(built.success(), "the sample guests do not build; see above");
    Ok(())
}

fn ensure_target() -> Result<()> {
    let answer = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("rustc does not start")?;
    let directory = String::from_utf8_lossy(&answer.stdout);
    if !Path::new(directory.trim()).is_dir() {
        bail!("there is no standard library for guests; run `rustup target add {TARGET}`");
    }
    Ok(())
}
