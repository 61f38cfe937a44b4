//! `tracing`: which traces are recorded, and where their spans go. A project's `Configuration` has it as Dapr's does, and so has
//! the operator's file.

use crate::configuration::Scopes;
use crate::endpoint::Endpoint;
use crate::name::shown;
use crate::path::percent_decoded;
use crate::problem::{Problem, Problems, Source};
use crate::quantity::Duration;
use crate::reader::{At, Fields};
use crate::resources::Resources;
use crate::same::Same;
use crate::secret::Secret;

/// Headers of one exporter.
const MAX_HEADERS: usize = 32;
/// The longest time of one request of an exporter.
const MAX_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// The recording of traces.
#[derive(Clone, Debug)]
pub struct Tracing {
    /// The part of the traces that begin here, from 0 to 1; 0 records nothing at all.
    pub sampling_rate: Option<f64>,
    /// True where spans are printed.
    pub stdout: bool,
    /// The receiver that speaks OTLP.
    pub otlp: Option<Otlp>,
    /// The URL of a receiver of Zipkin's.
    pub zipkin: Option<Endpoint>,
    /// The place where it was written.
    pub source: Source,
}

/// A receiver that speaks OTLP.
#[derive(Clone, Debug)]
pub struct Otlp {
    /// The URL, whole.
    pub endpoint: Endpoint,
    /// The protocol that it speaks.
    pub protocol: OtlpProtocol,
    /// Headers that it is sent with each request, by names in small letters.
    pub headers: Vec<(String, Secret)>,
    /// The time of one request.
    pub timeout: Option<std::time::Duration>,
}

/// A protocol of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// Protobuf by gRPC.
    Grpc,
    /// Protobuf by HTTP.
    Http,
}

impl Same for Tracing {
    fn is_same(&self, other: &Self) -> bool {
        let zipkin = [self, other].map(|one| one.zipkin.as_ref().map(Endpoint::url));
        (self.sampling_rate, self.stdout) == (other.sampling_rate, other.stdout)
            && zipkin[0] == zipkin[1]
            && match (&self.otlp, &other.otlp) {
                (Some(one), Some(other)) => one.is_same(other),
                (one, other) => one.is_none() && other.is_none(),
            }
    }
}

impl Same for Otlp {
    fn is_same(&self, other: &Self) -> bool {
        let mut headers = self.headers.iter().zip(&other.headers);
        self.endpoint.url() == other.endpoint.url()
            && (self.protocol, self.timeout) == (other.protocol, other.timeout)
            && self.headers.len() == other.headers.len()
            && headers.all(|((one, value), (other, known))| {
                one == other && value.reveal() == known.reveal()
            })
    }
}

/// Reads a value of `tracing`.
pub(crate) fn read(at: &At) -> Option<Tracing> {
    let fields = at.fields(&["samplingRate", "stdout", "otel", "zipkin"])?;
    let zipkin = fields.read("zipkin", |at| at.fields(&["endpointAddress"]));
    Some(Tracing {
        sampling_rate: fields.read("samplingRate", read_rate),
        stdout: fields.read("stdout", At::boolean).unwrap_or_default(),
        otlp: fields.read("otel", read_otlp),
        zipkin: zipkin.and_then(|zipkin| zipkin.read("endpointAddress", read_zipkin)),
        source: at.source(),
    })
}

fn read_rate(at: &At) -> Option<f64> {
    let text = at.text()?;
    let rate = text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    if rate.is_none() {
        at.error(&format!(
            "expected a number from 0 to 1, such as `0.1`, found `{}`",
            shown(text)
        ));
    }
    rate
}

/// Reads a URL; an empty one is none, as in Dapr.
fn read_zipkin(at: &At) -> Option<Endpoint> {
    let text = at.text()?;
    if text.is_empty() {
        return None;
    }
    reported(at, Endpoint::parse(text))
}

fn read_otlp(at: &At) -> Option<Otlp> {
    let fields = at.fields(&[
        "endpointAddress",
        "protocol",
        "isSecure",
        "headers",
        "timeout",
    ])?;
    let protocol = fields.demand("protocol", "`grpc` or `http`", read_protocol);
    let is_secure = fields.read("isSecure", At::boolean);
    let endpoint = fields.demand("endpointAddress", "such as `localhost:4317`", |at| {
        let parsed = Endpoint::of_otlp(at.filled()?, is_secure, protocol?);
        reported(at, parsed)
    });
    let headers = fields.read("headers", read_headers).unwrap_or_default();
    Some(Otlp {
        endpoint: endpoint?,
        protocol: protocol?,
        headers,
        timeout: read_timeout(&fields),
    })
}

fn reported(at: &At, parsed: Result<Endpoint, String>) -> Option<Endpoint> {
    let endpoint = parsed.map_err(|message| at.error(&message)).ok()?;
    Some(endpoint.at(at.source()))
}

fn read_protocol(at: &At) -> Option<OtlpProtocol> {
    match at.text()? {
        "grpc" => Some(OtlpProtocol::Grpc),
        "http" | "http/protobuf" => Some(OtlpProtocol::Http),
        other => {
            at.error(&format!(
                "expected `grpc` or `http`, found `{}`",
                shown(other)
            ));
            None
        }
    }
}

fn read_timeout(fields: &Fields) -> Option<std::time::Duration> {
    let at = fields.get("timeout")?;
    let Duration(timeout) = at.quantity()?;
    if timeout.is_zero() || timeout > MAX_TIMEOUT {
        at.error("expected a time of 60 s at most, such as `10s`");
        return None;
    }
    Some(timeout)
}

/// A list of names and values, or one text of them as the variables of OpenTelemetry have it.
fn read_headers(at: &At) -> Option<Vec<(String, Secret)>> {
    let headers = match at.is_list() {
        true => at.items().iter().filter_map(read_header).collect(),
        false => {
            let headers = headers(at.filled()?);
            headers.map_err(|message| at.error(&message)).ok()?
        }
    };
    if headers.len() > MAX_HEADERS {
        at.error(&format!("expected at most {MAX_HEADERS} headers"));
        return None;
    }
    Some(headers)
}

fn read_header(at: &At) -> Option<(String, Secret)> {
    let fields = at.fields(&["name", "value"])?;
    let name = fields.demand("name", "the header's name", |at| {
        let name = at.filled()?.to_ascii_lowercase();
        let checked = check_name(&name);
        checked.map_err(|message| at.error(&message)).ok()?;
        Some(name)
    });
    let value = fields.demand("value", "the header's value", |at| {
        let value = at.text()?;
        let checked = check_value(value);
        checked.map_err(|message| at.error(&message)).ok()?;
        Some(Secret::new(value))
    });
    Some((name?, value?))
}

/// Reads headers as `name=value,name=value`, with values in percent-encoding. An error says what is wrong, and no value.
pub fn headers(text: &str) -> Result<Vec<(String, Secret)>, String> {
    let pairs = text.split(',').map(str::trim);
    let pairs = pairs.filter(|pair| !pair.is_empty());
    let read = |pair: &str| {
        let (name, value) = pair
            .split_once('=')
            .ok_or("expected headers as `name=value,name=value`")?;
        let name = name.trim().to_ascii_lowercase();
        check_name(&name)?;
        let value = decoded(value.trim())
            .ok_or_else(|| format!("the value of `{name}` is no text in percent-encoding"))?;
        check_value(&value)?;
        Ok((name, Secret::new(value)))
    };
    let headers: Vec<_> = pairs.map(read).collect::<Result<_, String>>()?;
    match headers.len() > MAX_HEADERS {
        true => Err(format!("expected at most {MAX_HEADERS} headers")),
        false => Ok(headers),
    }
}

/// Decodes a text in percent-encoding; none where it is not in that or is no text then.
pub fn decoded(text: &str) -> Option<String> {
    String::from_utf8(percent_decoded(text)?).ok()
}

/// The names that the host sets itself are refused, and so are those that change what a request is.
fn check_name(name: &str) -> Result<(), String> {
    const OWN: [&str; 8] = [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "te",
        "transfer-encoding",
        "upgrade",
    ];
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 128 || !name.bytes().all(is_token) {
        return Err(format!(
            "expected the name of a header, found `{}`",
            shown(name)
        ));
    }
    match OWN.contains(&name) || name.starts_with("grpc-") {
        true => Err(format!("the header `{name}` is the exporter's own")),
        false => Ok(()),
    }
}

fn check_value(value: &str) -> Result<(), String> {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte);
    match value.len() <= 8_192 && value.bytes().all(is_plain) {
        true => Ok(()),
        false => Err("expected a header's value of 8,192 characters of ASCII at most".to_owned()),
    }
}

/// Spans go to one place: of two configurations that say where, one would be ignored.
pub(crate) fn check(resources: &Resources, problems: &mut Problems) {
    let mut scopes = Scopes::default();
    for configuration in &resources.configurations {
        let Some(tracing) = &configuration.tracing else {
            continue;
        };
        let namespace = configuration.namespace.as_ref();
        if let Some(first) = scopes.meeting(namespace) {
            problems.0.push(tracing.problem(format!(
                "`tracing` is written already in {first}; write one for both"
            )));
        }
        scopes.add(namespace, &tracing.source);
    }
}

impl Tracing {
    /// A problem at its place.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        self.source.problem("spec.tracing", message)
    }
}
