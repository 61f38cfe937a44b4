//! Guests of a few instructions, one for each class of faults that engines had: each call ends in a trap or a timeout.

use super::{
    table,
    world::{Ground, World},
};
use anyhow::{Context, Result, ensure};

/// Rows of a module, whose export `handle` is the attack, and the end of the call.
const MODULES: [&str; 3] = [
    include_str!("cores/loops.wat"),
    include_str!("cores/memories.wat"),
    include_str!("cores/objects.wat"),
];
/// Rows of a module that imports calls to the host, and after `---` the function by which the host asks it for memory.
const CALLS: &str = include_str!("cores/calls.wat");
/// A component around a module.
const FRAME: &str = include_str!("cores/frame.wat");
/// The part of it by which the module calls the host.
const HOST: &str = include_str!("cores/host.wat");
const REALLOC: &str = "(i32.const 1024)";

/// The app `app` of a tenant of its own.
const MANIFEST: &str = "\
version: 1
apps:
  - appID: app
    guest: app.wasm
    ingress: /
    limits: { memory: 4MiB, hostMemory: 4MiB, tableElements: 1000, handles: 64, cpuTime: 100ms, wallTime: 1s, afterTime: 100ms }
";

/// Name, expected end, and the text of the component.
fn rows() -> Vec<(&'static str, &'static str, String)> {
    let modules = MODULES.into_iter().flat_map(table::blocks);
    let modules = modules.map(|([name, end], text)| (name, end, framed(text, "", "")));
    let calls = table::blocks(CALLS).into_iter().map(|([name, end], text)| {
        let (module, realloc) = text.split_once("---\n").unwrap_or((text, REALLOC));
        let host = HOST.replace("REALLOC", realloc);
        let with = "(with \"host\" (instance $host))";
        (name, end, framed(module, &host, with))
    });
    modules.chain(calls).collect()
}

fn framed(module: &str, before: &str, with: &str) -> String {
    let after = match module.contains("\"post-return\"") {
        true => "(post-return (func $i \"post-return\"))",
        false => "",
    };
    let frame = FRAME.replace("BEFORE", before).replace("WITH", with);
    frame.replace("LIFT", after).replace("MODULE", module)
}

pub fn names() -> Vec<String> {
    rows()
        .into_iter()
        .map(|(name, ..)| name.to_owned())
        .collect()
}

pub async fn run() -> Result<()> {
    let ground = Ground::new()?;
    for (name, _, text) in rows() {
        let bytes = wat::parse_str(text).context(name)?;
        ground.write(&format!("{name}/app.wasm"), bytes)?;
        ground.write(&format!("{name}/wythe.yaml"), MANIFEST)?;
    }
    let world = ground.start()?;
    let rows = rows().into_iter();
    let rows = rows.map(|(name, expected, _)| (name.to_owned(), (name, expected)));
    let ran = world
        .run(rows, async |(name, end)| attack(&world, name, end).await)
        .await;
    let problems = world.problems().await?;
    let loaded = match problems.is_empty() {
        true => ran,
        false => Err(anyhow::anyhow!("{problems:#?}\n{ran:?}")),
    };
    world.end(loaded).await
}

async fn attack(world: &World, name: &str, expected: &str) -> Result<()> {
    let answer = world.get(&format!("/{name}/")).await?;
    let is_so = world.is_refusal(&answer, expected)?;
    ensure!(is_so, "{} {}", answer.status, answer.text());
    Ok(())
}
