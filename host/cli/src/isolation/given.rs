//! The things that a tenant's process is given: its sockets, whose names it cannot reach, and its part of the environment.

use crate::{control, report::Problem, traces};
use std::{
    ffi::OsString,
    fs::{self, File, Permissions},
    io::{self, ErrorKind},
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
};
use wythe_manifest::{Name, Terms};

/// The directory of sockets below that of the data.
const SOCKETS: &str = "processes";

/// The sockets of a tenant's process, in a directory that it cannot reach.
pub struct Sockets {
    pub apps: PathBuf,
    pub control: PathBuf,
    /// Keep names valid that lead through them.
    _directories: [Option<File>; 2],
}

impl Sockets {
    pub fn new(data: &Path, tenant: &Name) -> Result<Self, Problem> {
        let place = data.join(SOCKETS);
        let failed = |error: io::Error| {
            Problem::new(format!(
                "the sockets of tenants' processes at {}: {error}",
                place.display()
            ))
        };
        crate::private::make(&place).map_err(failed)?;
        crate::private::check(&place, "sockets")?;
        fs::set_permissions(&place, Permissions::from_mode(0o700)).map_err(failed)?;
        let socket =
            |name: &str| control::short(&place.join(format!("{tenant}.{name}"))).map_err(failed);
        let (apps, of_apps) = socket("apps")?;
        let (control, of_control) = socket("control")?;
        Ok(Sockets {
            apps,
            control,
            _directories: [of_apps, of_control],
        })
    }

    /// Binds both anew; the listeners are the child's, so that what nobody takes is refused.
    pub fn bind(&self) -> io::Result<[UnixListener; 2]> {
        let bind = |path: &Path| {
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            UnixListener::bind(path)
        };
        Ok([bind(&self.control)?, bind(&self.apps)?])
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        // They may never have been bound.
        let _ = fs::remove_file(&self.apps);
        let _ = fs::remove_file(&self.control);
    }
}

/// The variables of a process: those that the operator allows, and those by which this program is what it is.
#[expect(
    clippy::disallowed_methods,
    reason = "the command reads the environment"
)]
pub fn variables(terms: &Terms, data: &Path) -> Vec<(OsString, OsString)> {
    const OWN: [&str; 6] = [
        "RUST_BACKTRACE",
        "RUST_LIB_BACKTRACE",
        "TZ",
        "WYTHE_COMPILE_MEMORY",
        "WYTHE_COMPILE_TIME",
        "WYTHE_LOG",
    ];
    let is_own = |name: &str| OWN.contains(&name) || traces::is_variable(name);
    let is_given = |name: &str| is_own(name) || terms.allows_variable(name);
    let all = std::env::vars_os();
    let mut given: Vec<_> = all
        .filter(|(name, _)| name.to_str().is_some_and(is_given))
        .collect();
    // Compiled code that others wrote would be another tenant's.
    given.push(("WYTHE_CACHE_DIR".into(), data.join(".code").into()));
    given
}
