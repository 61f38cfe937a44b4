//! `wythe lock`: who holds a lock of an app, and the end of a grant.

use crate::{
    args::{self, Common, Format, LockVerb},
    project::{self, Needs, Opened},
    report::{self, Outcome},
};
use serde_json::json;
use std::{
    process::ExitCode,
    time::{Duration, SystemTime},
};
use wythe_api::admin::{
    Answer, Command,
    lock::{Action, Grant, Lock},
};
use wythe_blocks::time;

pub async fn lock(common: &Common, args: &args::Lock) -> Outcome {
    let opened = Opened::new(common, &args.project)?;
    let app = opened.app(common, args.app.as_deref())?;
    let (action, component, name) = match args.verb.clone() {
        LockVerb::Holder { component, name } => (Action::Holder, component, name),
        LockVerb::Release { component, name } => (Action::Release, component, name),
    };
    let command = Command::Lock(Lock {
        component,
        name,
        app,
        action,
    });
    let Answer::Grant { grant } = opened.ask(Needs::Components, command).await? else {
        return Err(project::misfit());
    };
    if common.output == Format::Json {
        let name = match action {
            Action::Holder => "holder",
            Action::Release => "released",
        };
        report::print_json(&json!({ name: grant }));
    } else {
        let now = time::since_1970(SystemTime::now());
        report::print_text(text(action, grant.as_ref(), now));
    }
    Ok(ExitCode::SUCCESS)
}

fn text(action: Action, grant: Option<&Grant>, now: Duration) -> String {
    let Some(Grant {
        owner,
        token,
        expires,
    }) = grant
    else {
        return "nobody holds it\n".into();
    };
    match action {
        Action::Release => format!("released; `{owner}` held it with token {token}\n"),
        Action::Holder => {
            let left = Duration::from_millis(*expires).saturating_sub(now);
            let left = report::time(left);
            format!("`{owner}` holds it with token {token} for {left} more\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_well() {
        let grant = |expires| Grant {
            owner: "cart".into(),
            token: 7,
            expires,
        };
        let now = Duration::from_secs(100);
        let cases = [
            (Action::Holder, None, "nobody holds it\n"),
            (Action::Release, None, "nobody holds it\n"),
            (
                Action::Holder,
                Some(grant(112_500)),
                "`cart` holds it with token 7 for 12.5 s more\n",
            ),
            (
                Action::Release,
                Some(grant(1)),
                "released; `cart` held it with token 7\n",
            ),
        ];
        for (action, grant, expected) in cases {
            assert_eq!(text(action, grant.as_ref(), now), expected);
        }
    }
}
