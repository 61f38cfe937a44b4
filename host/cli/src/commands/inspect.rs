//! `wythe inspect`: what a component asks for and offers, and whether an app of a manifest would get it.

use crate::{
    args::{Common, Format, Inspect},
    boot,
    report::{self, Outcome, Problem},
};
use anyhow::Context;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{path::Path, process::ExitCode};
use wythe_blocks::interfaces::{INTERFACES, Interface};
use wythe_blocks::text::{hex, size};
use wythe_manifest::App;
use wythe_runtime::{Import, Inspection, Standing};

pub async fn inspect(common: &Common, args: &Inspect) -> Outcome {
    let app = match &args.manifest {
        Some(manifest) => Some(app(common, manifest, args)?),
        None => None,
    };
    // Without a project the cache of compiled components is the user's, or none.
    let runtime = boot::runtime(Path::new(".wythe"))?;
    let inspection = runtime.inspect(&args.file).await?;
    let shown = args.file.display().to_string();
    let bytes = std::fs::read(&args.file).context(shown.clone())?;
    let imports = inspection.imports.iter();
    let mut imports: Vec<Row> = imports.map(|import| row(import, app.as_ref())).collect();
    // What somebody has to decide comes first.
    imports.sort_by_key(|import| matches!(import.verdict, "free" | "granted"));
    let report = json!({
        "file": shown,
        "bytes": bytes.len(),
        "digest": blake3::hash(&bytes).to_hex().as_str(),
        "sha256": hex(Sha256::digest(&bytes)),
        "is": kinds(&inspection),
        "app": app.as_ref().map(|app| app.id.as_str()),
        "imports": imports.iter().map(Row::json).collect::<Vec<_>>(),
        "exports": inspection.exports,
    });
    match common.output {
        Format::Json => report::print_json(&report),
        Format::Text => report::print_text(text(&report, &imports)),
    }
    let denied = app.is_some() && imports.iter().any(|import| import.verdict != "granted");
    Ok(ExitCode::from(u8::from(denied)))
}

/// The app that is named, else the one whose guest the file is, else the only one.
fn app(common: &Common, manifest: &Path, args: &Inspect) -> Outcome<App> {
    let (plan, warnings) = boot::plan(manifest)?;
    report::show(common, &warnings);
    let apps = plan.manifest.apps;
    let ids: Vec<_> = apps.iter().map(|app| app.id.to_string()).collect();
    let wanted = std::fs::canonicalize(&args.file).ok();
    let is_its = |app: &App| wanted.is_some() && std::fs::canonicalize(&app.guest).ok() == wanted;
    let found = match &args.app {
        Some(named) => apps.into_iter().find(|app| app.id.as_str() == named),
        None if apps.len() == 1 => apps.into_iter().next(),
        None => apps.into_iter().find(is_its),
    };
    found.ok_or_else(|| {
        let ids = ids.join(", ");
        let message = match &args.app {
            Some(named) => format!("no app `{named}` in {}; it has: {ids}", manifest.display()),
            None => format!("the file is no app's guest; say by whose grants to judge it: `--app`, one of: {ids}"),
        };
        Problem::new(message).into()
    })
}

struct Row {
    name: String,
    verdict: &'static str,
    hint: String,
}

impl Row {
    fn json(&self) -> Value {
        json!({ "name": self.name, "standing": self.verdict, "hint": self.hint })
    }
}

fn row(import: &Import, app: Option<&App>) -> Row {
    let name = import.name.clone();
    if let Some(app) = app {
        let refusal = import.refusal(app.id.as_str(), &app.grants);
        return Row {
            name,
            verdict: if refusal.is_some() {
                "denied"
            } else {
                "granted"
            },
            hint: refusal.map_or(String::new(), |error| error.message().to_owned()),
        };
    }
    let (verdict, hint) = match import.standing {
        Standing::Free => ("free", String::new()),
        Standing::Grant { key, example } => {
            ("needs a grant", format!("grants: {{ {key}: [{example}] }}"))
        }
        Standing::NotReplayed => ("not replayed", "do that in an activity".to_owned()),
        Standing::OnlyWorkflows => ("workflows", "for components of workflows".to_owned()),
        Standing::Unknown => ("unknown", "this host does not have it".to_owned()),
    };
    Row {
        name,
        verdict,
        hint,
    }
}

/// The parts that the component can play in this host.
fn kinds(inspection: &Inspection) -> Vec<String> {
    let has = |interface: &&Interface| inspection.app.has(interface);
    let exports = INTERFACES.iter().filter(has);
    let mut names: Vec<_> = exports
        .map(|interface| match interface.package {
            // Of either version.
            "wasi:http" => "http",
            _ => interface.name,
        })
        .collect();
    names.dedup();
    let apps = names.iter().map(|name| format!("app with {name}"));
    let drivers = inspection.plugin.iter().map(|driver| driver.name);
    let plugins = drivers.map(|name| format!("{} plugin", name.trim_end_matches("-driver")));
    apps.chain(plugins).collect()
}

fn text(report: &Value, imports: &[Row]) -> String {
    let word = |key: &str| report[key].as_str().unwrap_or_default().to_owned();
    let list = |key: &str| -> Vec<String> {
        let items = report[key].as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let is = match list("is").as_slice() {
        [] => "nothing that this host runs".to_owned(),
        kinds => kinds.join(", "),
    };
    let mut lines = vec![
        word("file"),
        format!("  is       {is}"),
        format!("  size     {}", size(report["bytes"].as_u64().unwrap_or(0))),
        format!("  digest   {}", word("digest")),
        format!("  sha256   {}", word("sha256")),
        match report["app"].as_str() {
            Some(app) => format!("  imports, by the grants of app `{app}`"),
            None => "  imports".to_owned(),
        },
    ];
    lines.extend(rows(imports));
    lines.push("  exports".to_owned());
    lines.extend(list("exports").iter().map(|name| format!("    {name}")));
    lines.push(String::new());
    lines.join("\n")
}

fn rows(imports: &[Row]) -> Vec<String> {
    let names = imports.iter().map(|import| import.name.len());
    let width = names.max().unwrap_or(0);
    let line = |row: &Row| {
        let line = format!("    {:width$}  {:<13}  {}", row.name, row.verdict, row.hint);
        line.trim_end().to_owned()
    };
    imports.iter().map(line).collect()
}
