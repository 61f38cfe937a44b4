//! A receiver of spans: OTLP by gRPC and by HTTP, and Zipkin's JSON, on one port of its own.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, status::StatusCode},
};
use parking_lot::Mutex;
use prost::Message;
use std::{collections::BTreeMap, convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use wythe_blocks::text::hex;

const GRPC: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// A span as it was received.
#[derive(Clone, Debug)]
pub struct Received {
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub name: String,
    /// `SERVER`, `CLIENT`, `PRODUCER`, `CONSUMER`; empty for what is internal.
    pub kind: String,
    pub service: String,
    pub attributes: BTreeMap<String, String>,
    pub is_error: bool,
    /// The header `authorization` of the request that had it.
    pub authorization: String,
}

/// A receiver that runs until the runtime ends.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    spans: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Receiver {
            address: listener.local_addr().unwrap(),
            spans: Arc::default(),
        };
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let receiver = serving.clone();
                let service = service_fn(move |request| {
                    let receiver = receiver.clone();
                    async move { Ok::<_, Infallible>(receiver.answer(request).await) }
                });
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    // A client may go at any time.
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        receiver
    }

    /// The spans of a trace, in the order in which they came.
    pub fn of_trace(&self, trace: &str) -> Vec<Received> {
        let spans = self.spans.lock();
        let own = spans.iter().filter(|span| span.trace == trace);
        own.cloned().collect()
    }

    /// Waits for so many spans of a trace.
    pub async fn wait(&self, trace: &str, count: usize) -> Vec<Received> {
        loop {
            let spans = self.of_trace(trace);
            if spans.len() >= count {
                return spans;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<BoxBody<Bytes, Infallible>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let spans = match head.uri.path() {
            GRPC => {
                assert_eq!(head.headers[CONTENT_TYPE], "application/grpc");
                let length = u32::from_be_bytes(body[1..5].try_into().unwrap());
                assert_eq!((body[0], length as usize), (0, body.len() - 5));
                otlp(&body[5..])
            }
            "/v1/traces" => {
                assert_eq!(head.headers[CONTENT_TYPE], "application/x-protobuf");
                otlp(&body)
            }
            "/api/v2/spans" => {
                assert_eq!(head.headers[CONTENT_TYPE], "application/json");
                zipkin(&body)
            }
            other => panic!("{other} is asked for"),
        };
        let authorization = head.headers.get("authorization");
        let authorization = authorization.map_or("", |value| value.to_str().unwrap());
        self.spans
            .lock()
            .extend(spans.into_iter().map(|span| Received {
                authorization: authorization.to_owned(),
                ..span
            }));
        accepted(head.uri.path() == GRPC)
    }
}

fn accepted(is_grpc: bool) -> Response<BoxBody<Bytes, Infallible>> {
    let message = ExportTraceServiceResponse::default().encode_to_vec();
    if !is_grpc {
        return Response::new(Full::from(message).boxed());
    }
    let mut frame = vec![0; 5];
    frame[4] = message.len() as u8;
    frame.extend(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::from(frame).with_trailers(async { Some(Ok(trailers)) });
    let mut answer = Response::new(body.boxed());
    let grpc = HeaderValue::from_static("application/grpc");
    answer.headers_mut().insert(CONTENT_TYPE, grpc);
    answer
}

fn otlp(message: &[u8]) -> Vec<Received> {
    let request = ExportTraceServiceRequest::decode(message).unwrap();
    let mut all = Vec::new();
    for group in request.resource_spans {
        let resource = attributes(&group.resource.unwrap_or_default().attributes);
        let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
        all.extend(spans.map(|span| received(&span, &resource)));
    }
    all
}

fn received(span: &Span, resource: &BTreeMap<String, String>) -> Received {
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    let kind = span.kind().as_str_name();
    let kind = kind.trim_start_matches("SPAN_KIND_");
    let mut all = attributes(&span.attributes);
    all.extend(resource.clone());
    let status = span.status.as_ref().map(|status| status.code());
    Received {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name.clone(),
        kind: kind.replace("INTERNAL", ""),
        service: resource["service.name"].clone(),
        attributes: all,
        is_error: status == Some(StatusCode::Error),
        authorization: String::new(),
    }
}

fn attributes(all: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?} is no attribute of a span"),
    };
    let read = |one: &KeyValue| {
        let value = one.value.as_ref().and_then(|value| value.value.as_ref());
        (one.key.clone(), value.map(text).unwrap_or_default())
    };
    all.iter().map(read).collect()
}

fn zipkin(body: &[u8]) -> Vec<Received> {
    let spans: Vec<serde_json::Value> = serde_json::from_slice(body).unwrap();
    let read = |span: &serde_json::Value| {
        let text = |key: &str| span[key].as_str().unwrap_or_default().to_owned();
        assert!(span["timestamp"].is_u64() && span["duration"].as_u64() > Some(0));
        let tags = span["tags"].as_object().unwrap().iter();
        let tags = tags.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()));
        let tags: BTreeMap<String, String> = tags.collect();
        Received {
            trace: text("traceId"),
            id: text("id"),
            parent: text("parentId"),
            name: text("name"),
            kind: text("kind"),
            service: span["localEndpoint"]["serviceName"]
                .as_str()
                .unwrap()
                .to_owned(),
            is_error: tags.contains_key("error"),
            attributes: tags,
            authorization: String::new(),
        }
    };
    spans.iter().map(read).collect()
}
