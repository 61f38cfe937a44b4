//! Resource files that are right.

use std::time::Duration;

use super::resources;
use crate::{Rule, Value};

const COMPONENTS: &str = r#"
# As it is written for Dapr.
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
  namespace: acme
  labels: { team: shop }
  annotations:
    anything: [goes, here]
spec:
  type: state.redis
  version: v2
  ignoreErrors: true
  initTimeout: 1m
  requires: [ttl, transactions]
  metadata:
    - name: redisHost
      value: localhost:6379
    - name: redisPassword
      value: ""
    - name: redisDB
      value: 010
    - name: maxRetryBackoff
      value: 1.50
    - name: enableTLS
      value: no
    - name: actorStateStore
      value: "true"
    - name: nothing
      value:
    - name: text
      value: |
        two
        lines
scopes:
  - cart
  - orders
---
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: bus.eu }
spec: { type: pubsub.azure.servicebus.topics }
"#;

#[test]
fn components() {
    let found = resources(COMPONENTS);
    let [store, bus] = found.components.as_slice() else {
        panic!("two components")
    };
    assert_eq!(
        (
            store.block.as_str(),
            store.driver.as_str(),
            store.version.as_str()
        ),
        ("state", "redis", "v2")
    );
    assert_eq!(
        store.namespace.as_ref().map(|name| name.as_str()),
        Some("acme")
    );
    assert!(store.ignore_errors);
    assert_eq!(store.init_timeout, Duration::from_secs(60));
    assert_eq!(store.requires, ["ttl", "transactions"]);
    assert_eq!(
        store
            .scopes
            .iter()
            .map(|name| name.as_str())
            .collect::<Vec<_>>(),
        ["cart", "orders"]
    );
    assert_eq!(store.source.to_string(), "resources/a.yaml:3");
    assert_eq!(
        (bus.block.as_str(), bus.driver.as_str()),
        ("pubsub", "azure.servicebus.topics")
    );
    assert_eq!(
        (bus.version.as_str(), bus.init_timeout),
        ("v1", Duration::from_secs(5))
    );
    assert_eq!(bus.source.line, 41);
}

#[test]
fn values_keep_their_text() {
    let found = resources(COMPONENTS);
    let settings = &found.components[0].metadata;
    let texts: Vec<(&str, &str)> = settings
        .iter()
        .map(|item| (item.name.as_str(), item.value.reveal()))
        .collect();
    let expected = [
        ("redisHost", "localhost:6379"),
        ("redisPassword", ""),
        ("redisDB", "010"),
        ("maxRetryBackoff", "1.50"),
        ("enableTLS", "no"),
        ("actorStateStore", "true"),
        ("nothing", ""),
        ("text", "two\nlines\n"),
    ];
    assert_eq!(texts, expected);
    assert_eq!(settings.iter().next().map(|item| item.line), Some(19));
}

#[test]
fn names_of_settings_have_no_case() {
    let mut settings = resources(COMPONENTS).components.remove(0).metadata;
    assert_eq!(settings.get("REDISdb").map(Value::reveal), Some("010"));
    assert_eq!(
        settings.take("ActorStateStore").as_ref().map(Value::reveal),
        Some("true")
    );
    assert!(settings.get("actorStateStore").is_none());
}

#[test]
fn subscriptions_of_the_second_version() {
    let text = r#"
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: { name: orders }
spec:
  pubsubname: bus
  topic: orders/eu
  routes:
    rules:
      - match: event.type == "order.paid"
        path: /paid
      - { match: event.data.total > 100, path: /large }
    default: /orders
  deadLetterTopic: failed
  metadata: { rawPayload: true, priority: 1 }
  bulkSubscribe: { enabled: false }
scopes: [billing]
"#;
    let subscription = resources(text).subscriptions.remove(0);
    assert_eq!(
        (subscription.name.as_str(), subscription.component.as_str()),
        ("orders", "bus")
    );
    assert_eq!(subscription.topic, "orders/eu");
    let rule = |expression: &str, route: &str| Rule {
        expression: expression.to_owned(),
        route: route.to_owned(),
    };
    let rules = [
        rule(r#"event.type == "order.paid""#, "/paid"),
        rule("event.data.total > 100", "/large"),
    ];
    assert_eq!(subscription.rules, rules);
    assert_eq!(subscription.default_route.as_deref(), Some("/orders"));
    assert_eq!(subscription.dead_letter_topic.as_deref(), Some("failed"));
    assert_eq!(subscription.metadata["rawPayload"], "true");
    assert_eq!(subscription.scopes[0].as_str(), "billing");
}

#[test]
fn subscriptions_of_the_first_version() {
    let text = "apiVersion: dapr.io/v1alpha1\nkind: Subscription\nmetadata: { name: a }\n\
                spec: { pubsubname: bus, topic: t, route: /t }\n";
    let subscription = resources(text).subscriptions.remove(0);
    assert_eq!(
        (
            subscription.rules.len(),
            subscription.default_route.as_deref()
        ),
        (0, Some("/t"))
    );
}

#[test]
fn one_name_in_two_namespaces() {
    let of = |namespace: &str| {
        format!(
            "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: a, namespace: {namespace} }}\n\
             spec: {{ type: state.test }}\n"
        )
    };
    assert_eq!(
        resources(&[of("one"), of("two")].concat()).components.len(),
        2
    );
}
