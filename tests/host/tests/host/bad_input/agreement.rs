//! Wrong projects, each with everything that is told of it, by `wythe validate` and by `wythe run` alike.

mod files;

use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project};
use libtest_mimic::Trial;

/// A project of one file of apps and one of resources; everything that is told of it.
struct Wrong {
    name: &'static str,
    apps: &'static str,
    resources: &'static str,
    /// The problems in the order of file and line; a text that ends with `..` is the beginning of one.
    reported: &'static [&'static str],
}

const HELLO: &str = "\
  - appID: hello
    guest: hello.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";

const WRONG: &[Wrong] = &[
    Wrong {
        name: "grants_that_name_nothing",
        apps: "\
  - appID: hello
    guest: hello.wasm
    ingress: /
    grants:
      state: [statstore]
      publish: [pubsub, statestore]
      subscribe: [pubsub]
      bindings: [files/create]
      listen: [clock]
      invoke: [helo]
",
        resources: MEMORY,
        reported: &[
            "wythe.yaml:8:15: apps[0].grants.state[0]: no state component is called `statstore`; did you mean `statestore`?",
            "wythe.yaml:9:25: apps[0].grants.publish[1]: `statestore` is a component of state; expected one of pubsub",
            "wythe.yaml:11:18: apps[0].grants.bindings[0]: no bindings component is called `files`",
            "wythe.yaml:12:16: apps[0].grants.listen[0]: no bindings component is called `clock`",
            "warning: wythe.yaml:12:16: apps[0].grants.listen[0]: no effect: the component of app `hello` does not export wythe:blocks/binding-listener",
            "warning: wythe.yaml:13:16: apps[0].grants.invoke[0]: no app of this project is called `helo`; did you mean `hello`?",
        ],
    },
    Wrong {
        name: "ingress_without_http_and_topics_without_subscriber",
        apps: "\
  - appID: ledger
    guest: ./app.wasm
    ingress: /
    grants: { state: [statestore], subscribe: [pubsub] }
",
        resources: MEMORY,
        reported: &[
            "wythe.yaml:4:5: app `ledger` has `ingress`, but its component answers no HTTP",
            "warning: wythe.yaml:7:48: apps[0].grants.subscribe[0]: no effect: the component of app `ledger` does not export wythe:blocks/subscriber",
        ],
    },
    Wrong {
        name: "settings_of_drivers",
        apps: HELLO,
        resources: "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec:
  type: state.redb
  version: v1
  metadata:
    - { name: cachesSize, value: lots }
    - { name: maxValueBytes, value: many }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: clock }
spec:
  type: bindings.cron
  version: v1
  metadata:
    - { name: schedule, value: every day }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: hook }
spec: { type: bindings.webhook, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: gone }
spec:
  type: lock.wasm
  version: v1
  metadata:
    - { name: path, value: ../nowhere.wasm }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: service }
spec:
  type: bindings.http
  version: v1
  requires: [speed]
  metadata:
    - name: url
      value: http://127.0.0.1:1/api?key=1
",
        reported: &[
            "resources/all.yaml:8:34: spec.metadata.cachesSize: unknown setting; expected one of `path`, `cacheSize`; did you mean `cacheSize`?",
            "resources/all.yaml:9:37: component `statestore`: maxValueBytes: ..",
            "resources/all.yaml:18:32: component `clock`: ..",
            "resources/all.yaml:20:1: spec.metadata: missing `path`: `bindings.webhook` needs it",
            "resources/all.yaml:32:28: component `gone`: no component file at resources/../nowhere.wasm: No such file or directory (os error 2); build it first, as `wythe build` does where the app has a `build:` command",
            "resources/all.yaml:34:1: component `service`: requires `speed`, which is no feature of bindings; expected one of input, output, redelivers, secrets",
            "resources/all.yaml:43:14: component `service`: `url`: expected no query and no fragment; a query belongs to the request's `path`",
        ],
    },
    Wrong {
        name: "types_that_are_not_in_this_build",
        apps: HELLO,
        resources: "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.rethinkdb, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec: { type: pubsub.memroy, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: names }
spec: { type: nameresolution.mdns, version: v1 }
",
        reported: &[
            "resources/all.yaml:1:1: component `statestore`: `state.rethinkdb` is not in this build; this build has {state}; Dapr has that type and Wythe has no driver for it: take another type, or write a plugin",
            "resources/all.yaml:6:1: component `pubsub`: `pubsub.memroy` is not in this build; this build has {pubsub}; did you mean `pubsub.memory`?",
            "resources/all.yaml:11:1: component `names`: `nameresolution` is not in this build; this build has bindings, configuration, crypto, jobs, lock, middleware, pubsub, secretstores, state",
        ],
    },
    Wrong {
        name: "subscriptions",
        apps: "\
  - appID: hello
    guest: hello.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
  - appID: ledger
    guest: ./app.wasm
    grants: { state: [statestore] }
",
        resources: "\
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: { name: s }
spec:
  pubsubname: nopub
  topic: visits
  routes: { default: /a }
scopes: [nobody, ledger]
---
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: { name: idle }
spec: { pubsubname: pubsub, topic: other, routes: { default: /a } }
---
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: { name: denied }
spec: { pubsubname: pubsub, topic: other, routes: { default: /a } }
scopes: [hello]
",
        reported: &[
            "resources/all.yaml:5:15: spec.pubsubname: no pubsub component is called `nopub`",
            "warning: resources/all.yaml:8:10: scopes: no app of this project is called `nobody`",
            "resources/all.yaml:8:18: subscription `s` names app `ledger`, which does not export wythe:blocks/subscriber",
            "warning: resources/all.yaml:10:1: subscription `idle` has no effect: no app exports wythe:blocks/subscriber and is granted `subscribe: [pubsub/other]`",
            "resources/all.yaml:19:10: subscription `denied` names app `hello`, which is not granted the topic; add `grants: { subscribe: [pubsub/other] }` at wythe.yaml:4",
        ],
    },
    Wrong {
        name: "rules_that_are_none",
        apps: HELLO,
        resources: "\
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: { name: s }
spec:
  pubsubname: pubsub
  topic: visits
  routes:
    rules:
      - { match: event.typ ==, path: /a }
    default: /a
scopes: [hello]
",
        reported: &[
            "resources/all.yaml:9:18: spec.routes.rules[0].match: the rule `event.typ ==` ..",
        ],
    },
    Wrong {
        name: "documents_that_are_not_used",
        apps: HELLO,
        resources: "\
spec:
  policies: { retries: {} }
---
kind: Service
apiVersion: v1
metadata: { name: nodeapp }
---
apiVersion: dapr.io/v1alpha1
kind: MCPServer
metadata: { name: retries }
---
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: daprConfig }
spec: { logging: { apiLogging: { enabled: true } } }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: order_pub_sub }
spec: { type: pubsub.in-memory, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec: { type: pubsub.memory, version: v1 }
",
        reported: &[
            "warning: resources/all.yaml:1:1: this document is not used: it has no `apiVersion` and no `kind`",
            "warning: resources/all.yaml:5:13: apiVersion: `Service` `nodeapp` of `v1` is not used: it is no resource of `dapr.io`",
            "warning: resources/all.yaml:9:7: kind: `MCPServer` `retries` is not used yet",
            "warning: resources/all.yaml:15:9: spec.logging: not used yet",
        ],
    },
    Wrong {
        name: "what_two_components_want_and_one_can_have",
        apps: "\
  - appID: account
    guest: account.wasm
    grants: { actors: [account], publish: [pubsub/transfers], subscribe: [pubsub/transfers] }
",
        resources: "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: one }
spec: { type: state.memory }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: two }
spec: { type: state.memory }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: front }
spec: { type: bindings.webhook, metadata: [{ name: path, value: /in }] }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: side }
spec: { type: bindings.webhook, metadata: [{ name: path, value: /in }] }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec: { type: pubsub.memory }
",
        reported: &[
            "resources/all.yaml:19:65: component `side`: the path `/in` is that of bindings component `front`; expected another one",
            "wythe.yaml:4:5: app `account` has actors or workflows, and no state component keeps actors and workflows; mark one by `actorStateStore: \"true\"` in its metadata",
        ],
    },
    Wrong {
        name: "mistakes_of_every_part_at_once",
        apps: "\
  - appID: hello
    guest: gone/hello.wasm
    ingres: /
    grants: { state: [statestore] }
",
        resources: "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: clock }
spec:
  type: bindings.cron
  metadata:
    - { name: schedule, envRef: WYTHE_TEST_NO_SUCH_VARIABLE }
    - { name: zone, value: UTC }
",
        reported: &[
            "resources/all.yaml:7:33: spec.metadata.schedule.envRef: the environment variable `WYTHE_TEST_NO_SUCH_VARIABLE` is not set",
            "resources/all.yaml:8:28: spec.metadata.zone: unknown setting; expected one of `schedule`, `timeZone`..",
            "wythe.yaml:4:5: no component file at gone/hello.wasm: No such file or directory (os error 2); build it first, as `wythe build` does where the app has a `build:` command",
            "wythe.yaml:6:5: apps[0].ingres: unknown key; ..",
        ],
    },
];

pub fn trials() -> Vec<Trial> {
    let one = |wrong: &'static Wrong| {
        Trial::test(
            format!("bad_input::validate_and_run_agree::{}", wrong.name),
            move || {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(2)
                    .enable_all()
                    .build()?;
                let reported = runtime.block_on(check(wrong));
                reported.map_err(|error| format!("{error:#}").into())
            },
        )
    };
    let mut trials: Vec<_> = WRONG.iter().map(one).collect();
    trials.extend(files::trials());
    trials
}

/// A line without the types of a block, which are more in a build with more features.
fn listless(line: &str) -> String {
    const LIST: &str = "this build has ";
    let Some((before, (list, after))) = line
        .split_once(LIST)
        .and_then(|(before, rest)| Some((before, rest.split_once(';')?)))
    else {
        return line.to_owned();
    };
    match list.split_once('.') {
        Some((block, _)) => format!("{before}{LIST}{{{block}}};{after}"),
        None => line.to_owned(),
    }
}

fn compare(reported: &[String], expected: &[&str]) -> Result<()> {
    let fits = |(reported, expected): (&String, &&str)| match expected.strip_suffix("..") {
        Some(start) => reported.starts_with(start.trim_end()),
        None => listless(reported) == **expected,
    };
    let is_same = reported.len() == expected.len() && reported.iter().zip(expected).all(fits);
    ensure!(
        is_same,
        "told:\n{}\nexpected:\n{}",
        reported.join("\n"),
        expected.join("\n")
    );
    Ok(())
}

async fn check(wrong: &Wrong) -> Result<()> {
    let project = Project::new(wrong.apps).with("all", wrong.resources);
    project.write("app.wasm", super::bytes("(component APP)"));
    compare(&project.located_problems().await, wrong.reported)
}
