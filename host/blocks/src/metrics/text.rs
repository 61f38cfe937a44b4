//! The two forms of a page: Prometheus text 0.0.4, and OpenMetrics 1.0.

use super::{
    exemplar::Exemplar,
    page::{Family, Histogram, Rows, Type, Value},
};
use crate::time::timestamp;
use std::{borrow::Cow, fmt::Write as _};

/// The form of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text exposition format, version 0.0.4.
    Prometheus,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The value of `content-type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The units that a name may end with.
const UNITS: [&str; 2] = ["seconds", "bytes"];

/// A value of a label, as both formats want it.
pub(super) fn escaped(value: &str) -> Cow<'_, str> {
    match value.contains(['\\', '"', '\n', '\r']) {
        false => Cow::Borrowed(value),
        true => Cow::Owned(
            value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace(['\n', '\r'], "\\n"),
        ),
    }
}

/// Writes one metric with all of its rows.
pub(super) fn write<'a>(
    text: &mut String,
    format: Format,
    family: &Family,
    tenants: impl Iterator<Item = &'a Rows>,
) {
    write_head(text, format, family);
    for (labels, value) in tenants.flatten() {
        match value {
            Value::Number(value) => {
                let _ = writeln!(text, "{}{} {value}", family.name, braces(labels));
            }
            Value::Histogram(histogram) => {
                write_histogram(text, format, family.name, labels, histogram);
            }
        }
    }
}

/// Ends a page.
pub(super) fn end(text: &mut String, format: Format) {
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
}

/// Writes the lines before the rows. In OpenMetrics a counter is named without `_total`, which its rows have; one of Dapr's
/// that has none is no counter there, for its rows would be named otherwise.
fn write_head(text: &mut String, format: Format, family: &Family) {
    let plain = family.name.strip_suffix("_total");
    let (name, kind) = match (format, family.kind, plain) {
        (Format::OpenMetrics, Type::Counter, Some(plain)) => (plain, "counter"),
        (Format::OpenMetrics, Type::Counter, None) => (family.name, "unknown"),
        (_, Type::Counter, _) => (family.name, "counter"),
        (_, Type::Gauge, _) => (family.name, "gauge"),
        (_, Type::Histogram, _) => (family.name, "histogram"),
    };
    let _ = writeln!(text, "# HELP {name} {}", family.help);
    let _ = writeln!(text, "# TYPE {name} {kind}");
    let is_unit = |unit: &&&str| {
        name.strip_suffix(**unit)
            .is_some_and(|name| name.ends_with('_'))
    };
    if let (Format::OpenMetrics, Some(unit)) = (format, UNITS.iter().find(is_unit)) {
        let _ = writeln!(text, "# UNIT {name} {unit}");
    }
}

fn write_histogram(
    text: &mut String,
    format: Format,
    name: &str,
    labels: &str,
    histogram: &Histogram,
) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut count = 0;
    for bucket in &histogram.buckets {
        count += bucket.count;
        let le = bound(format, bucket.bound);
        let _ = write!(text, "{name}_bucket{{{labels}{comma}le=\"{le}\"}} {count}");
        if let (Format::OpenMetrics, Some(exemplar)) = (format, &bucket.exemplar) {
            write_exemplar(text, exemplar);
        }
        text.push('\n');
    }
    let (labels, sum) = (braces(labels), histogram.sum);
    let _ = writeln!(text, "{name}_sum{labels} {sum}");
    let _ = writeln!(text, "{name}_count{labels} {count}");
}

fn write_exemplar(text: &mut String, exemplar: &Exemplar) {
    let Exemplar {
        trace,
        span,
        seconds,
        at,
    } = exemplar;
    let at = timestamp(*at) as f64 / 1e3;
    let _ = write!(
        text,
        " # {{trace_id=\"{trace:032x}\",span_id=\"{span:016x}\"}} {seconds} {at:.3}"
    );
}

/// OpenMetrics wants a bound to be written as a float.
fn bound(format: Format, bound: f64) -> String {
    match (bound.is_infinite(), format) {
        (true, _) => "+Inf".to_owned(),
        (false, Format::OpenMetrics) if bound.fract() == 0.0 => format!("{bound:.1}"),
        (false, _) => bound.to_string(),
    }
}

fn braces(labels: &str) -> Cow<'_, str> {
    match labels.is_empty() {
        true => Cow::Borrowed(""),
        false => Cow::Owned(format!("{{{labels}}}")),
    }
}
