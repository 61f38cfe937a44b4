//! `wythe workflow`: start instances, look at them, tell them things, end and remove them.

use crate::{
    args::{self, Common, Format, WorkflowVerb},
    project::{self, Needs, Opened},
    report::{self, Outcome, Problem},
};
use serde_json::{Value, json};
use std::process::ExitCode;
use wythe_api::admin::{
    self, Binary, Command,
    workflow::{Action, Answer, Asked, Entry, Instance, List},
};
use wythe_blocks::{
    jobs::shown_time,
    time::milliseconds,
    workflow::{Bulk, Status},
};

/// Characters of a payload, or of what an entry is about, in a line.
const HEAD: usize = 60;
/// Walks over all instances of a workflow, while others begin.
const WALKS: usize = 1_000;

pub async fn workflow(common: &Common, args: &args::Workflow) -> Outcome {
    let open = || Opened::new(common, &args.project);
    // Only a start asks which workflows there are.
    let needs = match args.verb {
        WorkflowVerb::Start(_) => Needs::Apps,
        _ => Needs::Components,
    };
    match &args.verb {
        WorkflowVerb::Terminate {
            all: Some(name), ..
        } => return sweep(common, open, Bulk::Terminate, name).await,
        WorkflowVerb::Purge {
            all: Some(name), ..
        } => return sweep(common, open, Bulk::Purge, name).await,
        _ => {}
    }
    let answer = ask(open()?, needs, action(&args.verb)?).await?;
    let is_json = common.output == Format::Json;
    match answer {
        Answer::Id(id) if is_json => report::print_json(&json!({ "id": id })),
        Answer::Id(id) => report::print_text(format!("{id}\n")),
        Answer::Instance(None) => return Err(absent(&args.verb)),
        Answer::Instance(Some(one)) if is_json => report::print_json(&instance_json(&one)),
        Answer::Instance(Some(one)) => report::print_text(details(&one)),
        Answer::Page { instances, next } => page(common, &instances, next),
        Answer::History {
            entries,
            broken,
            next,
        } => return history(common, &entries, broken, next),
        Answer::Done if is_json => report::print_json(&json!({})),
        Answer::Done => {}
        Answer::Swept { .. } => return Err(project::misfit()),
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(opened: Opened, needs: Needs, action: Action) -> Outcome<Answer> {
    match opened.ask(needs, Command::Workflow(action)).await? {
        admin::Answer::Workflow(answer) => Ok(answer),
        _ => Err(project::misfit()),
    }
}

/// All instances, a page at a time; whatever began meanwhile, in another walk. A walk that ends none is the last.
async fn sweep(
    common: &Common,
    open: impl Fn() -> Outcome<Opened>,
    what: Bulk,
    name: &str,
) -> Outcome {
    let (mut all, mut failed) = (0, Vec::new());
    for _ in 0..WALKS {
        let (mut walk, mut cursor) = (0, None);
        failed.clear();
        loop {
            let (name, from) = (name.to_owned(), cursor);
            let action = Action::Sweep {
                what,
                name,
                cursor: from,
            };
            let Answer::Swept {
                done,
                failed: more,
                next,
            } = ask(open()?, Needs::Components, action).await?
            else {
                return Err(project::misfit());
            };
            walk += done;
            failed.extend(more);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        all += walk;
        if walk == 0 {
            break;
        }
    }
    Ok(swept(common, what, all, &failed))
}

fn swept(common: &Common, what: Bulk, done: usize, failed: &[(String, String)]) -> ExitCode {
    let word = match what {
        Bulk::Terminate => "terminated",
        Bulk::Purge => "purged",
    };
    if common.output == Format::Json {
        let failed = failed
            .iter()
            .map(|(id, error)| json!({ "id": id, "error": error }));
        report::print_json(&json!({ word: done, "failed": failed.collect::<Vec<_>>() }));
    } else {
        report::print_text(format!("{word} {done}\n"));
        for (id, error) in failed {
            report::note(&format!("instance `{id}` stays: {error}"));
        }
    }
    match failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn action(verb: &WorkflowVerb) -> Outcome<Action> {
    let bytes = |text: &str| project::argument(text).map(Binary);
    Ok(match verb.clone() {
        WorkflowVerb::Start(args) => start(args)?,
        WorkflowVerb::Get { id, wait } => Action::Get {
            id,
            wait_milliseconds: wait.map_or(0, milliseconds),
        },
        WorkflowVerb::List(args) => list(args),
        WorkflowVerb::History { id, from, limit } => Action::History { id, from, limit },
        WorkflowVerb::Raise { id, event, data } => {
            let (name, data) = (event, bytes(&data)?);
            Action::Raise { id, name, data }
        }
        WorkflowVerb::Suspend { id, reason } => Action::Suspend { id, reason },
        WorkflowVerb::Resume { id, reason } => Action::Resume { id, reason },
        WorkflowVerb::Terminate { id, result, .. } => {
            let (id, result) = (id.unwrap_or_default(), bytes(&result)?);
            Action::Terminate { id, result }
        }
        WorkflowVerb::Purge { id, .. } => {
            let id = id.unwrap_or_default();
            Action::Purge { id }
        }
        WorkflowVerb::Rerun(args) => rerun(args),
    })
}

fn start(args: args::StartWorkflow) -> Outcome<Action> {
    Ok(Action::Start(Asked {
        input: Binary(project::argument(&args.input)?),
        name: args.name,
        id: args.id,
        at: args.at,
    }))
}

fn list(args: args::ListWorkflows) -> Action {
    Action::List(List {
        name: args.name,
        status: args.status.map(Into::into),
        limit: args.limit,
        cursor: args.cursor,
    })
}

fn rerun(args: args::Rerun) -> Action {
    Action::Rerun {
        id: args.id,
        entries: args.entries,
        new_id: args.new_id,
    }
}

impl From<args::Status> for Status {
    fn from(status: args::Status) -> Self {
        match status {
            args::Status::Pending => Status::Pending,
            args::Status::Running => Status::Running,
            args::Status::Suspended => Status::Suspended,
            args::Status::Completed => Status::Completed,
            args::Status::Failed => Status::Failed,
            args::Status::Terminated => Status::Terminated,
            args::Status::Stalled => Status::Stalled,
        }
    }
}

fn absent(verb: &WorkflowVerb) -> report::Failure {
    let id = match verb {
        WorkflowVerb::Get { id, .. } => id.as_str(),
        _ => "",
    };
    let problem = Problem::new(format!("there is no workflow instance `{id}`"));
    let kind = "not-found".into();
    Problem { kind, ..problem }.into()
}

fn details(instance: &Instance) -> String {
    let text = |bytes: &Option<Binary>| {
        let bytes = bytes.as_ref().filter(|bytes| !bytes.0.is_empty());
        bytes.map(|bytes| head(&bytes.0, usize::MAX))
    };
    let parts = [
        ("id", Some(instance.id.clone())),
        (
            "workflow",
            Some(format!("{}/{}", instance.app, instance.name)),
        ),
        ("status", Some(instance.status.to_string())),
        ("says", instance.custom_status.clone()),
        ("reason", instance.reason.clone()),
        ("created", Some(shown_time(instance.created))),
        ("updated", Some(shown_time(instance.updated))),
        ("entries", Some(instance.entries.to_string())),
        ("input", text(&instance.input)),
        ("output", text(&instance.output)),
    ];
    report::details(parts)
}

fn page(common: &Common, instances: &[Instance], next: Option<String>) {
    if common.output == Format::Json {
        let instances: Vec<Value> = instances.iter().map(instance_json).collect();
        return report::print_json(&json!({ "instances": instances, "next": next }));
    }
    if !instances.is_empty() {
        let row = |i: &Instance| {
            let says = i.reason.as_ref().or(i.custom_status.as_ref());
            [
                i.id.clone(),
                i.name.clone(),
                i.status.to_string(),
                shown_time(i.updated),
                i.entries.to_string(),
                says.map_or(String::new(), |says| head(says.as_bytes(), HEAD)),
            ]
        };
        let head = ["ID", "WORKFLOW", "STATUS", "UPDATED", "ENTRIES", "SAYS"];
        report::print_text(report::table(head, instances.iter().map(row)));
    }
    if let Some(id) = next {
        report::note(&format!("there is more: add `--cursor '{id}'`"));
    }
}

fn history(
    common: &Common,
    entries: &[Entry],
    broken: Option<String>,
    next: Option<u32>,
) -> Outcome {
    let is_json = common.output == Format::Json;
    if is_json {
        let lines: Vec<Value> = entries.iter().map(entry_json).collect();
        report::print_json(&json!({ "entries": lines, "broken": broken, "next": next }));
    } else if !entries.is_empty() {
        report::print_text(lines(entries));
    }
    if let Some(reason) = broken {
        if !is_json {
            report::note(&format!("! the journal is not to be believed: {reason}"));
        }
        return Ok(ExitCode::FAILURE);
    }
    if let Some(index) = next.filter(|_| !is_json) {
        report::note(&format!("there is more: add `--from {index}`"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The lines, one for each entry: when, what, about what, how often it was tried, and how its payload begins.
fn lines(entries: &[Entry]) -> String {
    let row = |entry: &Entry| {
        let task = entry.task.map_or(String::new(), |task| format!("#{task}"));
        let tries = entry.attempts.map(|tries| tries.to_string());
        [
            entry.index.to_string(),
            shown_time(entry.time),
            entry.kind.clone(),
            task,
            head(entry.about.as_bytes(), HEAD),
            tries.unwrap_or_default(),
            head(&entry.payload.0, HEAD),
        ]
    };
    let head = ["ENTRY", "TIME", "WHAT", "TASK", "ABOUT", "TRIES", "PAYLOAD"];
    report::table(head, entries.iter().map(row))
}

/// The beginning of bytes, on one line; what is no text is told by its length.
fn head(bytes: &[u8], limit: usize) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return format!("{} bytes", bytes.len());
    };
    let mut shown: String = text
        .chars()
        .take(limit)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn instance_json(instance: &Instance) -> Value {
    let payload = |bytes: &Option<Binary>| bytes.as_ref().map(|bytes| project::shown(&bytes.0));
    json!({
        "id": instance.id,
        "name": instance.name,
        "app": instance.app,
        "status": instance.status,
        "custom_status": instance.custom_status,
        "reason": instance.reason,
        "created": shown_time(instance.created),
        "updated": shown_time(instance.updated),
        "entries": instance.entries,
        "input": payload(&instance.input),
        "output": payload(&instance.output),
    })
}

fn entry_json(entry: &Entry) -> Value {
    json!({
        "index": entry.index,
        "time": shown_time(entry.time),
        "kind": entry.kind,
        "task": entry.task,
        "about": entry.about,
        "attempts": entry.attempts,
        "payload": project::shown(&entry.payload.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u32, kind: &str, about: &str, payload: &[u8]) -> Entry {
        Entry {
            index,
            time: 1_896_075_000_000 + u64::from(index) * 12,
            kind: kind.into(),
            task: (index > 0).then_some(0),
            about: about.into(),
            attempts: (index == 2).then_some(3),
            payload: Binary(payload.to_vec()),
        }
    }

    #[test]
    fn a_history_reads_well() {
        let long = "x".repeat(70);
        let entries = [
            entry(0, "started", "order", b"{\"item\":\n7}"),
            entry(1, "activity-scheduled", "charge", long.as_bytes()),
            entry(2, "activity-completed", "", &[255, 0]),
        ];
        let expected = format!(
            "\
ENTRY  TIME                      WHAT                TASK  ABOUT   TRIES  PAYLOAD
0      2030-01-31T07:30:00Z      started                   order          {{\"item\": 7}}
1      2030-01-31T07:30:00.012Z  activity-scheduled  #0    charge         {}…
2      2030-01-31T07:30:00.024Z  activity-completed  #0            3      2 bytes
",
            "x".repeat(60)
        );
        assert_eq!(lines(&entries), expected);
    }

    #[test]
    fn what_an_app_wrote_makes_no_line_of_its_own() {
        let parts = [("says", Some("x\nstatus   completed".to_owned()))];
        assert_eq!(report::details(parts), "says     x status   completed\n");
    }

    #[test]
    fn details_are_those_that_are_there() {
        let instance = Instance {
            id: "order-7".into(),
            name: "order".into(),
            app: "shop".into(),
            status: Status::Stalled,
            created: 1_896_075_000_000,
            updated: 1_896_075_000_000,
            entries: 2,
            custom_status: None,
            reason: Some("entry 1: the journal has a timer".into()),
            input: Some(Binary(b"7".to_vec())),
            output: None,
        };
        let expected = "\
id       order-7
workflow shop/order
status   stalled
reason   entry 1: the journal has a timer
created  2030-01-31T07:30:00Z
updated  2030-01-31T07:30:00Z
entries  2
input    7
";
        assert_eq!(details(&instance), expected);
    }
}
