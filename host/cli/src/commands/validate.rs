//! `wythe validate`: the manifest, its resources and its components; only secret stores are opened, to see what is in them.

use crate::{
    args::{Common, Format, Validate},
    boot::{self, Plan},
    check,
    report::{self, Failure, Outcome},
};
use std::process::ExitCode;

pub async fn validate(common: &Common, args: &Validate) -> Outcome {
    let (plan, problems) = check::problems(args.choice(), None).await;
    let Some(plan) = plan.filter(|_| !boot::has_errors(&problems)) else {
        return Err(Failure(problems));
    };
    report::show(common, &problems);
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
