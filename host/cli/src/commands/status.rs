//! `wythe status` and `wythe ps`: how a host that runs is, and what runs in it now.

use crate::{
    args::{self, Common, Format, Project},
    project,
    report::{self, Outcome},
};
use std::{process::ExitCode, time::Duration};
use wythe_api::admin::host::{Action, Answer, App, Breaker, Failed, Quota, Running, Status, Unit};
use wythe_blocks::{text::size, time};

pub async fn status(common: &Common, args: &args::StatusOf) -> Outcome {
    let Answer::Status(mut status) = project::ask_host(&args.project, Action::Status {}).await?
    else {
        return Err(project::misfit());
    };
    status.retain(|tenant| is_meant(&args.project, tenant));
    match common.output {
        Format::Json => report::print_json(&status),
        Format::Text => {
            // Of one tenant all are shown, of many those that matter.
            let is_shown = |one: &Quota| args.project.tenant.is_some() || is_short(one);
            status.quotas.retain(is_shown);
            let is_shown = |one: &Breaker| args.project.tenant.is_some() || one.state != "closed";
            status.breakers.retain(is_shown);
            report::print_text(text(&status));
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn ps(common: &Common, args: &args::Ps) -> Outcome {
    let Answer::Ps(mut running) = project::ask_host(&args.project, Action::Ps {}).await? else {
        return Err(project::misfit());
    };
    running.retain(|one| is_meant(&args.project, &one.tenant));
    match common.output {
        Format::Json => report::print_json(&running),
        Format::Text => report::print_text(running_text(&running)),
    }
    Ok(ExitCode::SUCCESS)
}

fn is_meant(project: &Project, tenant: &str) -> bool {
    let named = project.tenant.as_deref();
    named.is_none_or(|named| named == tenant)
}

fn running_text(running: &[Running]) -> String {
    let row = |one: &Running| {
        [
            one.tenant.clone(),
            one.app.clone(),
            format!("{} of {}", one.calls, one.calls_limit),
            one.instances.to_string(),
        ]
    };
    let head = ["TENANT", "APP", "CALLS", "INSTANCES"];
    report::table(head, running.iter().map(row))
}

fn text(status: &Status) -> String {
    let mut text = format!("wythe {} runs, pid {}\n", status.version, status.pid);
    if !status.problems.is_empty() {
        text += "\nNot in force:\n";
    }
    for problem in &status.problems {
        let place = problem.position.as_ref();
        let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
        let (about, message) = (&problem.about, &problem.message);
        text += &format!("  {about}: {place}{message}\n");
    }
    text += &format!("\n{}", apps(status));
    text += &format!("\n{}", components(status));
    if !status.subscriptions.is_empty() {
        text += &format!("\n{}", subscriptions(status));
    }
    if !status.breakers.is_empty() {
        text += &format!("\n{}", breakers(&status.breakers));
    }
    if !status.quotas.is_empty() {
        text += &format!("\n{}", quotas(&status.quotas));
    }
    text
}

fn apps(status: &Status) -> String {
    let rows = status.apps.iter().map(|one| {
        let (used, limit) = (one.host_memory as u64, one.host_memory_limit);
        let running = &one.running;
        [
            running.tenant.clone(),
            running.app.clone(),
            one.version.clone(),
            format!("{} of {}", running.calls, running.calls_limit),
            running.instances.to_string(),
            format!("{} of {}", size(used), size(limit)),
            health(one),
            failed(one.last_error.as_ref()),
        ]
    });
    let head = [
        "TENANT",
        "APP",
        "VERSION",
        "CALLS",
        "INSTANCES",
        "HOST MEMORY",
        "HEALTH",
        "LAST ERROR",
    ];
    report::table(head, rows)
}

/// The word for an app's health, with the reason of the last look that failed.
fn health(app: &App) -> String {
    match &app.health_reason {
        Some(reason) => format!("{}: {}", app.health, reason),
        None => app.health.clone(),
    }
}

fn components(status: &Status) -> String {
    let rows = status.components.iter().map(|one| {
        [
            one.tenant.clone(),
            one.component.clone(),
            one.kind.clone(),
            one.health.clone(),
            one.description.clone().unwrap_or_default(),
            failed(one.last_error.as_ref()),
        ]
    });
    let head = [
        "TENANT",
        "COMPONENT",
        "TYPE",
        "HEALTH",
        "SERVER",
        "LAST ERROR",
    ];
    report::table(head, rows)
}

fn subscriptions(status: &Status) -> String {
    let rows = status.subscriptions.iter().map(|one| {
        let topic = format!("{}/{}", one.component, one.topic);
        [one.tenant.clone(), one.app.clone(), topic]
    });
    report::table(["TENANT", "SUBSCRIBER", "TOPIC"], rows)
}

fn breakers(breakers: &[Breaker]) -> String {
    let rows = breakers.iter().map(|one| {
        let target = match (&one.actor, &one.app) {
            (Some(actor), _) => format!("{}, actor `{actor}`", one.target),
            (None, Some(app)) => format!("{}, for app `{app}`", one.target),
            (None, None) => one.target.clone(),
        };
        let left = one.open_for.map(Duration::from_millis).map(report::time);
        [
            one.tenant.clone(),
            one.policy.clone(),
            target,
            one.state.clone(),
            one.failures.to_string(),
            left.unwrap_or_default(),
        ]
    });
    let head = [
        "TENANT", "BREAKER", "TARGET", "STATE", "FAILURES", "OPEN FOR",
    ];
    report::table(head, rows)
}

/// Says whether most of a quota is used, or something was refused.
fn is_short(quota: &Quota) -> bool {
    quota.refused > 0 || quota.used >= quota.limit / 5 * 4
}

fn quotas(quotas: &[Quota]) -> String {
    let rows = quotas.iter().map(|one| {
        let amount = |amount| match one.unit {
            Unit::Bytes | Unit::BytesPerSecond => size(amount),
            Unit::Milliseconds => {
                wythe_manifest::Duration(Duration::from_millis(amount)).to_string()
            }
            Unit::Count | Unit::PerSecond => amount.to_string(),
        };
        [
            one.tenant.clone(),
            one.quota.clone(),
            amount(one.used),
            amount(one.limit),
            one.refused.to_string(),
        ]
    });
    report::table(["TENANT", "QUOTA", "USED", "LIMIT", "REFUSED"], rows)
}

/// The last error: how long ago, of which kind, and what it said.
fn failed(failed: Option<&Failed>) -> String {
    let Some(failed) = failed else {
        return String::new();
    };
    let ago = Duration::from_millis(time::now().saturating_sub(failed.time));
    let (ago, kind, message) = (report::time(ago), &failed.kind, &failed.message);
    format!("{ago} ago, {kind}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_api::admin::host::{Component, Problem};

    fn cart() -> App {
        App {
            running: Running {
                tenant: "shop".into(),
                app: "cart".into(),
                calls: 1,
                calls_limit: 64,
                instances: 2,
            },
            version: "abc".into(),
            host_memory: 0,
            host_memory_limit: 1_000_000,
            health: "ill".into(),
            health_reason: Some("it answered 503".into()),
            last_error: None,
        }
    }

    #[test]
    fn what_is_not_in_force_comes_first() {
        let problem = Problem {
            about: "shop".into(),
            kind: "invalid".into(),
            position: Some("shop/wythe.yaml:3:1".into()),
            message: "missing `guest`".into(),
        };
        let component = Component {
            tenant: "shop".into(),
            component: "statestore".into(),
            kind: "state.memory".into(),
            health: "ok".into(),
            last_error: None,
            description: Some("Store 7 at db:99".into()),
        };
        let status = Status {
            pid: 7,
            version: "1".into(),
            problems: vec![problem],
            apps: vec![cart()],
            components: vec![component],
            ..Status::default()
        };
        let expected = "\
wythe 1 runs, pid 7

Not in force:
  shop: shop/wythe.yaml:3:1: missing `guest`

TENANT  APP   VERSION  CALLS    INSTANCES  HOST MEMORY    HEALTH                LAST ERROR
shop    cart  abc      1 of 64  2          0 B of 1.0 MB  ill: it answered 503

TENANT  COMPONENT   TYPE          HEALTH  SERVER            LAST ERROR
shop    statestore  state.memory  ok      Store 7 at db:99
";
        assert_eq!(text(&status), expected);
    }

    #[test]
    fn breakers_are_shown_with_what_they_are_for() {
        let open = Breaker {
            tenant: "shop".into(),
            target: "component `web` (outbound)".into(),
            policy: "b".into(),
            app: None,
            actor: None,
            state: "open".into(),
            failures: 0,
            open_for: Some(20_000),
        };
        let closed = Breaker {
            app: Some("cart".into()),
            state: "closed".into(),
            failures: 2,
            open_for: None,
            ..open.clone()
        };
        let expected = format!(
            "\
TENANT  BREAKER  TARGET                                      STATE   FAILURES  OPEN FOR
shop    b        component `web` (outbound)                  open    0         {}
shop    b        component `web` (outbound), for app `cart`  closed  2
",
            report::time(Duration::from_secs(20))
        );
        assert_eq!(breakers(&[open, closed]), expected);
    }

    #[test]
    fn quotas_that_are_short_are_shown() {
        let quota = |quota: &str, used, refused| Quota {
            tenant: "shop".into(),
            quota: quota.into(),
            unit: Unit::Bytes,
            used,
            limit: 256 << 20,
            refused,
        };
        let full = quota("memory", 220 << 20, 0);
        let refused = quota("hostMemory", 0, 3);
        assert!(is_short(&full) && is_short(&refused) && !is_short(&quota("memory", 1, 0)));
        let expected = "\
TENANT  QUOTA       USED      LIMIT     REFUSED
shop    memory      230.7 MB  268.4 MB  0
shop    hostMemory  0 B       268.4 MB  3
";
        assert_eq!(quotas(&[full, refused]), expected);
    }
}
