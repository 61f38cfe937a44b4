//! Azurite of npm, which answers as Azure Storage does: on the disk once it ends as its operator wants it, or some seconds
//! later; it syncs nothing.

use crate::{Missing, Program, Site, find, http::exchange};
use std::{path::PathBuf, process::Command};

/// A service of the server: each is a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Blob,
    Queue,
}

/// One service of Azurite.
#[derive(Clone, Copy, Debug)]
pub struct Azurite(pub Service);

impl Azurite {
    /// The account that is there.
    pub const ACCOUNT: &'static str = "wythe";
    /// Its key: `a key for tests alone`.
    pub const KEY: &'static str = "YSBrZXkgZm9yIHRlc3RzIGFsb25l";
}

impl Program for Azurite {
    fn command(&self, site: &Site) -> Result<Command, Missing> {
        let name = match self.0 {
            Service::Blob => "blob",
            Service::Queue => "queue",
        };
        let mut command = Command::new(find("node")?);
        command.arg(program(name)?);
        command.arg(format!("--{name}Host")).arg("127.0.0.1");
        command
            .arg(format!("--{name}Port"))
            .arg(site.port.to_string());
        command.arg("--location").arg(&site.directory);
        command.args(["--silent", "--disableTelemetry", "--disableProductStyleUrl"]);
        let accounts = format!("{}:{}", Self::ACCOUNT, Self::KEY);
        command.env("AZURITE_ACCOUNTS", accounts);
        command.current_dir(&site.directory);
        Ok(command)
    }

    fn is_ready(&self, site: &Site) -> bool {
        let path = format!("/{}?comp=list", Self::ACCOUNT);
        // It asks who one is.
        let answer = exchange(site.address(), "GET", &path, &[], "");
        answer.is_ok_and(|(status, _)| status == 403)
    }
}

/// The program of a service, in the directory of `WYTHE_AZURITE`, in which `npm install azurite` was said.
fn program(name: &str) -> Result<PathBuf, Missing> {
    let directory = std::env::var_os("WYTHE_AZURITE");
    let directory = directory.ok_or_else(|| {
        Missing("WYTHE_AZURITE names no directory with azurite of npm".to_owned())
    })?;
    let program = PathBuf::from(directory).join(format!("node_modules/.bin/azurite-{name}"));
    let missing = || Missing(format!("WYTHE_AZURITE has no {}", program.display()));
    program
        .is_file()
        .then(|| program.clone())
        .ok_or_else(missing)
}
