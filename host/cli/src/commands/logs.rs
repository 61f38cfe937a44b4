//! `wythe logs`: the last lines that apps logged, and those that come.

use crate::{
    args::{self, Common, Format},
    project,
    report::{self, Outcome},
    signals,
};
use std::{process::ExitCode, time::Duration};
use wythe_api::admin::host::{Action, Answer, Line, Lines, Logs};
use wythe_blocks::time;

/// Milliseconds of a day.
const DAY: u64 = 24 * 60 * 60 * 1_000;

pub async fn logs(common: &Common, args: &args::Logs) -> Outcome {
    let interrupted = signals::interrupted().map_err(anyhow::Error::new)?;
    let mut asked = Logs {
        tenant: args.project.tenant.clone(),
        app: args.app.clone(),
        since: args.since.map(|since| before(since.0)),
        ..Logs::default()
    };
    loop {
        let answer = project::ask_host(&args.project, Action::Logs(asked.clone()));
        let Some(answer) = interrupted.run_until_cancelled(answer).await else {
            return Ok(ExitCode::SUCCESS);
        };
        let Answer::Logs(Lines { lines, next }) = answer? else {
            return Err(project::misfit());
        };
        let is_over = lines.is_empty() && !args.follow;
        lines.iter().for_each(|line| show(common, line));
        if is_over {
            return Ok(ExitCode::SUCCESS);
        }
        asked.from = next;
        asked.wait = args.follow;
    }
}

/// Milliseconds since 1970 of a time so long ago.
fn before(since: Duration) -> u64 {
    time::now().saturating_sub(time::milliseconds(since))
}

fn show(common: &Common, line: &Line) {
    match common.output {
        Format::Json => report::print_json(line),
        Format::Text => report::print_text(text(line)),
    }
}

fn text(line: &Line) -> String {
    let trace = match line.trace.as_str() {
        "" => String::new(),
        trace => format!("  trace={trace}"),
    };
    let (time, app, level) = (clock(line.time), &line.app, &line.level);
    format!("{time} {app} | {level:5} {}{trace}\n", line.message)
}

/// The time of the day, in UTC.
fn clock(milliseconds: u64) -> String {
    let of_day = milliseconds % DAY;
    let (seconds, rest) = (of_day / 1_000, of_day % 1_000);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{rest:03}Z", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_who_and_what() {
        let line = Line {
            time: 90_061_001,
            app: "cart".into(),
            level: "INFO".into(),
            trace: "00-ab".into(),
            message: "hello".into(),
        };
        let expected = "01:01:01.001Z cart | INFO  hello  trace=00-ab\n";
        assert_eq!(text(&line), expected);
    }
}
