//! The word of `accessControl` about a call.

use super::*;
use crate::{Access, Name, Resources, Same, Subject, path_segments};

/// The answer to a call by `app` of the tenant `default`, or by a client, whose name has a colon.
fn decided(found: &Resources, caller: &str, verb: &str, path: &str) -> (Access, u32) {
    let name = |text: &str| text.parse::<Name>().expect("a name");
    let control = found.configurations[0].access.as_ref().expect("policies");
    let caller = match caller {
        "" => Subject::Stranger,
        client if client.contains(':') => Subject::Client(client.parse().expect("a client")),
        app => Subject::App {
            namespace: name("default"),
            app: name(app),
        },
    };
    let decision = control.decide(&caller, verb, &path_segments(path));
    (decision.access, decision.source.line)
}

#[test]
fn the_nearest_word_decides() {
    let text = format!(
        "{HEAD}spec:
  accessControl:
    defaultAction: Deny
    trustDomain: corp
    policies:
      - appId: a
        namespace: default
        trustDomain: corp
        defaultAction: ALLOW
        operations:
          - {{ name: /x, httpVerb: [get], action: deny }}
      - appId: b
        namespace: default
        operations:
          - {{ name: /x, httpVerb: ['*'], action: allow }}
"
    );
    let found = resources(&text);
    for (app, verb, path, expected) in [
        ("a", "GET", "/x", (Access::Deny, 14)),
        ("a", "PUT", "/x", (Access::Allow, 9)),
        ("a", "GET", "/y", (Access::Allow, 9)),
        ("b", "PUT", "/x", (Access::Allow, 18)),
        // A policy without a default action has that of the document.
        ("b", "PUT", "/y", (Access::Deny, 6)),
        ("c", "GET", "/x", (Access::Deny, 6)),
    ] {
        assert_eq!(
            decided(&found, app, verb, path),
            expected,
            "{app} {verb} {path}"
        );
    }
}

#[test]
fn a_client_has_a_policy_of_its_own() {
    let text = format!(
        "{HEAD}spec:
  accessControl:
    policies:
      - client: uri:spiffe://example.org/partner
        operations:
          - {{ name: /orders/**, httpVerb: [GET], action: allow }}
      - client: 'cn:Plain Name'
        defaultAction: allow
      - {{ appId: a, namespace: default, defaultAction: allow }}
"
    );
    let found = resources(&text);
    for (caller, verb, path, expected) in [
        (
            "uri:spiffe://example.org/partner",
            "GET",
            "/orders/1",
            (Access::Allow, 9),
        ),
        (
            "uri:spiffe://example.org/partner",
            "PUT",
            "/orders/1",
            (Access::Deny, 6),
        ),
        (
            "uri:spiffe://example.org/partners",
            "GET",
            "/orders/1",
            (Access::Deny, 6),
        ),
        ("cn:Plain Name", "PUT", "/x", (Access::Allow, 10)),
        // A name is one of its kind.
        ("dns:Plain Name", "PUT", "/x", (Access::Deny, 6)),
        ("", "GET", "/orders/1", (Access::Deny, 6)),
        ("a", "GET", "/x", (Access::Allow, 12)),
    ] {
        assert_eq!(
            decided(&found, caller, verb, path),
            expected,
            "{caller} {verb} {path}"
        );
    }
}

#[test]
fn policies_of_clients_are_told_by_their_names() {
    let control = |text: &str| resources(text).configurations[0].access.clone().unwrap();
    assert!(!control(&policy(CALLER)).names_clients());
    assert!(control(&policy("client: 'cn:a'")).names_clients());
    let one = &control(&policy("client: 'cn:a'")).policies[0];
    assert!(one.is_same(&control(&policy("client: 'cn:a'")).policies[0]));
    assert!(!one.is_same(&control(&policy("client: 'cn:b'")).policies[0]));
}

#[test]
fn what_is_not_written_is_denied_where_there_are_policies() {
    for (control, expected) in [
        ("policies: [{ appId: b, namespace: default }]", Access::Deny),
        (
            "defaultAction: allow, policies: [{ appId: b, namespace: default }]",
            Access::Allow,
        ),
        ("defaultAction: deny", Access::Deny),
        ("trustDomain: public", Access::Allow),
    ] {
        let found = resources(&spec(&format!("accessControl: {{ {control} }}")));
        assert_eq!(decided(&found, "a", "GET", "/").0, expected, "{control}");
    }
    for nothing in [
        "accessControl:",
        "accessControl: {}",
        "accessControl: { policies: [] }",
    ] {
        assert!(resources(&spec(nothing)).configurations[0].access.is_none());
    }
}
