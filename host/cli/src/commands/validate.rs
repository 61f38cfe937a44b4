//! `wythe validate`: the manifest, its resources and its components; only secret stores are opened, to see what is in them.

use crate::{
    args::{Common, Format, Validate},
    boot::{self, Plan},
    report::{self, Failure, Outcome, Problem},
};
use std::{process::ExitCode, sync::Arc, time::Duration};
use wythe_blocks::{Host, Registry};
use wythe_manifest::{App, Component};
use wythe_runtime::Runtime;

/// For the secret stores.
const CLOSE: Duration = Duration::from_secs(1);

pub async fn validate(common: &Common, args: &Validate) -> Outcome {
    let (plan, mut problems) = boot::plan(&args.path)?;
    let data = boot::data_directory(&plan.manifest);
    let runtime = boot::runtime(&data)?;
    let host = Arc::new(Host::default());
    let registry = boot::registry(&runtime, &host);
    problems.extend(boot::open_stores(&plan, &data, &host, &registry).await);
    host.close(CLOSE).await;
    let components = plan.resources.components.iter();
    // A secret store was opened, which told more.
    for component in components.filter(|component| component.block != "secretstores") {
        problems.extend(check_driver(component, &registry));
    }
    for app in &plan.manifest.apps {
        problems.extend(check_app(&runtime, app).await);
    }
    if problems.iter().any(|problem| !problem.is_warning) {
        return Err(Failure(problems));
    }
    report::tell(common, &problems);
    let counts = Counts::of(&plan);
    match common.output {
        Format::Json => report::print_json(&serde_json::json!({
            "ok": true,
            "apps": counts.apps,
            "components": counts.components,
            "subscriptions": counts.subscriptions,
        })),
        Format::Text => report::print(format!("ok: {}\n", counts.text())),
    }
    Ok(ExitCode::SUCCESS)
}

/// A block and a driver that this build has. Opening it would need what it connects to.
fn check_driver(component: &Component, registry: &Registry) -> Option<Problem> {
    let checked = registry.check(component);
    checked
        .err()
        .map(|error| located(component, error.message()))
}

fn located(component: &Component, message: &str) -> Problem {
    Problem::new(format!(
        "{}: component `{}`: {message}",
        component.source, component.name
    ))
}

/// The component is there and compiles, offers something, and asks only for what is granted.
async fn check_app(runtime: &Arc<Runtime>, app: &App) -> Vec<Problem> {
    let inspection = match runtime.inspect(&app.guest).await {
        Ok(inspection) => inspection,
        Err(error) => {
            let problem = Problem::from(error);
            let message = format!("{}: app `{}`: {}", app.source, app.id, problem.message);
            return vec![Problem { message, ..problem }];
        }
    };
    let refusals = inspection.imports.iter();
    let mut problems: Vec<_> = refusals
        .filter_map(|import| import.refusal(app.id.as_str(), &app.grants))
        .map(Problem::from)
        .collect();
    if inspection.app == wythe_blocks::Exports::default() {
        problems.push(Problem::new(format!(
            "{}: app `{}` exports none of {}",
            app.source,
            app.id,
            wythe_blocks::Exports::INTERFACES
        )));
    }
    if app.ingress.is_some() && !inspection.app.http {
        problems.push(Problem::warning(format!(
            "{}: app `{}` has `ingress`, but its component answers no HTTP",
            app.source, app.id
        )));
    }
    problems
}

struct Counts {
    apps: usize,
    components: usize,
    subscriptions: usize,
}

impl Counts {
    fn of(plan: &Plan) -> Self {
        Counts {
            apps: plan.manifest.apps.len(),
            components: plan.resources.components.len(),
            subscriptions: plan.resources.subscriptions.len(),
        }
    }

    fn text(&self) -> String {
        let some = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        format!(
            "{}, {}, {}",
            some(self.apps, "app"),
            some(self.components, "component"),
            some(self.subscriptions, "subscription")
        )
    }
}
