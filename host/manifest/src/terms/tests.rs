//! The terms of tenants as an operator writes them.

mod places;
mod quotas;
mod signing;
mod tls;

use super::{HostFile, load_host_file, read::parse};
use crate::{Same, parse_manifest, parse_resources};
use std::{fs, path::Path};

const FILE: &str = "\
apiVersion: wythe/v1
kind: Host
spec: { listen: 127.0.0.1:9000 }
---
apiVersion: wythe/v1
kind: Tenant
metadata: { name: '*' }
spec:
  hosts: ['{tenant}.example.com']
  quotas: { apps: 1, cpuWeight: 300, app: { memory: 32MiB } }
---
apiVersion: wythe/v1
kind: Tenant
metadata: { name: shop }
spec:
  hosts: [Shop.example.org]
  allow:
    http: ['*.example.net', 'api.example.com:8443']
    components: [state.*, bindings.cron]
";

fn read(text: &str) -> (HostFile, Vec<String>) {
    let (file, problems) = parse(text, Path::new("wythe-host.yaml"));
    let lines = problems.iter().map(ToString::to_string).collect();
    (file, lines)
}

fn problems_of(file: &HostFile, tenant: &str) -> Vec<String> {
    let problems = file.problems_of(&tenant.parse().unwrap());
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_tenants_own_document_goes_before_that_of_all() {
    let (file, problems) = read(FILE);
    assert_eq!(problems, [] as [&str; 0]);
    assert_eq!(file.listen.as_ref().unwrap().0, "127.0.0.1:9000");
    let (shop, other) = (
        file.terms(&"shop".parse().unwrap()),
        file.terms(&"other".parse().unwrap()),
    );
    assert_eq!(shop.hosts[0].as_str(), "shop.example.org");
    assert_eq!(other.hosts[0].as_str(), "other.example.com");
    assert!(!shop.by_path && !other.by_path);
    assert_eq!(shop.quotas.apps.as_ref().unwrap().max, 1);
    assert_eq!(shop.quotas.cpu_weight(), 300);
    assert!(shop.allows_type("state", "redb", true) && !shop.allows_type("lock", "redb", false));
    assert!(
        other.allows_type("state", "redb", false) && !other.allows_type("bindings", "http", true)
    );
    let (nothing, _) = read("");
    let alone = nothing.terms(&"a".parse().unwrap());
    assert!(alone.by_path && alone.hosts.is_empty());
    assert_eq!(alone.quotas.cpu_weight(), 100);
}

#[test]
fn what_a_tenant_may_not_have_is_told_with_both_lines() {
    let (file, _) = read(FILE);
    let text = "\
version: 1
apps:
  - appID: one
    guest: one.wasm
    grants:
      http:
        - a.example.net
        - api.example.com
    limits:
      memory: 64MiB
  - appID: two
    guest: /etc/passwd
";
    let (manifest, problems) = parse_manifest(text, Path::new("shop/wythe.yaml"));
    assert!(problems.is_empty(), "{problems}");
    let mut manifest = manifest.unwrap();
    let terms = file.terms(&"shop".parse().unwrap());
    let found = terms.apply(&mut manifest);
    let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "shop/wythe.yaml:8:11: grants.http: the operator does not allow requests to `api.example.com`: wythe-host.yaml:18",
            "shop/wythe.yaml:10:15: limits.memory: 64MiB is over the operator's quota of 32MiB: wythe-host.yaml:10",
            "shop/wythe.yaml:11:5: apps: 2 apps are over the operator's quota of 1: wythe-host.yaml:10",
            "shop/wythe.yaml:11:5: the component file `/etc/passwd` is outside of the tenant's directory, which the operator does not allow: wythe-host.yaml:12",
        ]
    );
    // A default is cut.
    assert_eq!(manifest.apps[1].limits.memory, 32 << 20);
    assert_eq!(manifest.tenant.as_str(), "shop");
}

#[test]
fn apps_and_components_are_counted_where_nothing_is_said() {
    let (nothing, _) = read("");
    let terms = nothing.terms(&"shop".parse().unwrap());
    let mut apps = "version: 1\napps:\n".to_owned();
    let mut components = String::new();
    for number in 0..101 {
        apps.push_str(&format!("  - {{ appID: a{number}, guest: a.wasm }}\n"));
        components.push_str(&format!(
            "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: c{number} }}\nspec: {{ type: state.redb, version: v1 }}\n"
        ));
    }
    let mut manifest = parse_manifest(&apps, Path::new("shop/wythe.yaml"))
        .0
        .unwrap();
    let expected = |place: &str, what: &str| {
        format!(
            "shop/{place}: {what}: 101 {what} are over the default quota of 100; the operator may write `quotas.{what}`: wythe-host.yaml"
        )
    };
    let found = terms.apply(&mut manifest).to_string();
    assert_eq!(found, expected("wythe.yaml:103:5", "apps"));
    let resources = parse_resources(&components, Path::new("shop/r.yaml")).0;
    let found = terms.check_resources(&resources).to_string();
    assert_eq!(found, expected("r.yaml:502:1", "components"));
}

#[test]
fn a_path_that_leaves_and_comes_back_is_the_one_that_is_meant() {
    let (file, _) =
        read("apiVersion: wythe/v1\nkind: Tenant\nspec: { allow: { paths: [shared] } }\n");
    let terms = file.terms(&"evil".parse().unwrap());
    let here = std::path::absolute(".").unwrap();
    let here = here.display();
    let text = format!(
        "\
version: 1
apps:
  - {{ appID: a, guest: '{here}/bank/../evil/l/app.wasm' }}
  - {{ appID: b, guest: '{here}/evil/../shared/app.wasm' }}
  - {{ appID: c, guest: '{here}/evil/../bank/app.wasm' }}
  - {{ appID: d, guest: d.wasm, watch: [../bank] }}
"
    );
    let mut manifest = parse_manifest(&text, Path::new("evil/wythe.yaml"))
        .0
        .unwrap();
    let problems = terms.apply(&mut manifest);
    let opened = |app: usize| {
        let app: &crate::App = &manifest.apps[app];
        (app.project.to_str().unwrap(), app.guest.to_str().unwrap())
    };
    assert_eq!(opened(0), ("evil", "evil/l/app.wasm"));
    assert_eq!(opened(1), ("shared", "shared/app.wasm"));
    let outside = |line: u32, what: &str| {
        format!(
            "evil/wythe.yaml:{line}:5: {what} is outside of the tenant's directory, which the operator does not allow: wythe-host.yaml:3"
        )
    };
    let expected = [
        outside(
            5,
            &format!("the component file `{here}/evil/../bank/app.wasm`"),
        ),
        outside(6, "the watched path `evil/../bank`"),
    ];
    assert_eq!(problems.to_string(), expected.join("\n"));
}

#[test]
fn a_document_that_is_wrong_concerns_its_tenant_alone() {
    let text = format!(
        "{FILE}---
apiVersion: wythe/v1
kind: Tenant
metadata: {{ name: typo }}
spec: {{ quotas: {{ memroy: 1MiB }}, hosts: [shop.example.org] }}
"
    );
    let (file, problems) = read(&text);
    assert_eq!(problems, [] as [&str; 0]);
    assert_eq!(problems_of(&file, "shop"), [] as [&str; 0]);
    assert_eq!(
        problems_of(&file, "typo"),
        [
            "wythe-host.yaml:24:19: spec.quotas.memroy: unknown key; expected one of `apps`, `components`, `cpuWeight`, `logBytes`, `app`, `requestsPerSecond`, `calls`, `waitingCalls`, `instances`, `memory`, `hostMemory`, `outgoingRequests`, `publishesPerSecond`, `workflows`, `journalBytes`, `actors`, `jobs`, `stateBytes`, `stateKeys`, `backlogBytes`, `componentBytes`, `compileTime`, `connections`, `egressBytesPerSecond`, `outgoingHosts`; did you mean `memory`?",
            "wythe-host.yaml:24:42: spec.hosts: the host name `shop.example.org` is that of tenant `shop` in wythe-host.yaml:16",
        ]
    );
}

#[test]
fn a_document_without_a_tenant_concerns_the_host() {
    let wrong = [
        (
            "kind: Tenant\n",
            "wythe-host.yaml:1:1: missing `apiVersion`: write `wythe/v1`",
        ),
        (
            "apiVersion: wythe/v1\nkind: Tenants\n",
            "wythe-host.yaml:2:7: kind: unknown kind `Tenants`; the kinds of this file are `Host` and `Tenant`",
        ),
        (
            "apiVersion: wythe/v1\nkind: Tenant\nmetadata: { name: No_label }\n",
            "wythe-host.yaml:3:19: metadata.name: `No_label` is not a name:",
        ),
    ];
    for (text, expected) in wrong {
        let (_, problems) = read(text);
        assert!(problems[0].starts_with(expected), "{problems:?}");
    }
    let (file, _) = read("apiVersion: wythe/v1\nkind: Tenant\nspec: { hosts: [a.example] }\n");
    assert_eq!(
        problems_of(&file, "any"),
        [
            "wythe-host.yaml:3:16: spec.hosts: a host name of all tenants has `{tenant}` in it, such as `{tenant}.example.com`"
        ]
    );
}

#[test]
fn terms_are_compared_by_what_they_say() {
    let terms = |text: &str| read(text).0.terms(&"a".parse().unwrap());
    let head = "apiVersion: wythe/v1\nkind: Tenant\nspec: ";
    let one = terms(&format!("{head}{{ allow: {{ paths: [a] }} }}\n"));
    let moved = terms(&format!("# a word\n{head}{{ allow: {{ paths: [a] }} }}\n"));
    let more = terms(&format!("{head}{{ allow: {{ paths: [a, b] }} }}\n"));
    let read = terms(&format!(
        "{head}{{ allow: {{ paths: [a], environment: [HOME] }} }}\n"
    ));
    let less = terms(&format!(
        "{head}{{ quotas: {{ apps: 1 }}, allow: {{ paths: [a] }} }}\n"
    ));
    assert!(
        one.is_same(&moved) && !one.is_same(&more) && !one.is_same(&read) && !one.is_same(&less)
    );
    // What is open stays open where more is allowed, and not where less is.
    assert!(one.leaves_open(&more) && !more.leaves_open(&one) && !one.leaves_open(&read));
}

#[test]
fn quotas_are_compared_by_what_they_allow() {
    let head = "apiVersion: wythe/v1\nkind: Tenant\nspec: { quotas: ";
    let terms = |quotas: &str| {
        let text = format!("{head}{quotas} }}\n");
        read(&text).0.terms(&"a".parse().unwrap())
    };
    let one = terms("{ app: { memory: 32MiB, instances: 7 } }");
    assert!(one.is_same(&terms("{ apps: 100, app: { instances: 7, memory: 32Mi } }")));
    for other in [
        "{ app: { memory: 32MiB, instances: 8 } }",
        "{ app: { memory: 32MiB } }",
        "{ app: { memory: 32MiB, instances: 7, handles: 99 } }",
        "{ app: { memory: 32MiB, handles: 99 } }",
        "{ cpuWeight: 7, app: { memory: 32MiB, instances: 7 } }",
    ] {
        let other = terms(other);
        assert!(!one.is_same(&other) && !other.is_same(&one));
    }
}

#[test]
fn log_lines_are_kept_within_bounds() {
    let head = "apiVersion: wythe/v1\nkind: Tenant\nspec: { quotas: { logBytes: ";
    let found = |bytes: &str| {
        let (file, _) = read(&format!("{head}{bytes} }} }}\n"));
        let terms = file.terms(&"a".parse().unwrap());
        (terms.quotas.log_bytes(), problems_of(&file, "a"))
    };
    assert_eq!(found("1KiB"), (1 << 10, Vec::new()));
    assert_eq!(found("1MiB"), (1 << 20, Vec::new()));
    for beyond in ["1023", "1048577"] {
        let (bytes, problems) = found(beyond);
        assert_eq!(bytes, 256 << 10);
        let expected = format!("spec.quotas.logBytes: expected 1KiB to 1MiB, found `{beyond}`");
        assert!(
            problems.len() == 1 && problems[0].ends_with(&expected),
            "{problems:?}"
        );
    }
}

#[test]
fn only_a_file_that_is_not_there_is_no_file() {
    let directory = tempfile::tempdir().unwrap();
    assert!(load_host_file(directory.path()).1.is_empty());
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    // Nothing can be looked up below a file.
    assert!(load_host_file(&file).1.has_errors());
}
