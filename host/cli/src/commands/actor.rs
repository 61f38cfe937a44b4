//! `wythe actor`: call an actor, list them, and see what is kept of one.

use crate::{
    args::{self, ActorVerb, Common, Format},
    project::{self, Needs, Opened},
    report::{self, Outcome},
};
use serde_json::{Value, json};
use std::{process::ExitCode, time::Duration};
use wythe_api::admin::{
    self, Binary, Command,
    actors::{Action, Answer, Stored},
};
use wythe_blocks::jobs::shown_time;

pub async fn actor(common: &Common, args: &args::Actor) -> Outcome {
    let opened = Opened::new(common, &args.project)?;
    let (needs, action) = action(&args.verb)?;
    let command = Command::Actors(action);
    let admin::Answer::Actors(answer) = opened.ask(needs, command).await? else {
        return Err(project::misfit());
    };
    match (common.output, answer) {
        (Format::Text, Answer::Bytes(data)) => report::print(&data.0),
        (Format::Json, Answer::Bytes(data)) => {
            report::print_json(&json!({ "data": project::shown(&data.0) }));
        }
        (Format::Text, Answer::Page { actors, next }) => {
            report::print(
                actors
                    .iter()
                    .map(|one| format!("{one}\n"))
                    .collect::<String>(),
            );
            if let Some(last) = next {
                report::note(&format!("there is more: add `--cursor '{last}'`"));
            }
        }
        (Format::Json, Answer::Page { actors, next }) => {
            report::print_json(&json!({ "actors": actors, "next": next }));
        }
        (Format::Text, Answer::State(stored)) => report::print_text(text(&stored)),
        (Format::Json, Answer::State(stored)) => report::print_json(&json(&stored)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The action of a verb, and what it needs: only a turn needs an app.
fn action(verb: &ActorVerb) -> Outcome<(Needs, Action)> {
    Ok(match verb.clone() {
        ActorVerb::Invoke {
            kind,
            id,
            method,
            data,
        } => {
            let data = Binary(project::argument(&data)?);
            let action = Action::Invoke {
                kind,
                id,
                method,
                data,
            };
            (Needs::Apps, action)
        }
        ActorVerb::List {
            kind, active: true, ..
        } => (Needs::Components, Action::Active { kind }),
        ActorVerb::List {
            kind,
            limit,
            cursor,
            ..
        } => {
            let action = Action::List {
                kind,
                limit,
                cursor,
            };
            (Needs::Components, action)
        }
        ActorVerb::State { kind, id } => (Needs::Components, Action::State { kind, id }),
    })
}

fn text(stored: &Stored) -> String {
    let mut text = format!(
        "turns   {}\nactive  {}\n",
        stored.turns,
        if stored.active { "yes" } else { "no" }
    );
    for entry in &stored.entries {
        let until = entry.expires.map(shown_time);
        let until = until.map_or(String::new(), |until| format!(" (until {until})"));
        text += &format!("value   {}{until}: {}\n", entry.key, plain(&entry.value));
    }
    for reminder in &stored.reminders {
        let period = reminder.period.map(shown_duration);
        let period = period.map_or(String::new(), |period| format!(", then every {period}"));
        let (name, due, data) = (&reminder.name, shown_time(reminder.due), &reminder.data);
        let data = match data.0.is_empty() {
            true => String::new(),
            false => format!(": {}", plain(data)),
        };
        text += &format!("remind  {name} at {due}{period}{data}\n");
    }
    text
}

/// The data in one line.
fn plain(data: &Binary) -> String {
    match std::str::from_utf8(&data.0) {
        Ok(text) => text.escape_debug().to_string().replace("\\\"", "\""),
        Err(_) => format!("{} bytes", data.0.len()),
    }
}

fn shown_duration(milliseconds: u64) -> String {
    wythe_manifest::Duration(Duration::from_millis(milliseconds)).to_string()
}

fn json(stored: &Stored) -> Value {
    let entries = stored.entries.iter().map(|entry| {
        json!({
            "key": entry.key,
            "value": project::shown(&entry.value.0),
            "expires": entry.expires.map(shown_time),
        })
    });
    let reminders = stored.reminders.iter().map(|reminder| {
        json!({
            "name": reminder.name,
            "due": shown_time(reminder.due),
            "period": reminder.period.map(shown_duration),
            "data": project::shown(&reminder.data.0),
        })
    });
    json!({
        "turns": stored.turns,
        "active": stored.active,
        "entries": entries.collect::<Vec<_>>(),
        "reminders": reminders.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_api::admin::actors::{Entry, Reminder};

    fn stored() -> Stored {
        let entry = |key: &str, value: &[u8], expires| Entry {
            key: key.into(),
            value: Binary(value.to_vec()),
            expires,
        };
        Stored {
            turns: 3,
            active: true,
            entries: vec![
                entry("state", b"{\"a\":1}\n", None),
                entry("own/b", &[255], Some(1_896_075_000_000)),
            ],
            reminders: vec![Reminder {
                name: "interest".into(),
                due: 1_896_075_000_000,
                period: Some(3_600_000),
                data: Binary(b"1".to_vec()),
            }],
        }
    }

    #[test]
    fn what_is_kept_reads_well() {
        let expected = "\
turns   3
active  yes
value   state: {\"a\":1}\\n
value   own/b (until 2030-01-31T07:30:00Z): 1 bytes
remind  interest at 2030-01-31T07:30:00Z, then every 1h: 1
";
        assert_eq!(text(&stored()), expected);
    }

    #[test]
    fn json_has_times_that_people_read() {
        let shown = json(&stored());
        assert_eq!(shown["entries"][1]["value"]["base64"], "/w==");
        assert_eq!(shown["reminders"][0]["due"], "2030-01-31T07:30:00Z");
        assert_eq!(shown["reminders"][0]["period"], "1h");
    }
}
