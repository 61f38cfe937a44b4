//! `kind: Configuration`: scopes of secrets, and what is accepted beside them.

use super::{check, resources};
use crate::{Access, Configuration, Problems, Resources, Source, configuration, parse_resources};
use std::path::Path;

const HEAD: &str =
    "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: settings }\n";
const STORE: &str = "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: vault }\nspec: { type: secretstores.test }\n";

fn scopes(list: &str) -> String {
    format!("{HEAD}spec: {{ secrets: {{ scopes: [{list}] }} }}\n")
}

#[test]
fn a_scope_allows_as_in_dapr() {
    let cases = [
        ("storeName: vault", [true, true, true]),
        (
            "storeName: vault, defaultAccess: deny",
            [false, false, false],
        ),
        (
            "storeName: vault, allowedSecrets: [a]",
            [true, false, false],
        ),
        (
            "storeName: vault, defaultAccess: deny, allowedSecrets: [a, b]",
            [true, true, false],
        ),
        (
            "storeName: vault, defaultAccess: Allow, deniedSecrets: [a]",
            [false, true, true],
        ),
        (
            "storeName: vault, allowedSecrets: [a, b], deniedSecrets: [a]",
            [false, true, false],
        ),
    ];
    for (scope, expected) in cases {
        let found = resources(&[&scopes(&format!("{{ {scope} }}")), STORE].concat());
        let scope = &found.configurations[0].secrets[0];
        assert_eq!(["a", "b", "c"].map(|name| scope.allows(name)), expected);
    }
}

#[test]
fn access_is_deny_only_where_it_is_written() {
    let found = resources(&[&scopes("{ storeName: vault }"), STORE].concat());
    assert_eq!(
        found.configurations[0].secrets[0].default_access,
        Access::Allow
    );
}

#[test]
fn what_forbids_nothing_is_told_once() {
    check(
        "a.yaml",
        &format!("{HEAD}spec:\n  features: [{{ name: a }}]\n  logging: {{}}\n"),
        "a.yaml:5:3: warning: spec.features: not used yet\na.yaml:6:3: warning: spec.logging: not used yet",
    );
}

#[test]
fn metrics_by_daprs_names_are_there_unless_they_are_switched_off() {
    let shown = |spec: &str| {
        let found = resources(&format!("{HEAD}spec: {{ {spec} }}\n"));
        found.configurations[0].metric
    };
    assert!(shown(""));
    assert!(shown("metric: {}"));
    assert!(!shown(
        "metrics: { enabled: false, http: { excludeVerbs: true, increasedCardinality: false }, rules: [] }"
    ));
}

const UNCOUNTED: [(&str, &str); 6] = [
    (
        "metric: { latencyDistributionBuckets: [1, 2] }",
        "a.yaml:4:47: spec.metric.latencyDistributionBuckets: the buckets of latencies are fixed, from 10 µs to 10 s; leave it out",
    ),
    (
        "metric: { recordErrorCodes: true }",
        "a.yaml:4:37: spec.metric.recordErrorCodes: error codes are not counted; `wythe_calls_total` has kinds of errors; leave it out",
    ),
    (
        "metric: { rules: [{ name: a, labels: [] }] }",
        "a.yaml:4:26: spec.metric.rules: labels have only names that the project has, and are not rewritten; leave it out",
    ),
    (
        "metric: { http: { increasedCardinality: true } }",
        "a.yaml:4:49: spec.metric.http.increasedCardinality: paths and methods are words of clients, and no labels; leave it out",
    ),
    (
        "metrics: { http: { pathMatching: [/a] } }",
        "a.yaml:4:42: spec.metrics.http.pathMatching: paths are words of clients, and no labels; leave it out",
    ),
    (
        "metric: {}, metrics: {}",
        "a.yaml:4:30: spec.metrics: `metric` is written as well; expected one of the two",
    ),
];

#[test]
fn what_metrics_cannot_be_is_an_error() {
    for (spec, expected) in UNCOUNTED {
        check("a.yaml", &format!("{HEAD}spec: {{ {spec} }}\n"), expected);
    }
}

const UNENFORCED: [(&str, &str); 6] = [
    (
        "mtls: { enabled: true }",
        "mtls: not enforced: calls between the apps",
    ),
    (
        "mtls: { enabled: false, workloadCertTTL: 1h }",
        "mtls: not enforced",
    ),
    (
        "nameResolution: { component: consul }",
        "nameResolution: not enforced",
    ),
    ("wasm: { strictSandbox: true }", "wasm: not enforced"),
    (
        "workflow: { maxConcurrentWorkflowInvocations: 1 }",
        "workflow: not enforced",
    ),
    ("mtls: yes", "mtls: not enforced"),
];

#[test]
fn what_is_not_enforced_is_an_error() {
    for (written, expected) in UNENFORCED {
        let (_, problems) =
            parse_resources(&format!("{HEAD}spec:\n  {written}\n"), Path::new("a.yaml"));
        let reported = problems.to_string();
        assert!(
            reported.starts_with(&format!("a.yaml:5:3: spec.{expected}")),
            "{written}: {reported}"
        );
        assert!(reported.contains("leave it out"), "{reported}");
    }
    for idle in [
        "httpPipeline: { handlers: [] }",
        "appHttpPipeline: {}",
        "mtls: { enabled: false }",
        "mtls:",
        "wasm: { strictSandbox: false }",
    ] {
        check("a.yaml", &format!("{HEAD}spec:\n  {idle}\n"), "");
    }
}

/// A document of handlers before apps, as one of several.
fn before(name: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: {name} }}\n\
         spec: {{ appHttpPipeline: {{ handlers: [{{ name: a, type: middleware.http.uppercase }}] }} }}\n{rest}"
    )
}

#[test]
fn an_app_has_its_handlers_in_one_document() {
    let (one, two) = (
        before("a", "scopes: [cart]\n"),
        before("b", "scopes: [shop]\n"),
    );
    let found = resources(&[one.as_str(), &two].concat());
    assert_eq!(found.configurations.len(), 2);
    assert_eq!(found.configurations[1].app_pipeline.len(), 1);
    let expected = |line| {
        format!(
            "a.yaml:{line}:1: spec.appHttpPipeline: an app has handlers already in a.yaml:2; write all of its handlers in one document, in the order in which they run"
        )
    };
    for other in [before("b", "scopes: [shop, cart]\n"), before("b", "")] {
        check("a.yaml", &[one.as_str(), &other].concat(), &expected(8));
    }
    let namespace = |name| before("b", "scopes: [cart]\n").replace("{ name: b }", name);
    check(
        "a.yaml",
        &[one.as_str(), &namespace("{ name: b, namespace: x }")].concat(),
        &expected(8),
    );
}

#[test]
fn a_kind_that_forbids_something_is_an_error() {
    check(
        "a.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: WorkflowAccessPolicy\nmetadata: { name: p }\n",
        "a.yaml:2:7: kind: `WorkflowAccessPolicy` `p` is not enforced: leave it out; the grants `workflow` and `invoke` say which app may start and call what",
    );
}

#[test]
fn mistakes_are_told() {
    check(
        "a.yaml",
        &format!("{HEAD}spec: {{ tracng: {{}} }}\n"),
        "a.yaml:4:9: spec.tracng: unknown key; expected one of `secrets`, `accessControl`, `api`, `components`, `appHttpPipeline`, `features`, `httpPipeline`, `logging`, `metric`, `metrics`, `mtls`, `nameResolution`, `tracing`, `wasm`, `workflow`; did you mean `tracing`?",
    );
    check(
        "a.yaml",
        &scopes("{ storeName: vault, defaultAccess: never }"),
        "a.yaml:4:64: spec.secrets.scopes[0].defaultAccess: expected `allow` or `deny`, found `never`",
    );
    check(
        "a.yaml",
        &scopes("{ defaultAccess: deny }"),
        "a.yaml:4:29: spec.secrets.scopes[0]: missing `storeName`: the secret store that it is about",
    );
    check(
        "a.yaml",
        &[&scopes("{ storeName: valt }"), STORE].concat(),
        "a.yaml:4:29: spec.secrets.scopes: no secret store is called `valt`; did you mean `vault`?",
    );
}

#[test]
fn a_store_has_one_scope() {
    let again = format!(
        "---\n{}",
        scopes("{ storeName: vault, deniedSecrets: [a] }")
    );
    check(
        "a.yaml",
        &[&scopes("{ storeName: vault }"), STORE, &again].concat(),
        "a.yaml:14:29: spec.secrets.scopes: the secret store `vault` has its scope already in a.yaml:4; write one for both",
    );
}

/// The lines of scopes that are refused, each with that of the scope which is told as the other: found by looking at all.
fn met_one_by_one(all: &[Configuration]) -> Vec<(u32, u32)> {
    let mut before: Vec<(&Configuration, &str, &Source)> = Vec::new();
    let mut met = Vec::new();
    for configuration in all {
        for scope in &configuration.secrets {
            let meets = |other: &&(&Configuration, &str, &Source)| {
                let (one, two) = (&configuration.namespace, &other.0.namespace);
                other.1 == scope.store.as_str() && (one.is_none() || two.is_none() || one == two)
            };
            if let Some((_, _, other)) = before.iter().find(meets) {
                met.push((scope.source.line, other.line));
            }
            before.push((configuration, scope.store.as_str(), &scope.source));
        }
    }
    met
}

#[test]
fn scopes_that_meet_are_found_as_by_looking_at_all() {
    let of = |store: &str, namespace: Option<&str>| {
        let text = scopes(&format!("{{ storeName: {store} }}"));
        let (found, _) = parse_resources(&text, Path::new("a.yaml"));
        let mut one = found.configurations[0].clone();
        one.namespace = namespace.map(|name| name.parse().expect("a name"));
        one
    };
    let namespaces = [None, Some("one"), Some("two"), Some("three")];
    let kinds = namespaces.map(|namespace| ["vault", "safe"].map(|store| of(store, namespace)));
    let kinds = kinds.as_flattened();
    // Every order of four scopes of two stores in four namespaces.
    for case in 0..kinds.len().pow(4) {
        let which = (0..4).map(|place| case / kinds.len().pow(place) % kinds.len());
        let configurations = which.zip(1..).map(|(which, line)| {
            let mut one = kinds[which].clone();
            one.secrets[0].source.line = line;
            one
        });
        let mut found = Resources {
            configurations: configurations.collect(),
            ..Resources::default()
        };
        let mut problems = Problems::default();
        configuration::check(&mut found, &mut problems);
        let lines = problems.0.iter().filter_map(|problem| {
            let (_, other) = problem.message.split_once("already in a.yaml:")?;
            let (other, _) = other.split_once(';')?;
            Some((problem.line, other.parse().expect("a line")))
        });
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines, met_one_by_one(&found.configurations), "{case}");
    }
}
