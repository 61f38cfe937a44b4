//! Numbers for whoever watches the host: who has them adds them to a [`page`] when somebody asks, and holds no lock that calls
//! need for longer than it takes to copy a few numbers.

mod calls;
mod dapr;
mod deliveries;
mod ends;
mod exemplar;
mod latency;
mod meters;
mod page;
#[cfg(test)]
mod tests;
mod text;
mod timing;

pub use calls::Outcome;
pub(crate) use calls::{CallMetrics, of_app, of_component};
pub(crate) use dapr::{COMPONENT_LOADED, REMINDERS, RESILIENCY_LOADED};
pub(crate) use deliveries::Deliveries;
pub(crate) use ends::End;
pub use meters::{Cause, Egress, Meters};
pub(crate) use page::{Family, Page, named, word};
pub use text::Format;

use crate::{logs, spans};
use parking_lot::Mutex;
use std::{
    collections::HashSet,
    sync::{Arc, Weak},
};
use wythe_manifest::Name;

/// Something that has numbers.
pub(crate) trait Source: Send + Sync {
    fn collect(&self, page: &mut Page);
}

/// Everything that has numbers, for whoever serves them.
#[derive(Default)]
pub struct Metrics {
    sources: Mutex<Sources>,
}

#[derive(Default)]
struct Sources {
    list: Vec<Weak<dyn Source>>,
    /// The length at which those that are gone are taken out.
    sweep: usize,
}

impl Metrics {
    pub(crate) fn watch<S: Source + 'static>(&self, source: &Arc<S>) {
        let source: Weak<dyn Source> = Arc::downgrade(source) as _;
        let mut sources = self.sources.lock();
        if sources.list.len() >= sources.sweep {
            sources.list.retain(|known| known.strong_count() > 0);
            sources.sweep = 2 * sources.list.len() + 64;
        }
        sources.list.push(source);
    }

    /// Shows the counts of something that is no app, such as a plugin, for as long as they are there.
    pub fn show(&self, meters: &Arc<Meters>) {
        self.watch(meters);
    }

    /// All that is counted, as Prometheus text; what is looked up, a host adds.
    pub fn render(&self) -> String {
        self.page(HashSet::new()).write(Format::Prometheus)
    }

    /// All that is counted; of these tenants without Dapr's names.
    pub(crate) fn page(&self, plain: HashSet<Name>) -> Page {
        let mut page = Page::new(plain);
        // The lock is not held while anybody is asked.
        let sources: Vec<_> = {
            let sources = self.sources.lock();
            sources.list.iter().filter_map(Weak::upgrade).collect()
        };
        for source in sources {
            source.collect(&mut page);
        }
        spans::collect(&mut page);
        logs::collect(&mut page);
        page
    }
}
