//! A receiver of spans, whatever it speaks.

use crate::{
    client::{Client, Link},
    lines, otlp,
    plan::{Print, Wrong},
    resource::Resource,
    trust::Trust,
    zipkin,
};
use std::sync::Arc;
use wythe_blocks::spans::Span;
use wythe_manifest::{Endpoint, Otlp, OtlpProtocol, Source};

/// The method of OTLP's gRPC service.
const METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Sends batches of spans to one receiver.
pub struct Exporter {
    receiver: Receiver,
    resource: Arc<Resource>,
}

enum Receiver {
    Grpc(Client),
    Http(Client),
    Zipkin(Client),
    Lines(Print),
}

/// The reason for which a batch was not taken.
#[derive(Debug)]
pub struct Failure {
    pub words: String,
    /// True where the same batch may be taken later.
    pub is_passing: bool,
}

impl Failure {
    pub fn passing(words: impl Into<String>) -> Self {
        Failure {
            words: words.into(),
            is_passing: true,
        }
    }

    pub fn lasting(words: impl Into<String>) -> Self {
        Failure {
            words: words.into(),
            is_passing: false,
        }
    }
}

impl Exporter {
    pub fn otlp(
        otlp: &Otlp,
        trust: Option<&Trust>,
        resource: Arc<Resource>,
    ) -> Result<Self, Wrong> {
        let client = |path, is_http2| {
            let link = Link { is_http2, trust };
            Client::new(&otlp.endpoint, path, &otlp.headers, otlp.timeout, link)
        };
        let receiver = match otlp.protocol {
            OtlpProtocol::Grpc => Receiver::Grpc(client(METHOD, true)?),
            OtlpProtocol::Http => Receiver::Http(client("", false)?),
        };
        Ok(Exporter { receiver, resource })
    }

    pub fn zipkin(endpoint: &Endpoint, resource: Arc<Resource>) -> Result<Self, Wrong> {
        let client = Client::new(endpoint, "", &[], None, Link::default())?;
        Ok(Exporter {
            receiver: Receiver::Zipkin(client),
            resource,
        })
    }

    pub fn lines(print: Print, resource: Arc<Resource>) -> Self {
        Exporter {
            receiver: Receiver::Lines(print),
            resource,
        }
    }

    /// Sends a batch once. The answer is how many of its spans the receiver refused.
    pub async fn send(&self, spans: &[Arc<Span>]) -> Result<usize, Failure> {
        match &self.receiver {
            Receiver::Grpc(client) => otlp::by_grpc(client, spans, &self.resource).await,
            Receiver::Http(client) => otlp::by_http(client, spans, &self.resource).await,
            Receiver::Zipkin(client) => zipkin::send(client, spans, &self.resource).await,
            Receiver::Lines(print) => {
                for span in spans {
                    print(&lines::line(span, &self.resource));
                }
                Ok(0)
            }
        }
    }

    /// The receiver in words, and the place where it is written.
    pub fn target(&self) -> (&str, Option<&Source>) {
        match &self.receiver {
            Receiver::Grpc(client) | Receiver::Http(client) | Receiver::Zipkin(client) => {
                let endpoint = client.endpoint();
                (endpoint.url(), endpoint.source())
            }
            Receiver::Lines(_) => ("standard output", None),
        }
    }
}
