//! Attacks of a guest that is served beside a neighbour: each is an answer with a status and a kind, or one to the guest.

mod peer;

use super::{
    table,
    world::{Ground, World},
};
use anyhow::{Result, ensure};
use host_tests::MEMORY;

/// Name, request and expected end; `PEER` is a server of the test.
const ATTACKS: &str = include_str!("guests/attacks.txt");
/// Calls of the attacker to itself, each in the one before.
const CHAIN: usize = 20;

/// An app of each tenant that attacks.
const EVIL: &str = "\
version: 1
apps:
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore, PLUGINS], publish: [pubsub/open], invoke: [hostile], http: [\"http://PEER\"] }
    limits: { LIMITS, cpuTime: 5s, wallTime: 10s }
    env: { GREETING: hello }
  - appID: vault
    guest: hostile.wasm
    grants: { state: [vault], publish: [pubsub], invoke: [hostile], http: [] }
";

/// An app whose calls may not last.
const SHORT: &str = "\
version: 1
apps:
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [hostile], http: [] }
    limits: { LIMITS, cpuTime: 100ms, wallTime: 500ms }
";

const NEWER: &str = "\
version: 1
apps:
  - appID: newer
    guest: hostile.wasm
    ingress: /
    limits: { LIMITS, cpuTime: 5s, wallTime: 500ms }
";

const LIMITS: &str = "memory: 16MiB, hostMemory: 32MiB, handles: 64, hostcallBytes: 5MiB, requestBody: 64KiB, \
                      logBytesPerSecond: 64KiB, afterTime: 100ms, stallTime: 1s";

const VAULT: &str = "\
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: vault }
spec: { type: state.memory, version: v1 }
";

/// A store of a plugin that has faults.
const PLUGIN: &str = "\
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: NAME }
spec:
  type: state.wasm
  version: v1
  metadata: [{ name: path, value: ../bad.wasm }, { name: cpuTime, value: 200ms }]
";

/// Every row: the name, the request and the expected end.
fn rows() -> Vec<[String; 3]> {
    let rows = table::lines(ATTACKS)
        .into_iter()
        .map(|row: [&str; 3]| row.map(str::to_owned));
    let more = [
        [
            "calls-itself-in-a-chain",
            &format!("/evil{}", chain()),
            "says exhausted",
        ],
        ["asks-for-a-long-url", &long(), "says refused: "],
    ];
    rows.chain(more.map(|row| row.map(str::to_owned))).collect()
}

/// A path that calls itself, deeper than apps may call each other.
fn chain() -> String {
    (0..CHAIN).fold("/env".to_owned(), |path, _| {
        let path = path.replace('%', "%25").replace('&', "%26");
        format!("/invoke?app=hostile&path={path}")
    })
}

/// A request to nobody, by a path of 32 KiB.
fn long() -> String {
    format!("/evil/fetch?url=http://[::1]/{}", "a/".repeat(16 << 10))
}

pub fn names() -> Vec<String> {
    rows().into_iter().map(|[name, ..]| name).collect()
}

pub async fn run() -> Result<()> {
    let peer = peer::start().await?;
    let world = ground(&peer)?.start()?;
    let rows = rows()
        .into_iter()
        .map(|[name, path, expected]| (name, (path.replace("PEER", &peer), expected)));
    let attack = async |(path, expected): (String, String)| attack(&world, &path, &expected).await;
    let ran = world.run(rows, attack).await;
    world.end(ran).await
}

fn ground(peer: &str) -> Result<Ground> {
    let ground = Ground::new()?;
    let tenants = [
        ("evil", "hostile", EVIL),
        ("short", "hostile", SHORT),
        ("newer", "hostile3", NEWER),
    ];
    // Each row of a plugin has one of its own, which no other row ends.
    let plugins: Vec<_> = names()
        .into_iter()
        .filter(|name| name.starts_with("plugin-"))
        .collect();
    for (tenant, guest, manifest) in tenants {
        let text = manifest.replace("LIMITS", LIMITS).replace("PEER", peer);
        let text = text.replace("PLUGINS", &plugins.join(", "));
        ground.guest(&format!("{tenant}/hostile.wasm"), guest)?;
        ground.write(&format!("{tenant}/wythe.yaml"), text)?;
        ground.write(&format!("{tenant}/resources/memory.yaml"), MEMORY)?;
    }
    ground.guest("evil/bad.wasm", "bad")?;
    let more: String = plugins
        .iter()
        .map(|name| PLUGIN.replace("NAME", name))
        .collect();
    ground.write("evil/resources/more.yaml", format!("{VAULT}{more}"))?;
    let terms = format!(
        "apiVersion: wythe/v1\nkind: Tenant\nmetadata: {{ name: evil }}\nspec: {{ allow: {{ http: [\"http://{peer}\"] }} }}\n"
    );
    ground.write("wythe-host.yaml", terms)?;
    Ok(ground)
}

async fn attack(world: &World, path: &str, expected: &str) -> Result<()> {
    let answer = world.get(path).await;
    if expected == "breaks" {
        let is_late = |error: &anyhow::Error| error.is::<tokio::time::error::Elapsed>();
        let is_cut = answer.as_ref().is_err_and(|error| !is_late(error));
        ensure!(is_cut, "{answer:?}");
        return Ok(());
    }
    let answer = answer?;
    let (status, body) = (answer.status, answer.text());
    let shown: String = body.chars().take(500).collect();
    let is_so = match expected.strip_prefix("says ") {
        Some(text) => status == 200 && body.contains(text),
        None => world.is_refusal(&answer, expected)?,
    };
    ensure!(is_so, "{status} {shown}");
    // The host's own surroundings are nobody's.
    ensure!(!body.contains("PATH="), "{shown}");
    Ok(())
}
