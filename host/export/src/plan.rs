//! The plan of what is recorded and where it goes, of a file and of the environment.

#[cfg(test)]
mod tests;

use crate::{
    environment::Variables, exporter::Exporter, resource::Resource, task::Exporting, trust::Trust,
};
use std::{ffi::OsString, sync::Arc};
use wythe_blocks::spans::Sampling;
use wythe_manifest::{Endpoint, Otlp, Source, Tracing};

/// The part of the traces that are recorded where a file says nothing of it, as in Dapr.
const DEFAULT_RATE: f64 = 0.0001;

/// A printer of lines, which waits for nobody.
pub type Print = Arc<dyn Fn(&str) + Send + Sync>;

/// A mistake, and its place where it is in a file.
#[derive(Clone, Debug)]
pub struct Wrong {
    pub message: String,
    pub source: Option<Source>,
}

/// The traces that are recorded, and the receivers of their spans.
#[derive(Debug, Default)]
pub struct Plan {
    /// The rule of which traces are recorded, where there is one.
    sampling: Option<Sampling>,
    is_printed: bool,
    otlp: Option<Otlp>,
    /// The authorities of that receiver, where they are not the public ones.
    trust: Option<Trust>,
    zipkin: Option<Endpoint>,
    resource: Resource,
}

impl Plan {
    /// The plan of a file, and of the variables for what it leaves open. A receiver of the file is spoken to as the file
    /// says: no header of the environment goes to it; its certificate may be of the authorities that a variable names, for
    /// which files have no key. Every mistake is found.
    pub fn new(
        tracing: Option<&Tracing>,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Vec<Wrong>> {
        let mut variables = Variables::new(variable);
        let is_disabled = variables.is_disabled();
        let resource = variables.resource();
        let sampler = variables.sampling();
        let named = variables.otlp();
        let trust = variables.trust();
        if !variables.wrong.is_empty() {
            return Err(variables.wrong);
        }
        if is_disabled {
            return Ok(Plan::default());
        }
        let rate = tracing.and_then(|tracing| tracing.sampling_rate);
        let parent_based = |ratio| Sampling {
            ratio,
            is_parent_based: true,
        };
        let sampling = match (rate, sampler) {
            (Some(0.0), _) | (None, Some(None)) => return Ok(Plan::off()),
            (Some(rate), _) => Some(parent_based(rate)),
            (None, Some(sampler)) => sampler,
            (None, None) => tracing.map(|_| parent_based(DEFAULT_RATE)),
        };
        let written = tracing.and_then(|tracing| tracing.otlp.clone());
        Ok(Plan {
            sampling,
            is_printed: tracing.is_some_and(|tracing| tracing.stdout),
            otlp: written.or(named),
            trust,
            zipkin: tracing.and_then(|tracing| tracing.zipkin.clone()),
            resource,
        })
    }

    /// A plan by which nothing is recorded, and by which traces that begin here say so.
    fn off() -> Self {
        Plan {
            sampling: Some(Sampling {
                ratio: 0.0,
                is_parent_based: true,
            }),
            ..Plan::default()
        }
    }

    /// The receiver of OTLP with the authorities of its certificate.
    #[cfg(test)]
    pub(crate) fn receiver(&self) -> Option<(&Otlp, Option<&Trust>)> {
        self.otlp.as_ref().map(|otlp| (otlp, self.trust.as_ref()))
    }

    /// Starts what is planned; nothing costs anything where that is nothing.
    pub fn start(self, print: Print) -> Result<Exporting, Vec<Wrong>> {
        let resource = Arc::new(self.resource);
        let (mut exporters, mut wrong) = (Vec::new(), Vec::new());
        let otlp = self.otlp.as_ref();
        let trust = self.trust.as_ref();
        let otlp = otlp.map(|otlp| Exporter::otlp(otlp, trust, resource.clone()));
        let zipkin = self.zipkin.as_ref();
        let zipkin = zipkin.map(|zipkin| Exporter::zipkin(zipkin, resource.clone()));
        for made in otlp.into_iter().chain(zipkin) {
            match made {
                Ok(exporter) => exporters.push(exporter),
                Err(error) => wrong.push(error),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        if self.is_printed {
            exporters.push(Exporter::lines(print, resource));
        }
        if let Some(sampling) = self.sampling {
            sampling.enforce();
        }
        Ok(Exporting::start(exporters))
    }
}
