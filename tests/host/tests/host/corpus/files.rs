//! Files of tenants and of the operator that are refused, each with a problem that names the file and the line.

use super::{
    table,
    world::{Ground, World},
};
use anyhow::{Context, Result, ensure};
use host_tests::MEMORY;

const ROWS: &str = include_str!("files/rows.txt");
const STARTS: &str = include_str!("files/start.txt");

/// An app whose lines end here.
const APP: &str = "\
version: 1
apps:
  - appID: app
    guest: hello.wasm
";
/// The grants of the app of a row of resources.
const GRANTS: &str =
    "    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }\n";

type Row = [&'static str; 4];

fn text(escaped: &str) -> Result<String> {
    Ok(String::from_utf8(table::unescaped(escaped))?)
}

pub fn names() -> Vec<String> {
    let rows = table::lines(ROWS).into_iter().map(|[name, ..]: Row| name);
    let starts = table::lines(STARTS).into_iter().map(|[name, _, _]| name);
    rows.chain(starts).map(str::to_owned).collect()
}

pub async fn run() -> Result<()> {
    let ground = Ground::new()?;
    let mut terms = String::new();
    for row in table::lines(ROWS) {
        terms += &write(&ground, row).context(row[0])?;
    }
    ground.write("wythe-host.yaml", terms)?;
    let world = ground.start()?;
    let problems = world.problems().await?;
    let rows = table::lines(ROWS).into_iter();
    let rows = rows.map(|row: Row| (row[0].to_owned(), row));
    let ran = world
        .run(rows, async |row| judge(&world, &problems, row).await)
        .await;
    world.end(ran).await
}

/// Writes the tenant of a row; the answer is the operator's word about it.
fn write(ground: &Ground, [name, file, _, escaped]: Row) -> Result<String> {
    let text = text(escaped)?;
    let manifest = match file {
        "manifest" => text.clone(),
        "app" => format!("{APP}{text}"),
        _ => format!("{APP}{GRANTS}"),
    };
    ground.guest(&format!("{name}/hello.wasm"), "hello")?;
    ground.write(&format!("{name}/wythe.yaml"), manifest)?;
    ground.write(&format!("{name}/resources/memory.yaml"), MEMORY)?;
    if file == "resource" {
        ground.write(&format!("{name}/resources/more.yaml"), &text)?;
    }
    Ok(match file {
        "terms" => format!(
            "---\napiVersion: wythe/v1\nkind: Tenant\nmetadata: {{ name: {name} }}\nspec: {text}\n"
        ),
        _ => String::new(),
    })
}

async fn judge(world: &World, problems: &[String], [name, file, part, _]: Row) -> Result<()> {
    let source = match file {
        "manifest" | "app" => format!("{name}: {name}/wythe.yaml:"),
        "resource" => format!("{name}: {name}/resources/more.yaml:"),
        _ => format!("{name}: wythe-host.yaml:"),
    };
    let about = format!("{name}: ");
    let (part, is_of_file) = match part.strip_prefix("file: ") {
        Some(part) => (part, true),
        None => (part, false),
    };
    let own: Vec<_> = problems
        .iter()
        .filter(|problem| problem.starts_with(&about))
        .collect();
    let is_it = |problem: &&&String| {
        let place = problem.strip_prefix(&source);
        let has_line = place.is_some_and(|place| place.starts_with(|c: char| c.is_ascii_digit()));
        (has_line || is_of_file && place.is_some()) && problem.contains(part)
    };
    let shown: String = format!("{own:?}").chars().take(1_000).collect();
    ensure!(
        own.iter().find(is_it).is_some(),
        "expected {source}{part}: {shown}"
    );
    let status = world.get(&format!("/{name}/")).await?.status;
    ensure!(status == 404, "it is served: {status}");
    Ok(())
}

pub async fn starts() -> Result<()> {
    let mut failed = Vec::new();
    for [name, part, escaped] in table::lines(STARTS) {
        let ground = Ground::new()?;
        ground.write("wythe-host.yaml", table::unescaped(escaped))?;
        let reported = ground.refused().context(name)?;
        let is_good = reported.contains("wythe-host.yaml") && reported.contains(part);
        if !is_good || reported.contains("panicked") {
            failed.push(format!("{name}: {reported}"));
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}
