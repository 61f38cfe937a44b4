//! Component files that are refused when they are loaded, each in a tenant of its own with a problem that names the file.

mod bytes;

use super::{
    table,
    world::{Ground, World},
};
use anyhow::{Result, ensure};
use std::time::Duration;

const TEXTS: &str = include_str!("components/texts.wat");
const PARTS: &str = include_str!("components/parts.wat");

/// An export that makes a component an app, as far as loading goes.
const APP: &str = r#"(core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func $f (canon lift (core func $i "f"))) (instance $e (export "handle" (func $f))) (export "wythe:blocks/invocation-handler@0.1.0" (instance $e))"#;

const MANIFEST: &str = "\
version: 1
apps:
  - appID: app
    guest: app.wasm
";

/// A file, and a part of the problem that is told of it.
pub struct Row {
    pub name: String,
    pub problem: &'static str,
    pub bytes: Vec<u8>,
}

fn rows() -> Vec<Row> {
    let texts = table::blocks(TEXTS).into_iter().chain(table::blocks(PARTS));
    let texts = texts.map(|([name, problem], text)| {
        let text = table::repeated(&written_out(text)).replace("APP", APP);
        let bytes = wat::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        Row {
            name: name.to_owned(),
            problem,
            bytes,
        }
    });
    texts.chain(bytes::rows()).collect()
}

/// A text with everything in it that is made; a module is within a component.
fn written_out(text: &str) -> String {
    let text = match text.trim_start().starts_with("(component") || text.contains("(module)") {
        true => text.to_owned(),
        false => format!("(component (core module {text}) APP)"),
    };
    let doubled = (1..64).map(|n| format!("(type $t{n} (tuple $t{} $t{}))", n - 1, n - 1));
    let imports = (0..10_001).map(|n| format!("(import \"i{n}\" (func))"));
    let text = text.replace("DOUBLED", &doubled.collect::<String>());
    text.replace("IMPORTS", &imports.collect::<String>())
}

pub fn names() -> Vec<String> {
    rows().into_iter().map(|row| row.name).collect()
}

pub async fn run() -> Result<()> {
    let (ground, rows) = (Ground::new()?, rows());
    for row in &rows {
        ground.write(&format!("{}/app.wasm", row.name), &row.bytes)?;
        ground.write(&format!("{}/wythe.yaml", row.name), MANIFEST)?;
    }
    // A file of a size that is never read.
    let large = std::fs::File::create(ground.path().join("larger-than-it-may-be/app.wasm"))?;
    large.set_len((64 << 20) + 1)?;
    let world = ground.start()?;
    let problems = all_problems(&world, &rows).await?;
    let rows = rows.into_iter().map(|row| (row.name.clone(), row));
    let judge = async |row| judge(&world, &problems, &row).await;
    let ran = world.run(rows, judge).await;
    world.end(ran).await
}

/// The problems, once there is one for each component that has to have one: the compiler of a busy machine takes its time.
async fn all_problems(world: &World, rows: &[Row]) -> Result<Vec<String>> {
    let is_told = |problems: &[String], row: &Row| {
        let about = format!("{}: ", row.name);
        row.problem == "anything" || problems.iter().any(|problem| problem.starts_with(&about))
    };
    let mut problems = Vec::new();
    for _ in 0..600 {
        problems = world.problems().await?;
        if rows.iter().all(|row| is_told(&problems, row)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(problems)
}

async fn judge(world: &World, problems: &[String], row: &Row) -> Result<()> {
    let about = format!("{}: ", row.name);
    let mut found = problems
        .iter()
        .filter(|problem| problem.starts_with(&about));
    let path = format!("/{}/", row.name);
    let status = world.get(&path).await?.status;
    let Some(problem) = found.next() else {
        // A bit that nobody needs; the app answers no HTTP.
        ensure!(
            row.problem == "anything" && status == 404,
            "it is served: {status}"
        );
        return Ok(());
    };
    let source = format!("{about}{}/wythe.yaml:3:5: ", row.name);
    ensure!(problem.starts_with(&source), "{problem}");
    ensure!(
        row.problem == "anything" || problem.contains(row.problem),
        "{problem}"
    );
    ensure!(status == 404, "{status}");
    Ok(())
}
