//! Grants allow what is written and nothing else.

use super::manifest;
use crate::Grants;

fn grants(lines: &str) -> Grants {
    let text = format!("version: 1\napps:\n- guest: a\n  grants:\n    {lines}\n");
    manifest(&text).apps.remove(0).grants
}

#[test]
fn nothing_is_granted_unless_written() {
    let none = grants("{}");
    assert!(
        !none.state("a")
            && !none.publish("a", "b")
            && !none.subscribe("a", "b")
            && !none.invoke("a")
    );
    assert!(!none.http("https", "a", 443));
    assert!(none.http.is_none());
    assert_eq!(grants("http: []").http, Some(vec![]));
    assert_eq!(none.source.to_string(), "wythe.yaml:3");
}

#[test]
fn topics() {
    let some =
        grants("{ publish: [pubsub/orders/eu, other, third/*], subscribe: ['*'], invoke: ['*'] }");
    assert!(some.publish("pubsub", "orders/eu") && !some.publish("pubsub", "orders"));
    assert!(some.publish("other", "anything") && some.publish("third", "anything"));
    assert!(some.subscribe("any", "thing") && some.invoke("anyone"));
}

#[test]
fn parts_of_components() {
    let some = grants(
        "{ secrets: [payments/key, other], reveal: [payments/key], crypto: ['*'], bindings: [mail/create] }",
    );
    assert!(some.secrets("payments", "key") && !some.secrets("payments", "other"));
    assert!(some.secrets("other", "anything") && !some.reveal("other", "anything"));
    assert!(some.crypto("any", "key"));
    assert!(some.bindings("mail", "create") && !some.bindings("mail", "delete"));
}

#[test]
fn whole_components() {
    let some = grants("{ configuration: [flags], lock: ['*'], listen: [clock] }");
    assert!(some.configuration("flags") && !some.configuration("other"));
    assert!(some.lock("any") && some.listen("clock") && !some.listen("other"));
}

#[test]
fn names_of_jobs() {
    let some = grants("{ jobs: [nightly, 'report-*'] }");
    assert!(some.jobs("nightly") && !some.jobs("nightly2"));
    assert!(some.jobs("report-1") && some.jobs("report-") && !some.jobs("report"));
    assert!(grants("{ jobs: ['*'] }").jobs("anything") && !grants("{}").jobs("anything"));
}

#[test]
fn a_job_name_with_a_slash_is_no_grant() {
    let text = "version: 1\napps:\n- guest: a\n  grants: { jobs: [a/b] }\n";
    let (_, problems) = crate::parse_manifest(text, std::path::Path::new("wythe.yaml"));
    let reported: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert!(
        reported.iter().any(
            |problem| problem.contains("expected a name, `name*` or `*`")
                && problem.contains("found `a/b`")
        ),
        "{reported:?}"
    );
}

#[test]
fn types_of_actors() {
    let some = grants("{ actors: [account, 'shop.Cart'] }");
    assert!(some.actors("account") && some.actors("shop.Cart"));
    assert!(!some.actors("Account") && !some.actors("account2"));
    assert!(grants("{ actors: ['*'] }").actors("anything") && !grants("{}").actors("anything"));
}

#[test]
fn an_actor_type_with_a_slash_is_no_grant() {
    let text = "version: 1\napps:\n- guest: a\n  grants: { actors: [account/a] }\n";
    let (_, problems) = crate::parse_manifest(text, std::path::Path::new("wythe.yaml"));
    let reported: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let expected = "expected a type of actors or `*`";
    assert!(
        reported
            .iter()
            .any(|reported| reported.contains(expected) && reported.contains("found `account/a`")),
        "{reported:?}"
    );
}

/// Compares what a pattern grants with the addresses it should grant and those it should not.
#[track_caller]
fn check(pattern: &str, yes: &str, no: &str) {
    let grants = grants(&format!("http: ['{pattern}']"));
    for (expected, addresses) in [(true, yes), (false, no)] {
        for address in addresses.split_whitespace() {
            let (scheme, rest) = address.split_once("://").expect("a scheme");
            let (host, port) = rest.rsplit_once(':').expect("a port");
            let granted = grants.http(scheme, host, port.parse().expect("a number"));
            assert_eq!(granted, expected, "{pattern} for {address}");
        }
    }
    assert_eq!(grants.http.expect("one pattern")[0].to_string(), pattern);
}

#[test]
fn named_hosts() {
    check(
        "api.example.com",
        "https://api.example.com:443 http://API.example.com.:80",
        "https://api.example.com:8443 http://api.example.com:443 https://example.com:443
         ftp://api.example.com:443 https://a.api.example.com:443",
    );
    check(
        "*.example.com:8443",
        "https://a.example.com:8443 http://a.b.example.com:8443",
        "https://example.com:8443 https://.example.com:8443 https://badexample.com:8443
         https://a.example.com.evil.org:8443 https://a.example.com:443",
    );
    check(
        "localhost:3000",
        "http://localhost:3000",
        "http://127.0.0.1:3000 http://[::1]:3000",
    );
    check(
        "*.localhost",
        "",
        "http://a.localhost:80 http://localhost:80",
    );
}

#[test]
fn addresses() {
    check(
        "http://10.0.0.1:9000",
        "http://10.0.0.1:9000 http://[::ffff:10.0.0.1]:9000",
        "https://10.0.0.1:9000 http://10.0.0.2:9000 http://10.1:9000 http://10.0.0.1:80",
    );
    check(
        "[::1]:80",
        "http://[::1]:80 http://::1:80",
        "http://127.0.0.1:80 http://localhost:80",
    );
}

#[test]
fn everything_public() {
    check(
        "https://*",
        "https://example.com:443 https://8.8.8.8:443",
        "http://example.com:80 https://localhost:443 https://a.localhost:443 https://10.0.0.1:443
         https://169.254.169.254:443 https://[::1]:443 https://2130706433:443 https://0x7f.1:443
         https://127.1:443",
    );
}
