//! Tenants that run in processes of their own (`isolation: process`): the host starts this program again for each of them, and
//! that process shuts itself in before it reads anything of the tenant.
//!
//! Parent and child share three descriptors. The child's standard input is the listener of its commands, its standard output
//! that of requests, and its standard error a pipe to the host's log. The first connection to the listener of commands is the
//! leash: down it go the orders, up it come beats, and its end is the end of the child.

mod calls;
pub mod child;
mod given;
mod relay;
mod sandbox;
mod spawn;
mod supervisor;
mod users;

pub use supervisor::Supervisor;
pub use users::check_shared;

use crate::{
    args::{Common, Format, LogFormat},
    report::Problem,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use wythe_manifest::{Name, Terms};

/// The first argument of a process that is one tenant's.
const VERB: &str = "tenant-process";
/// Bytes of the orders, of which the operator's file is the largest part.
const MAX_ORDERS: u64 = 8 << 20;

/// The orders of a tenant's process. The terms are read from the very text that is in force in the host, so that the two cannot
/// disagree.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Orders {
    tenant: String,
    /// The directory of the tenants' directories.
    root: PathBuf,
    /// The text of the operator's file.
    file: String,
    /// The directory of the host's data, in which the tenant's own is.
    data: PathBuf,
    /// The user of the host, who alone gives commands.
    host: u32,
    json: bool,
    verbose: u8,
    quiet: bool,
    /// True to tell callers what is wrong.
    dev: bool,
}

impl Orders {
    fn common(&self) -> Common {
        Common {
            output: Format::Text,
            log_format: match self.json {
                true => LogFormat::Json,
                false => LogFormat::Text,
            },
            verbose: self.verbose,
            quiet: self.quiet,
        }
    }

    /// The directory of what the tenant's components keep.
    fn own_data(&self) -> PathBuf {
        own_data(&self.data, &self.tenant)
    }
}

fn own_data(data: &std::path::Path, tenant: &str) -> PathBuf {
    data.join("data").join(tenant)
}

/// Refuses terms that this system cannot keep.
pub fn check(terms: &Terms) -> Result<(), Problem> {
    sandbox::check().map_err(|missing| {
        let tenant: &Name = &terms.tenant;
        Problem::new(format!(
            "`isolation: process` of tenant `{tenant}` cannot be kept on this system: {missing}; write `isolation: shared` to \
             let it run in the host's own process"
        ))
        .at(&terms.source)
    })
}
