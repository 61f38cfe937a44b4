//! The variables of OpenTelemetry that the host honours.

use crate::{plan::Wrong, resource::Resource, trust::Trust};
use std::{ffi::OsString, path::Path, time::Duration};
use wythe_blocks::spans::Sampling;
use wythe_manifest::{Endpoint, Otlp, OtlpProtocol, decoded, headers};

/// Every variable that is read; those of traces win over those of all signals.
pub const NAMES: [&str; 15] = [
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    TRACES_ENDPOINT,
    ENDPOINT,
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    CERTIFICATES[0],
    CERTIFICATES[1],
];
/// The variables among them that name a file; the first that is there is read.
pub const CERTIFICATES: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
];
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// The longest time of one request of an exporter, in milliseconds.
const MAX_TIMEOUT: u64 = 60_000;
/// Attributes of `OTEL_RESOURCE_ATTRIBUTES`.
const MAX_ATTRIBUTES: usize = 64;

/// The environment, and what is wrong in it.
pub struct Variables<'a> {
    get: &'a dyn Fn(&str) -> Option<OsString>,
    pub wrong: Vec<Wrong>,
}

impl<'a> Variables<'a> {
    pub fn new(get: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Variables {
            get,
            wrong: Vec::new(),
        }
    }

    /// A variable; one that is empty is not there, as the specification says.
    fn get(&mut self, name: &str) -> Option<String> {
        match (self.get)(name)?.into_string() {
            Ok(text) => Some(text).filter(|text| !text.trim().is_empty()),
            Err(_) => {
                self.refuse(name, "expected a text");
                None
            }
        }
    }

    /// The variable of traces, else the one of all signals.
    fn get_of_traces(&mut self, what: &str) -> Option<(String, String)> {
        let names = ["TRACES_", ""].map(|of| format!("OTEL_EXPORTER_OTLP_{of}{what}"));
        names
            .into_iter()
            .find_map(|name| self.get(&name).map(|text| (name, text)))
    }

    fn refuse(&mut self, name: &str, message: &str) {
        self.wrong.push(Wrong {
            message: format!("the variable {name}: {message}"),
            source: None,
        });
    }

    /// Takes what is good and notes what is not.
    fn good<T>(&mut self, name: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|message| self.refuse(name, &message)).ok()
    }

    /// `OTEL_SDK_DISABLED`.
    pub fn is_disabled(&mut self) -> bool {
        const NAME: &str = "OTEL_SDK_DISABLED";
        let text = self.get(NAME).unwrap_or_default().to_ascii_lowercase();
        match text.trim() {
            "true" => true,
            "false" | "" => false,
            _ => {
                self.refuse(NAME, "expected `true` or `false`");
                false
            }
        }
    }

    /// `OTEL_TRACES_SAMPLER` with its argument: a rule, or that nothing is recorded.
    pub fn sampling(&mut self) -> Option<Option<Sampling>> {
        const NAME: &str = "OTEL_TRACES_SAMPLER";
        let name = self.get(NAME)?;
        let name = name.trim();
        let is_parent_based = name.starts_with("parentbased_");
        let ratio = match name.trim_start_matches("parentbased_") {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => self.ratio()?,
            _ => {
                self.refuse(
                    NAME,
                    "expected `always_on`, `always_off` or `traceidratio`, or one of them after `parentbased_`",
                );
                return None;
            }
        };
        let sampling = Sampling {
            ratio,
            is_parent_based,
        };
        let is_off = ratio == 0.0 && !is_parent_based;
        Some((!is_off).then_some(sampling))
    }

    fn ratio(&mut self) -> Option<f64> {
        const NAME: &str = "OTEL_TRACES_SAMPLER_ARG";
        let Some(text) = self.get(NAME) else {
            return Some(1.0);
        };
        let ratio = text.trim().parse().ok();
        let ratio = ratio.filter(|ratio| (0.0..=1.0).contains(ratio));
        self.good(
            NAME,
            ratio.ok_or_else(|| "expected a number from 0 to 1".to_owned()),
        )
    }

    /// The receiver of OTLP, where a variable names one.
    pub fn otlp(&mut self) -> Option<Otlp> {
        let (name, address) = self.get_of_traces("ENDPOINT")?;
        let protocol = self.protocol()?;
        let is_base = name == ENDPOINT;
        let endpoint = match (protocol, is_base) {
            (OtlpProtocol::Grpc, _) => Endpoint::of_otlp(&address, None, protocol),
            (OtlpProtocol::Http, true) => Endpoint::parse(&address).map(Endpoint::below_traces),
            (OtlpProtocol::Http, false) => Endpoint::parse(&address),
        };
        let has_scheme = address.contains("://");
        let endpoint = endpoint.and_then(|endpoint| match has_scheme {
            true => Ok(endpoint),
            false => Err("expected a URL, such as `http://localhost:4317`".to_owned()),
        });
        let headers = match self.get_of_traces("HEADERS") {
            Some((name, text)) => self.good(&name, headers(&text)),
            None => Some(Vec::new()),
        };
        let timeout = match self.get_of_traces("TIMEOUT") {
            Some((name, text)) => Some(self.timeout(&name, &text)?),
            None => None,
        };
        Some(Otlp {
            endpoint: self.good(&name, endpoint)?,
            protocol,
            headers: headers?,
            timeout,
        })
    }

    /// The authorities of receivers of OTLP, where a variable names a file of them.
    pub fn trust(&mut self) -> Option<Trust> {
        let (name, path) = self.get_of_traces("CERTIFICATE")?;
        let read = Trust::read(Path::new(&path));
        self.good(
            &name,
            read.map_err(|why| format!("the file `{path}` {why}")),
        )
    }

    fn protocol(&mut self) -> Option<OtlpProtocol> {
        let Some((name, text)) = self.get_of_traces("PROTOCOL") else {
            return Some(OtlpProtocol::Http);
        };
        let protocol = match text.trim() {
            "grpc" => Ok(OtlpProtocol::Grpc),
            "http/protobuf" => Ok(OtlpProtocol::Http),
            _ => Err("expected `grpc` or `http/protobuf`".to_owned()),
        };
        self.good(&name, protocol)
    }

    fn timeout(&mut self, name: &str, text: &str) -> Option<Duration> {
        let timeout = text.trim().parse().ok();
        let timeout = timeout.filter(|time| (1..=MAX_TIMEOUT).contains(time));
        let timeout = timeout.ok_or_else(|| {
            format!("expected a whole number of milliseconds, {MAX_TIMEOUT} at most")
        });
        self.good(name, timeout).map(Duration::from_millis)
    }

    /// The attributes of every span's resource.
    pub fn resource(&mut self) -> Resource {
        const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let written = self.get(NAME).unwrap_or_default();
        let read = attributes(&written);
        let mut attributes = self.good(NAME, read).unwrap_or_default();
        let named = attributes
            .iter()
            .rposition(|(key, _)| key == "service.name");
        let named = named.map(|index| attributes.remove(index).1);
        attributes.retain(|(key, _)| key != "service.name");
        Resource {
            service: self.get("OTEL_SERVICE_NAME").or(named),
            attributes,
        }
    }
}

/// Attributes as `key=value,key=value`, in percent-encoding.
fn attributes(text: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let read = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let (key, value) = (decoded(key.trim())?, decoded(value.trim())?);
        (!key.is_empty()).then_some((key, value))
    };
    let expected = || "expected `key=value,key=value` in percent-encoding".to_owned();
    let all = pairs.map(|pair| read(pair).ok_or_else(expected));
    let all: Vec<_> = all.collect::<Result<_, _>>()?;
    match all.len() > MAX_ATTRIBUTES {
        true => Err(format!("expected at most {MAX_ATTRIBUTES} attributes")),
        false => Ok(all),
    }
}
