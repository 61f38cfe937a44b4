//! The plan that files and variables make.

use super::*;
use std::{collections::BTreeMap, path::Path};
use wythe_manifest::{OtlpProtocol, parse_resources};

fn tracing(text: &str) -> Tracing {
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: a }}\nspec: {{ tracing: {text} }}\n"
    );
    let (resources, problems) = parse_resources(&text, Path::new("a.yaml"));
    assert_eq!(problems.to_string(), "");
    resources.configurations[0].tracing.clone().unwrap()
}

fn plan(text: Option<&str>, variables: &[(&str, &str)]) -> Result<Plan, Vec<String>> {
    let tracing = text.map(tracing);
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    let get = |name: &str| variables.get(name).map(OsString::from);
    let plan = Plan::new(tracing.as_ref(), &get);
    plan.map_err(|wrong| wrong.into_iter().map(|one| one.message).collect())
}

fn otlp(variables: &[(&str, &str)]) -> (String, OtlpProtocol) {
    let otlp = plan(None, variables).unwrap().otlp.unwrap();
    (otlp.endpoint.url().to_owned(), otlp.protocol)
}

#[test]
fn nothing_said_is_nothing_done() {
    let nothing = plan(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).unwrap();
    assert!(nothing.otlp.is_none() && nothing.sampling.is_none());
}

#[test]
fn variables_name_a_receiver() {
    let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318/x/");
    let http = OtlpProtocol::Http;
    assert_eq!(otlp(&[base]), ("http://a:4318/x/v1/traces".into(), http));
    let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://b/mine");
    assert_eq!(otlp(&[base, own]), ("http://b/mine".into(), http));
    let grpc = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ];
    assert_eq!(otlp(&grpc), ("http://a:4317".into(), OtlpProtocol::Grpc));
    let more = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=2"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
    ];
    let otlp = plan(None, &more).unwrap().otlp.unwrap();
    assert_eq!(otlp.headers.len(), 1);
    assert_eq!(otlp.headers[0].0, "b");
    assert_eq!(otlp.timeout.unwrap().as_millis(), 1_500);
}

/// A header that is meant for one receiver must not be sent to another.
#[test]
fn a_receiver_of_the_file_wins_and_gets_no_header_of_the_environment() {
    let file = "{ otel: { endpointAddress: 'http://file', protocol: http } }";
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://variable"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret"),
    ];
    let otlp = plan(Some(file), &variables).unwrap().otlp.unwrap();
    assert_eq!(otlp.endpoint.url(), "http://file/v1/traces");
    assert!(otlp.headers.is_empty());
}

#[test]
fn samplers_are_as_in_dapr_and_opentelemetry() {
    let sampler = ("OTEL_TRACES_SAMPLER", "traceidratio");
    let argument = ("OTEL_TRACES_SAMPLER_ARG", "0.25");
    let rule = |text: Option<&str>, variables: &[(&str, &str)]| {
        let sampling = plan(text, variables).unwrap().sampling;
        sampling.map(|one| (one.ratio, one.is_parent_based))
    };
    assert_eq!(
        rule(Some("{ samplingRate: '0.5' }"), &[sampler]),
        Some((0.5, true))
    );
    assert_eq!(rule(Some("{ stdout: true }"), &[]), Some((0.0001, true)));
    assert_eq!(
        rule(Some("{ stdout: true }"), &[sampler, argument]),
        Some((0.25, false))
    );
    let parent = ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
    assert_eq!(rule(None, &[parent, argument]), Some((0.25, true)));
    let on = ("OTEL_TRACES_SAMPLER", "always_on");
    assert_eq!(rule(None, &[on]), Some((1.0, false)));
}

#[test]
fn nothing_is_recorded_by_0_or_where_the_sdk_is_disabled() {
    let file = "{ samplingRate: '0', stdout: true, zipkin: { endpointAddress: 'http://a' } }";
    let none = plan(Some(file), &[]).unwrap();
    assert!(!none.is_printed && none.zipkin.is_none() && none.otlp.is_none());
    assert_eq!(none.sampling.map(|one| one.ratio), Some(0.0));
    let off = [
        ("OTEL_TRACES_SAMPLER", "always_off"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"),
    ];
    assert!(plan(None, &off).unwrap().otlp.is_none());
    let disabled = [
        ("OTEL_SDK_DISABLED", "TRUE"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"),
    ];
    let disabled = plan(Some("{ samplingRate: '1', stdout: true }"), &disabled).unwrap();
    assert!(!disabled.is_printed && disabled.otlp.is_none() && disabled.sampling.is_none());
}

#[test]
fn the_resource_is_what_variables_say() {
    let variables = [
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=a,deployment.environment.name=pro%64",
        ),
        ("OTEL_SERVICE_NAME", "b"),
    ];
    let of = |variables: &[(&str, &str)]| plan(None, variables).unwrap().resource;
    let expected = vec![("deployment.environment.name".to_owned(), "prod".to_owned())];
    let both = of(&variables);
    assert_eq!(
        (both.service.as_deref(), &both.attributes),
        (Some("b"), &expected)
    );
    assert_eq!(of(&variables[..1]).service.as_deref(), Some("a"));
}

#[test]
fn every_wrong_variable_is_told_without_its_value() {
    let wrong = [
        ("OTEL_SDK_DISABLED", "secret"),
        ("OTEL_TRACES_SAMPLER", "secret"),
        ("OTEL_RESOURCE_ATTRIBUTES", "secret"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "secret:4317"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ];
    let reported = plan(None, &wrong).unwrap_err();
    assert_eq!(reported.len(), 5, "{reported:#?}");
    for (name, _) in &wrong[..5] {
        assert!(
            reported.iter().any(|one| one.contains(name)),
            "{name}: {reported:#?}"
        );
    }
    assert!(
        reported.iter().all(|one| !one.contains("secret")),
        "{reported:#?}"
    );
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "10s"),
    ] {
        let reported = plan(
            None,
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"), (name, value)],
        );
        assert!(reported.unwrap_err()[0].contains(name), "{name}");
    }
    let ratio = [
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
    ];
    assert!(plan(None, &ratio).unwrap_err()[0].contains("OTEL_TRACES_SAMPLER_ARG"));
}
