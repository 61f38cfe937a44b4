//! `tracing`: what is read of it, and each mistake with its place.

use super::{check, resources};
use crate::{
    Configuration, Name, OtlpProtocol, Same, Tracing, decoded, headers, parse_host_file,
    parse_resources,
};
use std::path::Path;

const HEAD: &str =
    "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: settings }\n";

fn text(tracing: &str) -> String {
    format!("{HEAD}spec: {{ tracing: {tracing} }}\n")
}

#[track_caller]
fn tracing(tracing: &str) -> Tracing {
    let found: Vec<Configuration> = resources(&text(tracing)).configurations;
    found[0].tracing.clone().expect("tracing")
}

#[test]
fn what_dapr_writes_is_read() {
    let found = tracing(
        "{ samplingRate: '0.5', stdout: true, zipkin: { endpointAddress: 'http://localhost:9411/api/v2/spans' }, \
         otel: { endpointAddress: 'localhost:4317', isSecure: false, protocol: grpc, timeout: 3s, \
         headers: [{ name: X-Token, value: secret }] } }",
    );
    assert_eq!((found.sampling_rate, found.stdout), (Some(0.5), true));
    let zipkin = found.zipkin.as_ref().expect("zipkin");
    assert_eq!(zipkin.url(), "http://localhost:9411/api/v2/spans");
    let otlp = found.otlp.as_ref().expect("otlp");
    assert_eq!(otlp.endpoint.url(), "http://localhost:4317");
    assert_eq!(otlp.protocol, OtlpProtocol::Grpc);
    assert_eq!(otlp.timeout.map(|time| time.as_secs()), Some(3));
    assert_eq!(
        (otlp.headers[0].0.as_str(), otlp.headers[0].1.reveal()),
        ("x-token", "secret")
    );
    assert!(!format!("{found:?}").contains("secret"), "{found:?}");
}

#[test]
fn an_address_becomes_a_url() {
    let url = |otel: &str| {
        let found = tracing(&format!("{{ otel: {{ {otel} }} }}"));
        found.otlp.expect("otlp").endpoint.url().to_owned()
    };
    for (otel, expected) in [
        (
            "endpointAddress: 'a:4318', protocol: http",
            "https://a:4318/v1/traces",
        ),
        (
            "endpointAddress: 'a:4318', protocol: http, isSecure: false",
            "http://a:4318/v1/traces",
        ),
        (
            "endpointAddress: 'http://a/mine', protocol: http",
            "http://a/mine",
        ),
        (
            "endpointAddress: 'https://[::1]:4317', protocol: grpc",
            "https://[::1]:4317",
        ),
    ] {
        assert_eq!(url(otel), expected);
    }
    let none = tracing("{ zipkin: { endpointAddress: '' } }");
    assert!(none.zipkin.is_none());
}

#[test]
fn mistakes_are_told() {
    let at = |tracing: &str, expected: &str| check("a.yaml", &text(tracing), expected);
    let url = "expected a URL, such as `http://localhost:4318`, without user, query and fragment";
    at(
        "{ samplingRate: '2' }",
        "a.yaml:4:34: spec.tracing.samplingRate: expected a number from 0 to 1, such as `0.1`, found `2`",
    );
    at(
        "{ samplingRate: NaN }",
        "a.yaml:4:34: spec.tracing.samplingRate: expected a number from 0 to 1, such as `0.1`, found `NaN`",
    );
    at(
        "{ zipkin: { endpointAddress: 'localhost:9411' } }",
        &format!("a.yaml:4:47: spec.tracing.zipkin.endpointAddress: {url}"),
    );
    at(
        "{ zipkin: { endpointAddress: 'http://u:p@a/' } }",
        "a.yaml:4:47: spec.tracing.zipkin.endpointAddress: a user in a URL is a secret in every log; write `headers` for it",
    );
    let otel = |more: &str| format!("{{ otel: {{ protocol: grpc, endpointAddress: {more} }} }}");
    at(
        &otel("'http://a/path'"),
        "a.yaml:4:61: spec.tracing.otel.endpointAddress: expected no path: gRPC has one of its own",
    );
    at(
        &otel("'http://a', isSecure: true"),
        "a.yaml:4:61: spec.tracing.otel.endpointAddress: `isSecure` says otherwise than the URL; leave it out",
    );
    at(
        &otel("'a:0'"),
        &format!("a.yaml:4:61: spec.tracing.otel.endpointAddress: {url}"),
    );
    at(
        &otel("a, headers: 'host=b'"),
        "a.yaml:4:73: spec.tracing.otel.headers: the header `host` is the exporter's own",
    );
    at(
        &otel("a, timeout: 2h"),
        "a.yaml:4:73: spec.tracing.otel.timeout: expected a time of 60 s at most, such as `10s`",
    );
}

#[test]
fn a_tenant_has_one() {
    let configuration = |namespace: &str| {
        format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: c{namespace}, namespace: {namespace} }}\n\
             spec: {{ tracing: {{ stdout: true }} }}\n---\n"
        )
    };
    check(
        "a.yaml",
        &[configuration("a"), configuration("b")].concat(),
        "",
    );
    check(
        "a.yaml",
        &[configuration("a"), text("{ stdout: true }")].concat(),
        "a.yaml:9:18: spec.tracing: `tracing` is written already in a.yaml:4; write one for both",
    );
    // One for all meets each of the others, and the first of them is named.
    let all = text("{ stdout: true }") + "---\n";
    check(
        "a.yaml",
        &[
            configuration("a"),
            all,
            configuration("b"),
            configuration("a"),
        ]
        .concat(),
        "a.yaml:9:18: spec.tracing: `tracing` is written already in a.yaml:4; write one for both\n\
         a.yaml:14:18: spec.tracing: `tracing` is written already in a.yaml:9; write one for both\n\
         a.yaml:19:18: spec.tracing: `tracing` is written already in a.yaml:4; write one for both",
    );
}

/// A tenant must not make the host connect to where it likes.
#[test]
fn a_tenant_may_not_say_where_a_host_of_many_sends() {
    let operator = "apiVersion: wythe/v1\nkind: Host\nspec: { tracing: { stdout: true } }\n---\n\
                    apiVersion: wythe/v1\nkind: Tenant\nmetadata: { name: '*' }\nspec: {}\n";
    let (file, problems) = parse_host_file(operator, Path::new("wythe-host.yaml"));
    assert_eq!(problems.to_string(), "");
    assert!(file.tracing.as_ref().is_some_and(|tracing| tracing.stdout));
    let tenant: Name = "shop".parse().unwrap();
    let terms = file.terms(&tenant);
    let (resources, _) = parse_resources(&text("{ stdout: true }"), Path::new("a.yaml"));
    assert_eq!(
        terms.check_resources(&resources).to_string(),
        "a.yaml:4:18: spec.tracing: a tenant may not say where this host sends traces, its operator does, in `tracing` of \
         `kind: Host`; leave it out here: wythe-host.yaml:5"
    );
}

#[test]
fn headers_of_a_variable_are_read() {
    let read = headers("a=b%20c, X-Other = d").unwrap();
    let shown: Vec<_> = read
        .iter()
        .map(|(name, value)| (name.as_str(), value.reveal()))
        .collect();
    assert_eq!(shown, [("a", "b c"), ("x-other", "d")]);
    for wrong in [
        "secret",
        "a=%zz",
        "a=%0d%0asecret",
        "a b=secret",
        "te=secret",
    ] {
        let error = headers(wrong).unwrap_err();
        assert!(!error.contains("secret") || wrong == "secret", "{error}");
    }
    assert_eq!(decoded("%e4"), None);
}

#[test]
fn tracing_is_compared_by_what_it_says() {
    let one = tracing(
        "{ samplingRate: '1', otel: { endpointAddress: a, protocol: grpc, headers: 'a=b' } }",
    );
    let same = tracing(
        "{ otel: { headers: 'a=b', protocol: grpc, endpointAddress: a }, samplingRate: '1' }",
    );
    let other = tracing(
        "{ samplingRate: '1', otel: { endpointAddress: a, protocol: grpc, headers: 'a=c' } }",
    );
    assert!(one.is_same(&same) && !one.is_same(&other));
}
