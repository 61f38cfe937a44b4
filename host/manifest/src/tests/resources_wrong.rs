//! Mistakes in resource files.

use super::check;

/// A document of `kind: Component` whose `spec` and what follows begin in line 4.
#[track_caller]
fn component(rest: &str, expected: &str) {
    let head = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: store }\n";
    check("a.yaml", &format!("{head}{rest}"), expected);
}

/// A document of `kind: Subscription` whose `spec` has these lines, the first of which is line 5.
#[track_caller]
fn subscription(version: &str, lines: &str, expected: &str) {
    let head = format!(
        "apiVersion: dapr.io/{version}\nkind: Subscription\nmetadata: {{ name: a }}\nspec:\n"
    );
    check("a.yaml", &format!("{head}{lines}"), expected);
}

/// A component whose list of settings has these lines, the first of which is line 7.
#[track_caller]
fn settings(lines: &str, expected: &str) {
    component(
        &format!("spec:\n  type: state.test\n  metadata:\n{lines}"),
        expected,
    );
}

#[test]
fn kinds() {
    let of = |head: &str, expected: &str| check("a.yaml", head, expected);
    of(
        "apiVersion: dapr.io/v1alpha1\nkind: Componet\n",
        "a.yaml:2:7: kind: unknown kind `Componet`; expected one of `Component`, `Configuration`, `Resiliency`, `Subscription`, `HTTPEndpoint`, `MCPServer`; did you mean `Component`?",
    );
    of(
        "apiVersion: dapr.io/v1alpha1\n",
        "a.yaml:1:1: missing `kind`: one of `Component`, `Configuration`, `Resiliency`, `Subscription`",
    );
    of(
        "kind: Component\n",
        "a.yaml:1:1: missing `apiVersion`: write `dapr.io/v1alpha1`",
    );
    of(
        "apiVersion: dapr.oi/v1alpha1\n",
        "a.yaml:1:13: apiVersion: unknown group `dapr.oi`; did you mean `dapr.io`?",
    );
    of(
        "apiVersion: dapr.io/v1\nkind: Component\n---\napiVersion: dapr.io/v3alpha1\nkind: Subscription\n",
        "
a.yaml:2:7: kind: the versions of `Component` are `v1alpha1`, found `v1`
a.yaml:5:7: kind: the versions of `Subscription` are `v1alpha1` and `v2alpha1`, found `v3alpha1`",
    );
    of("- a\n", "a.yaml:1:1: expected a mapping, found a list");
}

#[test]
fn documents_that_are_not_used() {
    let of = |head: &str, expected: &str| check("a.yaml", head, expected);
    of(
        "apiVersion: dapr.io/v1alpha1\nkind: MCPServer\n",
        "a.yaml:2:7: warning: kind: `MCPServer` is not used yet",
    );
    of(
        "apiVersion: dapr.io/v1alpha1\nkind: MCPServer\nmetadata: { name: retries }\n",
        "a.yaml:2:7: warning: kind: `MCPServer` `retries` is not used yet",
    );
    of(
        "spec:\n  policies: { retries: {} }\n",
        "a.yaml:1:1: warning: this document is not used: it has no `apiVersion` and no `kind`",
    );
    of(
        "kind: Service\nmetadata: { name: nodeapp }\n",
        "a.yaml:1:1: warning: `Service` `nodeapp` is not used: it has no `apiVersion`",
    );
    of(
        "kind: Service\napiVersion: v1\nmetadata:\n  name: nodeapp\n",
        "a.yaml:2:13: warning: apiVersion: `Service` `nodeapp` of `v1` is not used: it is no resource of `dapr.io`",
    );
}

#[test]
fn components() {
    check(
        "a.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: Component\n",
        "
a.yaml:1:1: missing `metadata`: it holds the resource's `name`
a.yaml:1:1: missing `spec`: it holds the component's `type`",
    );
    check(
        "a.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { nmae: a }\nspec: { version: v1 }\nscope: []\n",
        "
a.yaml:3:11: metadata: missing `name`: what apps call the resource
a.yaml:3:13: metadata.nmae: unknown key; expected one of `name`, `namespace`, `labels`, `annotations`; did you mean `name`?
a.yaml:4:7: spec: missing `type`: the block and its driver, such as `state.in-memory`
a.yaml:5:1: scope: unknown key; expected one of `apiVersion`, `kind`, `metadata`, `spec`, `auth`, `scopes`; did you mean `scopes`?",
    );
    check(
        "a.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: My Store, namespace: A }\nspec: { type: state }\n",
        "
a.yaml:3:19: metadata.name: `My Store` is not a component name: only letters, digits, `-` and `_` are allowed
a.yaml:3:40: metadata.namespace: `A` is not a name: only lower case letters, digits and `-` are allowed
a.yaml:4:15: spec.type: expected a block and a driver such as `state.in-memory`, found `state`",
    );
    component(
        "spec: { type: state.test, ignoreErrors: maybe, initTimeout: 5, requires: ttl }\nscopes: [cart, Cart]\nauth: { secretstore: a }\n",
        "
a.yaml:4:41: spec.ignoreErrors: expected `true` or `false`, found `maybe`
a.yaml:4:61: spec.initTimeout: expected a duration such as `30s`, `250ms` or `1h30m`, found `5`
a.yaml:4:74: spec.requires: expected a list, found a text
a.yaml:5:16: scopes[1]: `Cart` is not a name: only lower case letters, digits and `-` are allowed
a.yaml:6:9: auth.secretstore: unknown key; expected one of `secretStore`; did you mean `secretStore`?",
    );
}

#[test]
fn lists_of_settings() {
    settings(
        "    redisHost: localhost\n",
        "a.yaml:7:5: spec.metadata: expected a list, found a mapping",
    );
    settings(
        "    - value: 1\n",
        "a.yaml:7:7: spec.metadata[0]: missing `name`: the name of the setting",
    );
    settings(
        "    - { name: host, value: a }\n    - { name: HOST, value: b }\n",
        "a.yaml:8:7: spec.metadata[1]: `HOST` is set twice, first in line 7",
    );
    settings(
        "    - { name: host, value: a, envRef: B }\n    - { name: port }\n    - { name: user, vlaue: c }\n",
        "
a.yaml:7:7: spec.metadata[0]: `host` needs one of `value`, `secretKeyRef`, `envRef`, found several
a.yaml:8:7: spec.metadata[1]: `port` needs one of `value`, `secretKeyRef`, `envRef`, found none
a.yaml:9:7: spec.metadata[2]: `user` needs one of `value`, `secretKeyRef`, `envRef`, found none
a.yaml:9:21: spec.metadata[2].vlaue: unknown key; expected one of `name`, `value`, `secretKeyRef`, `envRef`; did you mean `value`?",
    );
    settings(
        "    - { name: host, value: [a] }\n",
        "a.yaml:7:28: spec.metadata[0].value: expected a text, found a list",
    );
    settings(
        "    - { name: host, secretKeyRef: { name: a } }\n    - { name: port, secretKeyRef: { key: a } }\n",
        "
a.yaml:7:35: spec.metadata[0].secretKeyRef: no secret store is named to look this up in; add `auth: { secretStore: NAME }` beside `spec`
a.yaml:8:35: spec.metadata[1].secretKeyRef: missing `name`: the name of the secret",
    );
}

#[test]
fn subscriptions() {
    subscription(
        "v1alpha1",
        "  topic: t\n  routes: {}\n",
        "
a.yaml:5:3: spec: missing `pubsubname`: the component to subscribe to
a.yaml:5:3: spec: missing `route`: where the messages go
a.yaml:6:3: spec.routes: unknown key; expected one of `pubsubname`, `topic`, `route`, `metadata`, `deadLetterTopic`, `bulkSubscribe`; did you mean `route`?",
    );
    subscription(
        "v2alpha1",
        "  pubsubname: bus\n  topic: t\n  routes: { default: /a }\n  deadLetterTopic: t\n  metadata: { broadcast: yes, rawPayload: 'true', maxDeliveryAttempts: 0 }\n",
        "
a.yaml:8:20: spec.deadLetterTopic: the dead letter topic is the topic itself: what cannot be delivered would come again for ever
a.yaml:9:26: spec.metadata.broadcast: expected `true` or `false`, found `yes`
a.yaml:9:72: spec.metadata.maxDeliveryAttempts: expected a whole number of at least 1, found `0`",
    );
    subscription(
        "v2alpha1",
        "  pubsubName: bus\n  topic: ''\n  routes: {}\n",
        "
a.yaml:5:3: spec.pubsubName: unknown key; expected one of `pubsubname`, `topic`, `routes`, `metadata`, `deadLetterTopic`, `bulkSubscribe`; did you mean `pubsubname`?
a.yaml:5:3: spec: missing `pubsubname`: the component to subscribe to
a.yaml:6:10: spec.topic: expected a text, found an empty one
a.yaml:7:11: spec.routes: expected `rules`, `default` or both, found neither",
    );
    subscription(
        "v2alpha1",
        "  pubsubname: bus\n  topic: t\n  routes: { rules: [{ path: /a }, { match: b, pth: /b }] }\n  bulkSubscribe: { enabled: true }\n",
        "
a.yaml:7:21: spec.routes.rules[0]: missing `match`: the condition; a route without one is `default`
a.yaml:7:35: spec.routes.rules[1]: missing `path`: where matching messages go
a.yaml:7:44: spec.routes.rules[1].match: the rule `b` names `b`; a rule knows `event` alone
a.yaml:7:47: spec.routes.rules[1].pth: unknown key; expected one of `match`, `path`; did you mean `path`?
a.yaml:8:18: spec.bulkSubscribe: bulk delivery is not available yet; remove `bulkSubscribe`",
    );
}

#[test]
fn documents_before_a_syntax_error_are_read() {
    component(
        "spec: { type: state }\n---\na: b: c\n",
        "
a.yaml:4:15: spec.type: expected a block and a driver such as `state.in-memory`, found `state`
a.yaml:6:5: not valid YAML: mapping values are not allowed in this context",
    );
}
