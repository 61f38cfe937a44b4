//! Component files that a key of the operator must have signed: apps and plugins, at the start and by every change.

use super::root::{HELLO, MEMORY, Root, Served};
use crate::case;
use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use minisign::KeyPair;
use std::{fs, time::Duration};

pub fn trials() -> Vec<Trial> {
    vec![
        case(
            "serve::what_a_tenant_runs_is_signed_by_a_key_of_its_operator",
            start,
        ),
        case(
            "serve::a_file_without_a_good_signature_changes_nothing",
            change,
        ),
        case("serve::other_keys_are_in_force_at_once", keys),
        case("serve::a_plugin_is_signed_as_an_app_is", plugin),
        case("serve::a_plugin_may_be_missing_and_not_unsigned", optional),
    ]
}

/// A person with a key of minisign.
struct Signer(KeyPair);

impl Signer {
    fn new() -> Result<Self> {
        Ok(Signer(KeyPair::generate_unencrypted_keypair()?))
    }

    /// The key as the operator writes it.
    fn public(&self) -> String {
        self.0.pk.to_base64()
    }

    /// The id of the key, as minisign shows it.
    fn id(&self) -> Result<String> {
        let id = u64::from_le_bytes(self.0.pk.keynum().try_into()?);
        Ok(format!("{id:016X}"))
    }

    /// Writes the signature of a file as it is now beside it.
    fn sign(&self, root: &Root, file: &str) -> Result<()> {
        let bytes = fs::read(root.path().join(file))?;
        let signature = minisign::sign(None, &self.0.sk, bytes.as_slice(), Some("test"), None)?;
        root.write(&format!("{file}.minisig"), signature.into_string());
        Ok(())
    }
}

/// An operator's file by which every tenant needs one of the keys.
fn operator(keys: &[&Signer]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| key.public()).collect();
    format!(
        "apiVersion: wythe/v1\nkind: Tenant\nmetadata: {{ name: '*' }}\nspec:\n  signingKeys: [{}]\n",
        keys.join(", ")
    )
}

/// The problem of a tenant's file that is not signed.
fn unsigned(about: &str, file: &str, why: &str) -> String {
    format!(
        "{about}the component file {file} is not signed by a key of the operator: {why}; the keys are at \
         wythe-host.yaml:5; sign it with one of them: `minisign -S -s KEY -m {file}`"
    )
}

/// The problem of a tenant whose app is not signed; `FILE` stands for its file.
fn refused(tenant: &str, why: &str) -> String {
    let (about, file) = (
        format!("{tenant}: {tenant}/wythe.yaml:3:5: "),
        format!("{tenant}/hello.wasm"),
    );
    unsigned(&about, &file, &why.replace("FILE", &file))
}

async fn visit(served: &Served, tenant: &str, visitor: u32) -> Result<()> {
    let said = served.said("localhost", &format!("/{tenant}/")).await?;
    ensure!(said == format!("hello, visitor {visitor}\n"), "{said}");
    Ok(())
}

async fn start() -> Result<()> {
    let (root, own, foreign) = (Root::new(), Signer::new()?, Signer::new()?);
    for tenant in ["bank", "changed", "foreign", "huge", "shop"] {
        root.hello(tenant);
    }
    own.sign(&root, "shop/hello.wasm")?;
    foreign.sign(&root, "foreign/hello.wasm")?;
    own.sign(&root, "changed/hello.wasm")?;
    root.guest("changed/hello.wasm", "echo");
    root.write("huge/hello.wasm.minisig", "x".repeat(1 << 20));
    root.write("wythe-host.yaml", operator(&[&own]));
    let served = root.serve(&[])?;
    let problems = served.problems_until(4).await?;
    let changed = format!(
        "by the key {} is of other bytes, or was changed itself",
        own.id()?
    );
    let of_foreign = format!(
        "is by the key {}, which is none of the operator's",
        foreign.id()?
    );
    let expected = [
        refused("bank", "there is no signature FILE.minisig"),
        refused("changed", &format!("its signature FILE.minisig {changed}")),
        refused(
            "foreign",
            &format!("its signature FILE.minisig {of_foreign}"),
        ),
        refused(
            "huge",
            "its signature FILE.minisig cannot be read: larger than 4 KiB, which is the most that is read",
        ),
    ];
    ensure!(problems == expected, "{problems:#?}\n{expected:#?}");
    visit(&served, "shop", 1).await?;
    for tenant in ["bank", "changed", "foreign", "huge"] {
        ensure!(served.said("localhost", &format!("/{tenant}/")).await? == "404");
    }
    // A signature alone mends it, and the others did not notice.
    own.sign(&root, "bank/hello.wasm")?;
    served.problems_until(3).await?;
    served
        .until("localhost", "/bank/", "hello, visitor 1")
        .await?;
    visit(&served, "shop", 2).await
}

async fn change() -> Result<()> {
    let (root, own) = (Root::new(), Signer::new()?);
    root.hello("shop");
    // Grants that do for both guests.
    let grants =
        "grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [other] }";
    let old =
        "grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }";
    root.write("shop/wythe.yaml", HELLO.replace(old, grants));
    own.sign(&root, "shop/hello.wasm")?;
    root.write("wythe-host.yaml", operator(&[&own]));
    let served = root.serve(&[])?;
    visit(&served, "shop", 1).await?;
    root.guest("shop/hello.wasm", "echo");
    let changed = format!(
        "its signature FILE.minisig by the key {} is of other bytes, or was changed itself",
        own.id()?
    );
    let problems = served.problems_until(1).await?;
    ensure!(problems == [refused("shop", &changed)], "{problems:?}");
    // The code before serves.
    visit(&served, "shop", 2).await?;
    own.sign(&root, "shop/hello.wasm")?;
    served.until("localhost", "/shop/x", "{").await?;
    ensure!(served.problems_until(0).await?.is_empty());
    let signature = root.path().join("shop/hello.wasm.minisig");
    fs::remove_file(signature)?;
    let missing = "there is no signature FILE.minisig";
    let problems = served.problems_until(1).await?;
    ensure!(problems == [refused("shop", missing)], "{problems:?}");
    ensure!(served.said("localhost", "/shop/x").await?.starts_with('{'));
    own.sign(&root, "shop/hello.wasm")?;
    ensure!(served.problems_until(0).await?.is_empty());
    Ok(())
}

async fn keys() -> Result<()> {
    let (root, old, new) = (Root::new(), Signer::new()?, Signer::new()?);
    root.hello("shop");
    old.sign(&root, "shop/hello.wasm")?;
    let served = root.serve(&[])?;
    visit(&served, "shop", 1).await?;
    root.write("wythe-host.yaml", operator(&[&new]));
    let problems = served.problems_until(2).await?;
    let foreign = format!(
        "its signature FILE.minisig is by the key {}, which is none of the operator's",
        old.id()?
    );
    ensure!(problems[0] == refused("shop", &foreign), "{problems:?}");
    let stopped = "shop: : stopped: its operator's terms changed";
    ensure!(problems[1].starts_with(stopped), "{problems:?}");
    ensure!(served.said("localhost", "/shop/").await? == "404");
    root.write("wythe-host.yaml", operator(&[&new, &old]));
    served
        .until("localhost", "/shop/", "hello, visitor ")
        .await?;
    ensure!(served.problems_until(0).await?.is_empty());
    // A list that was emptied by mistake takes nothing back.
    root.write("wythe-host.yaml", operator(&[]));
    let problems = served.problems_until(1).await?;
    let empty = "shop: wythe-host.yaml:5:16: spec.signingKeys: expected keys, found none; leave `signingKeys` out";
    ensure!(problems[0].starts_with(empty), "{problems:?}");
    root.guest("shop/hello.wasm", "echo");
    root.hello("bank");
    let problems = served.problems_until(2).await?;
    ensure!(
        problems[0].starts_with("bank: wythe-host.yaml:5:16: "),
        "{problems:?}"
    );
    ensure!(served.said("localhost", "/bank/").await? == "404");
    let said = served.said("localhost", "/shop/").await?;
    ensure!(said.starts_with("hello, visitor "), "{said}");
    Ok(())
}

/// A plugin beside the stores of a tenant.
fn cache(more: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: cache }}\nspec:\n  type: state.wasm\n  \
         version: v1\n{more}  metadata: [{{ name: path, value: ../cache.wasm }}]\n"
    )
}

/// Waits until a tenant's components are these.
async fn components_until(served: &Served, expected: &[&str]) -> Result<()> {
    let mut names = Vec::new();
    for _ in 0..300 {
        let status = served.json("status")?;
        let all = status["components"].as_array().into_iter().flatten();
        let all = all.filter_map(|one| one["component"].as_str());
        names = all.map(str::to_owned).collect();
        if names == expected {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the components were never {expected:?}, but {names:?}")
}

async fn plugin() -> Result<()> {
    let (root, own) = (Root::new(), Signer::new()?);
    root.hello("shop");
    root.guest("shop/cache.wasm", "ttl_cache");
    root.write("shop/resources/cache.yaml", cache(""));
    own.sign(&root, "shop/hello.wasm")?;
    root.write("wythe-host.yaml", operator(&[&own]));
    let served = root.serve(&[])?;
    let missing = "there is no signature shop/cache.wasm.minisig";
    let problems = served.problems_until(1).await?;
    let expected = unsigned("component `cache`: ", "shop/cache.wasm", missing);
    let found = problems[0].starts_with("shop: shop/resources/cache.yaml:7:");
    ensure!(found && problems[0].ends_with(&expected), "{problems:?}");
    ensure!(served.said("localhost", "/shop/").await? == "404");
    own.sign(&root, "shop/cache.wasm")?;
    served
        .until("localhost", "/shop/", "hello, visitor 1")
        .await?;
    components_until(&served, &["cache", "pubsub", "statestore"]).await
}

/// A plugin that runs already, and whose absence its tenant allows, does not go on under keys that did not sign it.
async fn optional() -> Result<()> {
    let (root, own) = (Root::new(), Signer::new()?);
    root.hello("shop");
    root.guest("shop/cache.wasm", "ttl_cache");
    root.write("shop/resources/memory.yaml", MEMORY);
    root.write("shop/resources/cache.yaml", cache("  ignoreErrors: true\n"));
    own.sign(&root, "shop/hello.wasm")?;
    let served = root.serve(&[])?;
    let all = ["cache", "pubsub", "statestore"];
    components_until(&served, &all).await?;
    root.write("wythe-host.yaml", operator(&[&own]));
    components_until(&served, &["pubsub", "statestore"]).await?;
    served
        .until("localhost", "/shop/", "hello, visitor ")
        .await?;
    own.sign(&root, "shop/cache.wasm")?;
    components_until(&served, &all).await
}
