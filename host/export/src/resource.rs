//! The resource of a span: the app that it is of, as a service.

use wythe_blocks::spans::Span;

/// Things that are the same for all spans of this process.
#[derive(Clone, Debug, Default)]
pub struct Resource {
    /// The name of every service, in place of the app's.
    pub service: Option<String>,
    pub attributes: Vec<(String, String)>,
}

impl Resource {
    /// The name of the service that a span is of: its app, as in Dapr.
    pub fn service_of<'a>(&'a self, span: &'a Span) -> &'a str {
        match &self.service {
            Some(service) => service,
            None => span.app.as_str(),
        }
    }

    /// The attributes of a span's resource; what the operator wrote wins.
    pub fn of(&self, span: &Span) -> Vec<(&str, String)> {
        let own = [
            ("service.name", self.service_of(span).to_owned()),
            ("service.namespace", span.tenant.to_string()),
            ("telemetry.sdk.language", "rust".to_owned()),
            ("telemetry.sdk.name", "wythe".to_owned()),
            (
                "telemetry.sdk.version",
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
        ];
        let is_written = |key: &str| self.attributes.iter().any(|(own, _)| own == key);
        let own = own.into_iter().filter(|(key, _)| !is_written(key));
        let written = self.attributes.iter();
        let written = written.map(|(key, value)| (key.as_str(), value.clone()));
        own.chain(written).collect()
    }
}
