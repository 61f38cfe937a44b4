//! Instances in the order of their ids, a page at a time.

use super::{
    Engine,
    management::{Instance, may},
};
use crate::workflow::{
    core::meta::{Meta, Status},
    store::keys,
};
use crate::{Call, Error, Result};

/// The upper bound of a page.
const MAX_PAGE: u32 = 1_000;
/// Pages of the store that one call of a list reads.
const LOOKS: u32 = 8;

/// The filter of the instances to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub status: Option<Status>,
    pub name: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Page {
    pub instances: Vec<Instance>,
    pub next: Option<String>,
}

impl Engine {
    /// Lists the instances that fit and that the caller is granted, after `cursor`, in the order of their ids. A call
    /// looks at 4,000 instances at most, so that a page may be short, or empty, and say where to go on.
    pub async fn list(
        &self,
        caller: &Call,
        filter: &Filter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page> {
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Error::invalid(format!(
                "a page of {limit}; expected 1 to {MAX_PAGE}"
            )));
        }
        let all = keys::instance("");
        let mut cursor = cursor.map(keys::instance);
        let mut page = Page::default();
        for _ in 0..LOOKS {
            let found = self.page(&all, cursor.as_deref()).await?;
            // A store in memory answers at once, and others want to go on, too.
            tokio::task::yield_now().await;
            for (_, row) in found.entries {
                let meta = Meta::decode(&row.value)?;
                if !filter.fits(&meta) || may(caller, &meta.name).is_err() {
                    continue;
                }
                if page.instances.len() == limit as usize {
                    page.next = page.instances.last().map(|instance| instance.id.clone());
                    return Ok(page);
                }
                page.instances.push(meta.into());
            }
            cursor = found.next;
            if cursor.is_none() {
                return Ok(page);
            }
        }
        let next = cursor.as_deref().and_then(|last| last.strip_prefix(&all));
        page.next = next.map(str::to_owned);
        Ok(page)
    }
}

impl Filter {
    fn fits(&self, meta: &Meta) -> bool {
        self.status.is_none_or(|status| status == meta.status)
            && self.name.as_ref().is_none_or(|name| *name == meta.name)
    }
}
