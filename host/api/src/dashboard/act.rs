//! The forms of the dashboard: each is one command, and its outcome a note on the page that comes next.

#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;

use super::{
    desk::{Desk, misfit},
    gate::Note,
    link::Link,
};
use crate::admin::{
    Answer, Binary, Command, OPERATOR,
    invocation::{self, Invoke},
    jobs::{self, Jobs},
    pubsub::{self, PubSub, Publish},
    workflow,
};
use wythe_blocks::{Error, Result, text::cut};

/// Bytes of an answer in a note.
const ANSWER: usize = 8 << 10;
/// Dead letters that are sent back by one form.
const LETTERS: u32 = 100;

/// Does what a form says. The fields of the form are the desk's query.
pub async fn act(desk: &Desk<'_>, action: &str) -> Result<(Note, Link)> {
    let (command, back) = command(desk, action)?;
    let note = match desk.ask(command).await {
        Ok(answer) => note(action, answer),
        Err(error) => Note {
            failed: true,
            text: format!("{}: {}", error.kind().as_str(), error.message()),
            answer: None,
        },
    };
    Ok((note, back))
}

/// The command of a form, and the page to come back to.
fn command(desk: &Desk<'_>, action: &str) -> Result<(Command, Link)> {
    let form = &desk.query;
    let of_workflow = |action| {
        let back = desk.link("workflow").with("id", &form.text("id"));
        (Command::Workflow(action), back)
    };
    let (id, reason) = (form.text("id"), "by the dashboard".to_owned());
    Ok(match action {
        "publish" => (publish(desk), desk.link("events")),
        "redrive" => redrive(desk),
        "invoke" => (invoke(desk), desk.link("app").with("id", &form.text("app"))),
        "raise" => of_workflow(workflow::Action::Raise {
            id,
            name: form.text("name"),
            data: data(desk),
        }),
        "suspend" => of_workflow(workflow::Action::Suspend { id, reason }),
        "resume" => of_workflow(workflow::Action::Resume { id, reason }),
        "terminate" if form.get("sure").is_none() => {
            return Err(Error::invalid(
                "a workflow ends for good; tick the box to say that this is meant",
            ));
        }
        "terminate" => of_workflow(workflow::Action::Terminate {
            id,
            result: Binary::default(),
        }),
        "pause-job" | "resume-job" => job(desk, action),
        _ => return Err(Error::not_found("the dashboard has no such form")),
    })
}

fn data(desk: &Desk<'_>) -> Binary {
    // A browser sends every line of a form with a carriage return.
    Binary(desk.query.text("data").replace("\r\n", "\n").into_bytes())
}

fn publish(desk: &Desk<'_>) -> Command {
    let form = &desk.query;
    let or = |name: &str, other: &str| form.get(name).unwrap_or(other).to_owned();
    Command::PubSub(PubSub {
        component: form.text("component"),
        app: or("app", OPERATOR),
        action: pubsub::Action::Publish(Publish {
            topic: form.text("topic"),
            kind: or("type", "wythe.dashboard"),
            id: None,
            content_type: or("content", "application/json"),
            data: data(desk),
        }),
    })
}

fn redrive(desk: &Desk<'_>) -> (Command, Link) {
    let form = &desk.query;
    let (component, topic, group) = (
        form.text("component"),
        form.text("topic"),
        form.get("group"),
    );
    let back = desk.link("letters").with("component", &component);
    let back = back
        .with("topic", &topic)
        .with_some("group", group)
        .with("app", desk.app());
    let command = Command::PubSub(PubSub {
        component,
        app: desk.app().to_owned(),
        action: pubsub::Action::Redrive {
            topic,
            group: group.map(str::to_owned),
            to: None,
            limit: LETTERS,
        },
    });
    (command, back)
}

fn invoke(desk: &Desk<'_>) -> Command {
    let form = &desk.query;
    let content = form.get("content").map(str::to_owned);
    let headers = content.map(|kind| ("content-type".to_owned(), kind));
    Command::Invocation(invocation::Action::Invoke(Invoke {
        app: form.text("app"),
        method: form.get("method").unwrap_or("GET").to_owned(),
        path: form.get("path").unwrap_or("/").to_owned(),
        headers: headers.into_iter().collect(),
        body: data(desk),
    }))
}

fn job(desk: &Desk<'_>, action: &str) -> (Command, Link) {
    let (app, name) = (desk.query.text("app"), desk.query.text("name"));
    let back = desk.link("jobs").with("app", &app);
    let action = match action {
        "pause-job" => jobs::Action::Pause { name },
        _ => jobs::Action::Resume { name },
    };
    (Command::Jobs(Jobs { app, action }), back)
}

/// The words of how many letters were sent back, and how many were looked at and not sent.
fn redriven(moved: u64, left: u64) -> String {
    match left {
        0 => format!("Sent {moved} letters back."),
        _ => format!(
            "Sent {moved} letters back, and not {left} that are with a member or come from nowhere known."
        ),
    }
}

/// The words of what was done.
fn note(action: &str, answer: Answer) -> Note {
    let done = |text: String| Note {
        failed: false,
        text,
        answer: None,
    };
    match (action, answer) {
        (_, Answer::Published { id }) => done(format!("Published as the event {id}.")),
        (_, Answer::PubSub(pubsub::Answer::Redriven { moved, left })) => {
            done(redriven(moved, left))
        }
        (_, Answer::Response { status, body, .. }) => {
            let text = String::from_utf8_lossy(&body.0);
            Note {
                failed: status >= 400,
                text: format!("The app answered {status}, with {} bytes.", body.0.len()),
                answer: Some(cut(&text, ANSWER).to_owned()),
            }
        }
        ("raise", Answer::Workflow(_)) => done("The event is with the workflow.".into()),
        ("suspend", Answer::Workflow(_)) => done("The workflow is suspended.".into()),
        ("resume", Answer::Workflow(_)) => done("The workflow goes on.".into()),
        ("terminate", Answer::Workflow(_)) => done("The workflow is terminated.".into()),
        ("pause-job", Answer::Jobs(_)) => done("The job is paused.".into()),
        ("resume-job", Answer::Jobs(_)) => done("The job goes on.".into()),
        _ => Note {
            failed: true,
            text: misfit().message().to_owned(),
            answer: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_were_not_sent_are_no_letters_that_are_left() {
        assert_eq!(redriven(3, 0), "Sent 3 letters back.");
        assert!(redriven(3, 2).starts_with("Sent 3 letters back, and not 2 that are "));
    }
}
