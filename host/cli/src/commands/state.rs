//! `wythe state`: get, set, delete and list the entries of an app.

use crate::{
    args::{self, Common, Format, StateVerb},
    project::{self, Needs, Opened},
    report::{self, Outcome, Problem},
};
use serde_json::{Value, json};
use std::process::ExitCode;
use wythe_api::admin::{
    Answer, Binary, Command,
    state::{Action, Entry, List, Only, Set, State},
};
use wythe_blocks::time::milliseconds;

pub async fn state(common: &Common, args: &args::State) -> Outcome {
    let opened = Opened::new(common, &args.project)?;
    let app = opened.app(common, args.app.as_deref())?;
    let (component, action) = action(&args.verb)?;
    let command = Command::State(State {
        component: component.clone(),
        app: app.clone(),
        action,
    });
    match opened.ask(Needs::Components, command).await? {
        Answer::Entry(entry) if common.output == Format::Json => report::print_json(&json(&entry)),
        Answer::Entry(entry) => report::print(&entry.value.0),
        Answer::Missing { key } => {
            let missing = format!("app `{app}` has no entry `{key}` in `{component}`");
            let kind = "not-found".into();
            return Err(Problem {
                kind,
                ..Problem::new(missing)
            }
            .into());
        }
        Answer::Stored { etag } if common.output == Format::Json => {
            report::print_json(&json!({ "etag": etag }));
        }
        Answer::Stored { etag } => report::print_text(format!("{etag}\n")),
        Answer::Deleted if common.output == Format::Json => report::print_json(&json!({})),
        Answer::Deleted => {}
        Answer::Page { entries, next } => page(common, &entries, next),
        _ => return Err(project::misfit()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The component, and what to do with it.
fn action(verb: &StateVerb) -> Outcome<(String, Action)> {
    Ok(match verb.clone() {
        StateVerb::Get { component, key } => (component, Action::Get { key }),
        StateVerb::Set(args) => (args.component.clone(), Action::Set(set(args)?)),
        StateVerb::Delete {
            component,
            key,
            if_match,
        } => {
            let only = if_match.map_or(Only::Always, Only::IfMatch);
            (component, Action::Delete { key, only })
        }
        StateVerb::List {
            component,
            prefix,
            limit,
            cursor,
        } => {
            let list = List {
                prefix,
                limit,
                cursor,
            };
            (component, Action::List(list))
        }
    })
}

fn set(args: args::Set) -> Outcome<Set> {
    Ok(Set {
        key: args.key,
        value: Binary(project::argument(&args.value)?),
        content_type: args.content_type,
        ttl_milliseconds: args.ttl.map(|ttl| milliseconds(ttl.0)),
        only: match (args.if_match, args.if_absent) {
            (Some(etag), _) => Only::IfMatch(etag),
            (None, true) => Only::IfAbsent,
            (None, false) => Only::Always,
        },
    })
}

fn page(common: &Common, entries: &[Entry], next: Option<String>) {
    if common.output == Format::Json {
        let entries: Vec<Value> = entries.iter().map(json).collect();
        return report::print_json(&json!({ "entries": entries, "next": next }));
    }
    for entry in entries {
        report::print_text(format!("{}\n", entry.key));
    }
    if let Some(next) = next {
        report::note(&format!("there is more: add `--cursor '{next}'`"));
    }
}

fn json(entry: &Entry) -> Value {
    json!({
        "key": entry.key,
        "value": project::shown(&entry.value.0),
        "etag": entry.etag,
        "content_type": entry.content_type,
        "expires": entry.expires,
    })
}
