//! Formats of the host's own rows in a state component: one number for each block that keeps rows there.

use super::{
    InternalStore,
    driver::{Operation, Put},
    internal::RESERVED,
};
use crate::{Call, Error, Result, Trace, time};
use std::time::Duration;
use wythe_manifest::Name;

/// The time that a start waits for a store that says nothing of its format. Whoever uses it asks again.
const PATIENCE: Duration = Duration::from_secs(2);

/// The format of the rows of one block. A store without a number has the first one, or no such rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    pub block: &'static str,
    /// The newest number that this build knows.
    pub known: u32,
}

/// The format of actors. From 2 on, rows that a loop scans have their shard in the key.
pub(crate) const ACTORS: Format = Format {
    block: "actors",
    known: 2,
};
/// The format of workflows, by the same numbers.
pub(crate) const WORKFLOW: Format = Format {
    block: "workflow",
    known: 2,
};

/// Refuses a store that a newer build has written.
pub(super) async fn check(internal_store: &InternalStore, tenant: &Name) -> Result<()> {
    for format in [ACTORS, WORKFLOW] {
        let host: Name = "host".parse().expect("a word is a name");
        let deadline = time::deadline(PATIENCE);
        let caller = Call::host(tenant.clone(), host, Trace::start(), deadline);
        match format.found(internal_store, &caller).await {
            Ok(number) if number > format.known => {
                return Err(format.too_new(internal_store, number));
            }
            Ok(_) => {}
            Err(error) => tracing::debug!("the format of {}: {error}", format.block),
        }
    }
    Ok(())
}

impl Format {
    fn key(self) -> String {
        format!("{RESERVED}{}||format", self.block)
    }

    /// Reads the number that the store has; `unsupported` where a newer build has written it.
    pub async fn read(self, internal_store: &InternalStore, caller: &Call) -> Result<u32> {
        let number = self.found(internal_store, caller).await?;
        match number > self.known {
            true => Err(self.too_new(internal_store, number)),
            false => Ok(number),
        }
    }

    async fn found(self, internal_store: &InternalStore, caller: &Call) -> Result<u32> {
        let Some(found) = internal_store.get(caller, self.key()).await? else {
            return Ok(1);
        };
        let text = String::from_utf8_lossy(&found.value);
        text.parse().map_err(|_| {
            let (component, block) = (internal_store.name(), self.block);
            Error::internal(format!(
                "state component `{component}` has no number as its format of {block}; restore it from a copy"
            ))
        })
    }

    fn too_new(self, internal_store: &InternalStore, found: u32) -> Error {
        let (component, block, known) = (internal_store.name(), self.block, self.known);
        Error::unsupported(format!(
            "state component `{component}` has rows of {block} in format {found}; this build reads up to {known}; \
             use the newer build that wrote them, or restore the store from a copy of before that"
        ))
    }

    /// Writes that the store has the newest format.
    pub async fn write(self, internal_store: &InternalStore, caller: &Call) -> Result<()> {
        let put = Put::new(self.key(), self.known.to_string());
        internal_store
            .transact(caller, vec![Operation::Put(put)])
            .await?;
        Ok(())
    }
}
