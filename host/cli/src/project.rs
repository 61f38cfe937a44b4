//! A project as the commands see it: asked through the host that runs it, or opened for the moment.

use crate::{
    args::{Common, Project},
    boot::{self, Booted, Plan},
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
use wythe_api::admin::{self, Answer, Binary, Command, host};
use wythe_manifest::{Component, Name, Resources};

const CLOSE: Duration = Duration::from_secs(5);

/// A project that was found good.
pub struct Opened {
    plan: Plan,
    data: PathBuf,
    /// The tenant, where the project is one of those of a host with many: it is never opened for the moment.
    tenant: Option<String>,
}

/// The part of a project that a command needs where no host runs it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Components,
    Apps,
}

impl Opened {
    pub fn new(common: &Common, project: &Project) -> Outcome<Self> {
        if let Some(tenant) = &project.tenant {
            return Self::served(project, tenant);
        }
        let (plan, warnings) = boot::plan(project.choice())?;
        report::show(common, &warnings);
        let default = || boot::data_directory(&plan.manifest);
        let data = project.data_dir.clone().unwrap_or_else(default);
        let tenant = None;
        Ok(Opened { plan, data, tenant })
    }

    /// A tenant of a host that serves many.
    fn served(project: &Project, tenant: &str) -> Outcome<Self> {
        let name = tenant.parse::<Name>();
        let name = name.map_err(|error| Problem::new(error.to_string()))?;
        let (manifest, problems) = wythe_manifest::load(&project.project.join(name.as_str()));
        let Some(manifest) = manifest else {
            return Err(Problem::all(problems).into());
        };
        let plan = Plan {
            manifest,
            resources: Resources::default(),
            defaults: Vec::new(),
            token: None,
            terms: None,
        };
        Ok(Opened {
            plan,
            data: data_of(project),
            tenant: Some(tenant.to_owned()),
        })
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

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The directory of the project's data.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Opens the components of a block, and the secret stores that they may need, while no host runs.
    pub async fn components(mut self, block: &str) -> Outcome<(Booted, Hold)> {
        if self.tenant.is_some() {
            return Err(Problem::new(
                "expected a project, for no host may run meanwhile; stop the host, and name the tenant's directory by `--project` \
                 and the host's data by `--data-dir`",
            )
            .into());
        }
        let hold = hold(&self.data).await?;
        self.plan.manifest.apps.clear();
        let resources = &mut self.plan.resources;
        let is_needed = |one: &Component| [block, "secretstores"].contains(&one.block.as_str());
        resources.components.retain(is_needed);
        resources.subscriptions.clear();
        resources.resiliencies.clear();
        resources.configurations.clear();
        let booted = boot::prepare(&self.plan, &self.data).await?;
        Ok((booted, hold))
    }

    /// Does a command through the host that runs; none where there is no such host.
    pub async fn ask_running(&self, command: &Command) -> Outcome<Option<Answer>> {
        control::ask_of(&self.data, self.tenant.as_deref(), command).await
    }

    /// Does a command through the host that runs, or, where none does, in this process.
    /// One that starts is waited for.
    pub async fn ask(mut self, needs: Needs, command: Command) -> Outcome<Answer> {
        if self.tenant.is_some() {
            let answer = self.ask_running(&command).await?;
            return answer.ok_or_else(|| nobody(&self.data));
        }
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

/// The directory of the data of a project, or of a host with many tenants.
pub fn data_of(project: &Project) -> PathBuf {
    let path = &project.project;
    let own = match path.is_dir() {
        true => path.as_path(),
        false => path.parent().unwrap_or(Path::new("")),
    };
    let default = || own.strip_prefix(".").unwrap_or(own).join(".wythe");
    project.data_dir.clone().unwrap_or_else(default)
}

/// Does a command about a host that runs.
pub async fn ask_host(project: &Project, action: host::Action) -> Outcome<host::Answer> {
    let data = data_of(project);
    match control::ask(&data, &Command::Host(action)).await? {
        Some(Answer::Host(answer)) => Ok(answer),
        Some(_) => Err(misfit()),
        None => Err(nobody(&data)),
    }
}

/// The failure where no host runs.
pub fn nobody(data: &Path) -> Failure {
    Problem {
        kind: "unavailable".into(),
        ..Problem::new(format!(
            "no host runs with the data directory `{}`; start one by `wythe run` or `wythe serve`, or name its directory by \
             `--project`",
            data.display()
        ))
    }
    .into()
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
