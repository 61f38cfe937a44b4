//! The callers that may use and see a secret, and the settings that come from stores: with the exact words for what is
//! wrong.

use super::*;
use crate::{Ready, Registry, Settings, Shared, Site, Tenant, Trace};
use serde::Deserialize;
use std::{
    path::Path,
    time::{Duration, Instant},
};
use wythe_manifest::{Component as Manifest, Resources, parse_manifest, parse_resources};

/// `a=1,b=2`; a name of which there are two has several values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    secrets: String,
    #[serde(default)]
    fails: bool,
}

struct Fake(BTreeMap<String, Found>);

async fn open(config: Config, _: Site) -> Result<Arc<dyn Driver>> {
    if config.fails {
        return Err(Error::unavailable(format!(
            "no answer from `{}`",
            config.secrets
        )));
    }
    let mut secrets = BTreeMap::new();
    for (name, value) in config.secrets.split(',').filter_map(|s| s.split_once('=')) {
        let found: &mut Found = secrets.entry(name.to_owned()).or_insert(Found {
            values: BTreeMap::new(),
            version: Some("7".into()),
        });
        let key = match found.values.len() {
            0 => name.to_owned(),
            more => format!("{name}{more}"),
        };
        found.values.insert(key, Value::new(value));
    }
    Ok(Arc::new(Fake(secrets)))
}

#[async_trait]
impl Driver for Fake {
    fn features(&self) -> Features {
        Features {
            multiple_values: true,
            names: true,
        }
    }

    async fn get(&self, name: &str, _: &[(String, String)]) -> Result<Option<Found>> {
        match name {
            "broken" => Err(Error::unavailable("not now")),
            "binary" => Ok(Some(Found::one(name, Value::new([0xff])))),
            _ => Ok(self.0.get(name).cloned()),
        }
    }

    async fn names(&self) -> Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
}

/// Name, settings, and what else stands in `spec`.
fn component(name: &str, kind: &str, settings: &str, more: &str) -> String {
    format!(
        "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\n\
         auth: {{ secretStore: vault }}\nspec: {{ type: {kind}{more}, metadata: [{settings}] }}\n"
    )
}

fn store(name: &str, secrets: &str) -> String {
    let settings = format!("{{ name: secrets, value: '{secrets}' }}");
    component(name, "secretstores.kept", &settings, "")
}

fn resources(parts: &[&str]) -> Resources {
    let (resources, problems) = parse_resources(&parts.concat(), Path::new("a.yaml"));
    assert!(!problems.has_errors(), "{problems}");
    resources
}

/// The components that are no stores, and the problems.
async fn resolved(parts: &[&str]) -> (Arc<Tenant>, Vec<Manifest>, Vec<String>) {
    let resources = resources(parts);
    let mut registry = Registry::default();
    registry.secrets.add("kept", open);
    // None of the others is opened here.
    let never = |_, _| async { Err::<Ready<dyn crate::state::Driver>, _>(Vec::new()) };
    registry.state.add_raw("test", never);
    let settings = Settings {
        scopes: resources
            .configurations
            .into_iter()
            .flat_map(|c| c.secrets)
            .collect(),
        ..Settings::new("default".parse().unwrap(), "nowhere")
    };
    let tenant = Tenant::new(settings, &Shared::default());
    let (others, _, errors) = tenant.resolve(&registry, &resources.components).await;
    let reported = errors.iter().map(|error| error.message().to_owned());
    let reported = reported.collect();
    (tenant, others, reported)
}

fn reference(secret: &str) -> String {
    let settings = format!("{{ name: p, secretKeyRef: {secret} }}");
    component("a", "state.test", &settings, "")
}

fn value(component: &Manifest, name: &str) -> String {
    let value = component.metadata.get(name).expect("it is set");
    assert!(matches!(value, wythe_manifest::Value::Secret(_)));
    value.reveal().to_owned()
}

#[tokio::test]
async fn a_setting_gets_its_value() {
    for (secret, expected) in [
        ("{ name: one }", "1"),
        ("{ name: one, key: one }", "1"),
        ("{ name: two, key: two1 }", "3"),
    ] {
        let vault = store("vault", "one=1,two=2,two=3");
        let (_, others, problems) = resolved(&[&reference(secret), &vault]).await;
        assert_eq!(problems, [""; 0]);
        assert_eq!(value(&others[0], "p"), expected);
    }
}

#[tokio::test]
async fn a_store_may_need_another_store() {
    let settings = "{ name: secrets, secretKeyRef: { name: inner } }";
    let outer = component("outer", "secretstores.kept", settings, "");
    let user = reference("{ name: deep }").replace("vault", "outer");
    let vault = component(
        "vault",
        "secretstores.kept",
        "{ name: secrets, value: 'inner=deep=9' }",
        "",
    );
    let (_, others, problems) = resolved(&[&user, &outer, &vault]).await;
    assert_eq!(problems, [""; 0]);
    assert_eq!(value(&others[0], "p"), "9");
}

/// The reference is in line 6 of the first document.
#[track_caller]
fn reports(problems: &[String], message: &str) {
    let place = "spec.metadata.p.secretKeyRef: ";
    assert_eq!(problems, [format!("{place}{message}")]);
}

#[tokio::test]
async fn what_is_not_found() {
    let vault = store("vault", "password=1,two=2,two=3");
    for (secret, message) in [
        (
            "{ name: pasword }",
            "the secret store `vault` has no secret `pasword`; did you mean `password`?",
        ),
        (
            "{ name: other }",
            "the secret store `vault` has no secret `other`",
        ),
        (
            "{ name: password, key: user }",
            "the secret `password` has only the key `password`, found `user`",
        ),
        (
            "{ name: two, key: user }",
            "the secret `two` has the keys `two`, `two1`, found `user`",
        ),
        (
            "{ name: broken }",
            "the secret store `vault` cannot be read: not now",
        ),
        (
            "{ name: binary }",
            "the secret `binary` is not UTF-8 text, which the value of a setting is",
        ),
    ] {
        let (_, others, problems) = resolved(&[&reference(secret), &vault]).await;
        reports(&problems, message);
        assert!(others.is_empty(), "{secret}");
    }
    let wrong = reference("{ name: a }").replace("vault", "valt");
    let (_, _, problems) = resolved(&[&wrong, &vault]).await;
    let problem = problems[0].split_once("secretKeyRef: ").unwrap().1;
    assert_eq!(
        problem,
        "no secret store is called `valt`; did you mean `vault`?"
    );
}

#[tokio::test]
async fn a_store_that_does_not_open_is_told_once_and_without_its_secrets() {
    let settings =
        "{ name: fails, value: true }, { name: secrets, secretKeyRef: { name: address } }";
    let outer = component("outer", "secretstores.kept", settings, "");
    let user = reference("{ name: a }").replace("vault", "outer");
    let vault = store("vault", "address=hunter2");
    let (_, others, problems) = resolved(&[&user, &outer, &vault]).await;
    assert_eq!(problems, ["component `outer`: no answer from `(a secret)`"]);
    assert!(others.is_empty());
    let outer = component(
        "outer",
        "secretstores.kept",
        settings,
        ", ignoreErrors: true",
    );
    let (_, _, problems) = resolved(&[&user, &outer, &vault]).await;
    let problem = problems[0].split_once("secretKeyRef: ").unwrap().1;
    assert_eq!(problem, "the secret store `outer` was left out");
}

#[tokio::test]
async fn stores_that_need_each_other_are_named() {
    let settings = "{ name: secrets, secretKeyRef: { name: a } }";
    let ring = |name: &str, next: &str| {
        component(name, "secretstores.kept", settings, "").replace("vault", next)
    };
    let parts = [
        ring("a", "b"),
        ring("b", "c"),
        ring("c", "a"),
        ring("d", "a"),
    ]
    .concat();
    let (_, _, problems) = resolved(&[&parts]).await;
    assert_eq!(
        problems,
        [
            "component `a`: needs a secret of its own to open: `a` -> `b` -> `c` -> `a`; write one of their values out"
        ]
    );
    let (_, _, problems) = resolved(&[&ring("self", "self")]).await;
    assert_eq!(
        problems,
        [
            "component `self`: needs a secret of its own to open: `self` -> `self`; write one of their values out"
        ]
    );
}

fn caller(grants: &str) -> Call {
    let text = format!(
        "version: 1\nname: shop\napps:\n  - guest: cart.wasm\n    appID: cart\n    grants: {grants}\n"
    );
    let (manifest, problems) = parse_manifest(&text, Path::new("wythe.yaml"));
    assert!(!problems.has_errors(), "{problems}");
    let grants = Arc::new(manifest.unwrap().apps.remove(0).grants);
    let (tenant, app) = ("default".parse().unwrap(), "cart".parse().unwrap());
    let deadline = Instant::now() + Duration::from_secs(10);
    Call::app(tenant, app, grants, Trace::start(), deadline)
}

#[tokio::test]
async fn use_and_sight_are_granted_apart() {
    let (tenant, _, _) = resolved(&[&store("vault", "a=1,b=2,b=3")]).await;
    let caller = caller("{ secrets: [vault/a, vault/b], reveal: [vault/b] }");
    let get = |name| tenant.secrets.get(&caller, "vault", name, &[]);
    let a = get("a").await.unwrap().unwrap();
    assert_eq!(a.sealed().unwrap().reveal(), b"1");
    assert_eq!(a.version(), Some("7"));
    assert_eq!(
        a.reveal(&caller).unwrap_err().message(),
        "app `cart` is not granted to see the secret `a` of `vault`; add it to `grants: { reveal: [vault/a] }` at wythe.yaml:4"
    );
    let b = get("b").await.unwrap().unwrap();
    assert_eq!(b.reveal(&caller).unwrap().len(), 2);
    assert_eq!(
        b.sealed().unwrap_err().message(),
        "the secret `b` has several values; expected one of a single value"
    );
    assert_eq!(
        get("c").await.unwrap_err().message(),
        "app `cart` is not granted the secret `c` of `vault`; add it to `grants: { secrets: [vault/c] }` at wythe.yaml:4"
    );
    assert!(!format!("{a:?}").contains('1'));
    assert_eq!(
        tenant.secrets.names(&caller, "vault").await.unwrap(),
        ["a", "b"]
    );
}

#[tokio::test]
async fn a_scope_denies_whatever_is_granted() {
    let configuration = "---\napiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: c }\nspec: { secrets: { scopes: [{ storeName: vault, deniedSecrets: [b] }] } }\n";
    let (tenant, _, _) = resolved(&[&store("vault", "a=1,b=2"), configuration]).await;
    let caller = caller("{ secrets: ['*'] }");
    let error = tenant.secrets.get(&caller, "vault", "b", &[]).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), crate::Kind::Denied);
    assert_eq!(
        error.message(),
        "the secret `b` of `vault` is denied; see `secrets.scopes` of the Configuration at a.yaml:11"
    );
    assert_eq!(tenant.secrets.names(&caller, "vault").await.unwrap(), ["a"]);
}

#[tokio::test]
async fn names_of_stores_and_secrets_are_checked() {
    let (tenant, _, _) = resolved(&[&store("vault", "a=1")]).await;
    let all = caller("{ secrets: ['*'] }");
    for name in ["", "a\n", &"x".repeat(1_025)] {
        let error = tenant
            .secrets
            .get(&all, "vault", name, &[])
            .await
            .unwrap_err();
        let expected = format!(
            "a secret's name of {} bytes; expected 1 to 1024 without control characters",
            name.len()
        );
        assert_eq!(error.message(), expected);
    }
    let get = tenant.secrets.get(&all, "nowhere", "a", &[]).await;
    assert_eq!(
        get.unwrap_err().message(),
        "no secretstores component `nowhere` for app `cart`"
    );
    let absent = tenant.secrets.get(&all, "vault", "b", &[]).await.unwrap();
    assert!(absent.is_none());
    let other = caller("{ secrets: [other/a] }");
    assert_eq!(
        tenant
            .secrets
            .names(&other, "vault")
            .await
            .unwrap_err()
            .message(),
        "app `cart` is not granted any secret of `vault`; add it to `grants: { secrets: [vault/NAME] }` at wythe.yaml:4"
    );
}
