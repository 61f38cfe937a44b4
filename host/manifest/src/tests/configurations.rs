//! `kind: Configuration`: scopes of secrets, and what is accepted beside them.

use super::{check, resources};
use crate::Access;

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
fn what_else_dapr_has_is_told_once() {
    check(
        "a.yaml",
        &format!(
            "{HEAD}spec:\n  tracing: {{ samplingRate: \"1\" }}\n  mtls: {{ enabled: true }}\n"
        ),
        "a.yaml:5:3: warning: spec.tracing: not used yet\na.yaml:6:3: warning: spec.mtls: not used yet",
    );
}

#[test]
fn mistakes_are_told() {
    check(
        "a.yaml",
        &format!("{HEAD}spec: {{ tracng: {{}} }}\n"),
        "a.yaml:4:9: spec.tracng: unknown key; expected one of `secrets`, `accessControl`, `api`, `appHttpPipeline`, `components`, `features`, `httpPipeline`, `logging`, `metric`, `metrics`, `mtls`, `nameResolution`, `tracing`, `wasm`, `workflow`; did you mean `tracing`?",
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
        "a.yaml:4:29: warning: spec.secrets.scopes: no secret store is called `valt`; did you mean `vault`?",
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
