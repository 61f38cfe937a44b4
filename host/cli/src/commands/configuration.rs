//! `wythe configuration`: get, set, delete and watch items.

use crate::{
    args::{self, Common, ConfigurationVerb as Verb, Format},
    project::{self, Needs, Opened},
    report::{self, Outcome, Problem},
    signals,
};
use serde_json::json;
use std::{collections::BTreeMap, process::ExitCode, time::Duration};
use wythe_api::admin::{
    self, Command,
    configuration::{Action, Answer, Configuration, Item},
};

/// The pause between two questions of `watch`.
const LOOK: Duration = Duration::from_millis(500);

pub async fn configuration(common: &Common, args: &args::Configuration) -> Outcome {
    let opened = Opened::new(common, &args.project)?;
    let command = |component: &str, action: Action| {
        Command::Configuration(Configuration {
            component: component.to_owned(),
            app: args.app.clone(),
            action,
        })
    };
    let (component, action) = match args.verb.clone() {
        Verb::Watch { component, keys } => {
            let asks = |version: Option<String>| {
                let keys = keys.clone();
                command(&component, Action::Get { keys, version })
            };
            return watch(common, &opened, asks).await;
        }
        Verb::Get { component, keys } => {
            let version = None;
            (component, Action::Get { keys, version })
        }
        Verb::Set {
            component,
            key,
            value,
        } => {
            let value = text(project::argument(&value)?)?;
            (component, Action::Set { key, value })
        }
        Verb::Delete { component, keys } => (component, Action::Delete { keys }),
    };
    let answer = opened.ask(Needs::Components, command(&component, action));
    match answer.await? {
        admin::Answer::Configuration(Answer::Snapshot { items, version }) => {
            show(common, &args.verb, &items, &version)?;
        }
        admin::Answer::Configuration(Answer::Done) if common.output == Format::Json => {
            report::print_json(&json!({}));
        }
        admin::Answer::Configuration(Answer::Done) => {}
        _ => return Err(project::misfit()),
    }
    Ok(ExitCode::SUCCESS)
}

fn text(bytes: Vec<u8>) -> Outcome<String> {
    let text = String::from_utf8(bytes);
    text.map_err(|_| Problem::new("the value is no UTF-8 text; expected one").into())
}

fn show(common: &Common, verb: &Verb, items: &[Item], version: &str) -> Outcome<()> {
    if common.output == Format::Json {
        report::print_json(&json!({ "items": items, "version": version }));
        return Ok(());
    }
    let Verb::Get { component, keys } = verb else {
        return Err(project::misfit());
    };
    match (keys.as_slice(), items) {
        ([key], []) => Err(Problem {
            kind: "not-found".into(),
            ..Problem::new(format!("`{component}` has no item `{key}`"))
        }
        .into()),
        ([_], [item]) => {
            report::print(format!("{}\n", item.value));
            Ok(())
        }
        _ => {
            items.iter().for_each(|item| report::print_text(line(item)));
            Ok(())
        }
    }
}

fn line(item: &Item) -> String {
    format!("{}={}\n", item.key, item.value)
}

/// Asks again and again, of the host that runs.
async fn watch(
    common: &Common,
    opened: &Opened,
    asks: impl Fn(Option<String>) -> Command,
) -> Outcome {
    let interrupted = signals::interrupted().map_err(anyhow::Error::new)?;
    let mut known = BTreeMap::new();
    let mut version = None;
    loop {
        let command = asks(version.clone());
        let asked = interrupted.run_until_cancelled(opened.ask_running(&command));
        let Some(answer) = asked.await else {
            return Ok(ExitCode::SUCCESS);
        };
        let Some(answer) = answer? else {
            let message = match version {
                None => "no host runs this project; start it by `wythe run`",
                Some(_) => "the host has stopped",
            };
            return Err(Problem::new(message).into());
        };
        match answer {
            admin::Answer::Configuration(Answer::Snapshot {
                items,
                version: newer,
            }) => {
                version = Some(newer);
                let items = items.into_iter().map(|item| (item.key.clone(), item));
                let items: BTreeMap<_, _> = items.collect();
                show_changes(common, &known, &items);
                known = items;
            }
            admin::Answer::Configuration(Answer::Unchanged) => {}
            _ => return Err(project::misfit()),
        }
        let rest = tokio::time::sleep(LOOK);
        if interrupted.run_until_cancelled(rest).await.is_none() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

fn show_changes(common: &Common, old: &BTreeMap<String, Item>, new: &BTreeMap<String, Item>) {
    let (items, removed) = difference(old, new);
    if common.output == Format::Json {
        return report::print_json(&json!({ "items": items, "removed": removed }));
    }
    items.iter().for_each(|item| report::print_text(line(item)));
    removed
        .iter()
        .for_each(|key| report::print_text(format!("-{key}\n")));
}

/// New and changed items, and the keys of those that are gone.
fn difference<'a>(
    old: &'a BTreeMap<String, Item>,
    new: &'a BTreeMap<String, Item>,
) -> (Vec<&'a Item>, Vec<&'a str>) {
    let changed = new.values().filter(|item| old.get(&item.key) != Some(item));
    let removed = old.keys().filter(|key| !new.contains_key(*key));
    (changed.collect(), removed.map(String::as_str).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_and_nothing_else() {
        let all = |items: &[(&str, &str)]| -> BTreeMap<String, Item> {
            let item = |(key, value): &(&str, &str)| Item {
                key: (*key).into(),
                value: (*value).into(),
                version: String::new(),
                metadata: Vec::new(),
            };
            let items = items.iter().map(item);
            items.map(|item| (item.key.clone(), item)).collect()
        };
        let (old, new) = (
            all(&[("a", "1"), ("b", "2"), ("c", "3")]),
            all(&[("a", "1"), ("b", "4"), ("d", "5")]),
        );
        let (items, removed) = difference(&old, &new);
        let lines: Vec<_> = items.into_iter().map(line).collect();
        assert_eq!(lines, ["b=4\n", "d=5\n"]);
        assert_eq!(removed, ["c"]);
    }
}
