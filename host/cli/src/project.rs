//! A project as the commands see it: asked through the host that runs it, or opened for the moment.

use crate::{
    args::{Common, Project},
    boot::{self, Plan},
    control,
    hold::{self, Hold, Waited},
    report::{self, Failure, Outcome, Problem},
};
use std::{
    convert::Infallible,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};
use wythe_api::admin::{self, Answer, Binary, Command};

const CLOSE: Duration = Duration::from_secs(5);

/// A project that was found good.
pub struct Opened {
    plan: Plan,
    data: PathBuf,
}

/// The part of a project that a command needs where no host runs it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Components,
    Apps,
}

impl Opened {
    pub fn new(common: &Common, project: &Project) -> Outcome<Self> {
        let (plan, warnings) = boot::plan(&project.project)?;
        report::show(common, &warnings);
        let default = || boot::data_directory(&plan.manifest);
        let data = project.data_dir.clone().unwrap_or_else(default);
        Ok(Opened { plan, data })
    }

    /// The app that is meant where none is named: the only one. One that is not in the manifest may have been, and
    /// its state is still there.
    pub fn app(&self, common: &Common, named: Option<&str>) -> Outcome<String> {
        let apps: Vec<&str> = self
            .plan
            .manifest
            .apps
            .iter()
            .map(|app| app.id.as_str())
            .collect();
        let all = apps.join(", ");
        match (named, apps.as_slice()) {
            (Some(named), _) => {
                if !apps.contains(&named) {
                    let message = format!("the manifest has no app `{named}`; it has: {all}");
                    report::show(common, &[Problem::warning(message)]);
                }
                Ok(named.to_owned())
            }
            (None, [only]) => Ok((*only).to_owned()),
            (None, _) => Err(Problem::new(format!(
                "say which app is meant by `--app`, one of: {all}"
            ))
            .into()),
        }
    }

    /// Does a command through the host that runs; none where there is no such host.
    pub async fn ask_running(&self, command: &Command) -> Outcome<Option<Answer>> {
        control::ask(&self.data, command).await
    }

    /// Does a command through the host that runs, or, where none does, in this process.
    /// One that starts is waited for.
    pub async fn ask(mut self, needs: Needs, command: Command) -> Outcome<Answer> {
        let _hold = match hold::wait(&self.data, async || self.ask_running(&command).await).await? {
            Waited::Answered(answer) => return Ok(answer),
            Waited::Held(hold) => hold,
        };
        if needs == Needs::Components {
            self.plan.manifest.apps.clear();
        }
        let booted = boot::prepare(&self.plan, &self.data).await?;
        let answer = admin::execute(&booted.tenant, command).await;
        booted.host.close(CLOSE).await;
        Ok(answer?)
    }
}

/// Refuses to start a second host with the same data.
pub async fn refuse_second(data: &Path) -> Outcome<()> {
    match control::ask(data, &Command::Ping).await? {
        Some(Answer::Pong { pid, .. }) => Err(Problem {
            kind: "conflict".into(),
            ..Problem::new(format!(
                "this project runs already (pid {pid}); stop that, or give this one data of its own by `--data-dir`"
            ))
        }
        .into()),
        _ => Ok(()),
    }
}

/// Takes the hold of the data, for a host that starts.
pub async fn hold(data: &Path) -> Outcome<Hold> {
    let no_second = async || refuse_second(data).await.map(|()| None::<Infallible>);
    match hold::wait(data, no_second).await? {
        Waited::Held(hold) => Ok(hold),
        Waited::Answered(never) => match never {},
    }
}

/// A value that was written as an argument; `-` means standard input.
pub fn argument(text: &str) -> anyhow::Result<Vec<u8>> {
    if text != "-" {
        return Ok(text.as_bytes().to_vec());
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Bytes in the JSON of an answer: a text where they are one, else `{"base64": ..}`.
pub fn shown(bytes: &[u8]) -> serde_json::Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => serde_json::json!({ "base64": Binary(bytes.to_vec()) }),
    }
}

/// An answer to another question: only a host of another version gives one.
pub fn misfit() -> Failure {
    Problem::new("the host that runs gave another answer than expected; is it of another version?")
        .into()
}
