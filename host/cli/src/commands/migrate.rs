//! `wythe migrate`: the entries of a state component are copied into another one, and both are compared.
//!
//! How far the copy got is in a file beside the data, so that one which was interrupted goes on there.

use crate::{
    args::{Common, Format, Migrate},
    boot::{Booted, Plan},
    project::Opened,
    report::{self, Failure, Outcome, Problem},
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};
use wythe_blocks::{
    state::{Copier, Portion},
    text::size,
    time::milliseconds,
};

/// Time between two writes of the file with how far the copy got.
const SAVE: Duration = Duration::from_secs(1);
const CLOSE: Duration = Duration::from_secs(5);

pub async fn migrate(common: &Common, args: &Migrate) -> Outcome {
    let opened = Opened::new(common, &args.project)?;
    let record = Record::new(opened.plan(), args);
    let file = opened
        .data()
        .join(format!("migrate-{}-{}.json", args.from, args.to));
    let (booted, _hold) = opened.components("state").await?;
    let done = run(common, &booted, record, &file).await;
    booted.host.close(CLOSE).await;
    let (record, time) = done?;
    let (from, to) = (&record.from, &record.to);
    match common.output {
        Format::Json => report::print_json(&json!({
            "from": from,
            "to": to,
            "entries": record.entries,
            "bytes": record.bytes,
            "milliseconds": milliseconds(time),
        })),
        Format::Text => report::print_text(format!(
            "copied and compared: {} entries, {}, in {}\n\
             Give `{}` the name of `{}` before apps run again; `{}` is as it was.\n",
            record.entries,
            size(record.bytes),
            report::time(time),
            to.component,
            from.component,
            from.component,
        )),
    }
    Ok(ExitCode::SUCCESS)
}

async fn run(
    common: &Common,
    booted: &Booted,
    new: Record,
    file: &Path,
) -> Outcome<(Record, Duration)> {
    let began = Instant::now();
    let (from, to) = (&new.from.component, &new.to.component);
    let copier = booted.tenant.state.copier(booted.tenant.name(), from, to)?;
    let mut record = match Record::read(file, &new)? {
        Some(record) => {
            report::note(&format!("going on after {} entries", record.entries));
            record
        }
        None => {
            copier.begin().await?;
            // From now on the target may have entries that are this copy's.
            new.write(file)?;
            new
        }
    };
    let line = Line::start(common, "copied");
    copy(&copier, &mut record, file, &line).await?;
    line.end();
    let compared = compare(common, &copier, record.entries).await;
    let differs = |failure: &Failure| failure.0.iter().any(|one| one.kind == "conflict");
    if compared.as_ref().err().is_none_or(differs) {
        // It is over: a copy that is not the same begins anew.
        fs::remove_file(file).map_err(|error| failed(file, &error))?;
    }
    compared?;
    Ok((record, began.elapsed()))
}

async fn copy(copier: &Copier, record: &mut Record, file: &Path, line: &Line) -> Outcome<()> {
    let mut saved = Instant::now();
    while !record.is_copied {
        let portion = copier.copy(record.after.as_deref()).await?;
        record.add(portion);
        line.show(record.entries, record.bytes);
        if record.is_copied || saved.elapsed() > SAVE {
            record.write(file)?;
            saved = Instant::now();
        }
    }
    Ok(())
}

/// Compares both components, entry by entry, from either side.
async fn compare(common: &Common, copier: &Copier, entries: u64) -> Outcome<()> {
    let line = Line::of(common, "compared", 2 * entries);
    let (mut after, mut done) = (None::<String>, 0);
    for is_back in [false, true] {
        loop {
            let after_key = after.as_deref();
            let portion = match is_back {
                false => copier.compare(after_key).await?,
                true => copier.compare_back(after_key).await?,
            };
            done += portion.entries;
            line.show(done, 0);
            after = portion.next;
            if after.is_none() {
                break;
            }
        }
    }
    line.end();
    Ok(())
}

/// One of the two components.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct End {
    component: String,
    #[serde(rename = "type")]
    kind: String,
}

/// The part of a copy that is done.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    from: End,
    to: End,
    /// The last key that was copied.
    after: Option<String>,
    is_copied: bool,
    entries: u64,
    bytes: u64,
}

impl Record {
    fn new(plan: &Plan, args: &Migrate) -> Self {
        let end = |name: &str| {
            let mut all = plan.resources.components.iter();
            let found = all.find(|one| one.block == "state" && one.name.as_str() == name);
            End {
                component: name.to_owned(),
                kind: found.map(|one| one.kind()).unwrap_or_default(),
            }
        };
        Record {
            from: end(&args.from),
            to: end(&args.to),
            after: None,
            is_copied: false,
            entries: 0,
            bytes: 0,
        }
    }

    fn add(&mut self, portion: Portion) {
        self.entries += portion.entries;
        self.bytes += portion.bytes;
        self.is_copied = portion.next.is_none();
        if portion.next.is_some() {
            self.after = portion.next;
        }
    }

    /// Reads how far an earlier copy got; none where there was none. One between other components is refused.
    fn read(file: &Path, new: &Self) -> Outcome<Option<Self>> {
        let text = match fs::read(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(file, &error).into()),
        };
        let old = serde_json::from_slice::<Record>(&text).ok();
        match old.filter(|old| (&old.from, &old.to) == (&new.from, &new.to)) {
            Some(old) => Ok(Some(old)),
            None => Err(Problem::new(format!(
                "`{}` tells of a copy between other components than `{}` ({}) and `{}` ({}); remove it to begin anew, \
                 into an empty component",
                file.display(),
                new.from.component,
                new.from.kind,
                new.to.component,
                new.to.kind
            ))
            .into()),
        }
    }

    /// Writes the file in one step: what was there before stays until the new one is whole.
    fn write(&self, file: &Path) -> Outcome<()> {
        let text = serde_json::to_vec(self).map_err(anyhow::Error::new)?;
        let part: PathBuf = file.with_extension("part");
        let written = fs::write(&part, text).and_then(|()| fs::rename(&part, file));
        written.map_err(|error| failed(file, &error).into())
    }
}

fn failed(file: &Path, error: &io::Error) -> Problem {
    Problem {
        kind: "failed".into(),
        ..Problem::new(format!("`{}`: {error}", file.display()))
    }
}

/// A line on the terminal that says how far the work is; nothing elsewhere.
struct Line {
    bar: ProgressBar,
    verb: &'static str,
    began: Instant,
}

impl Line {
    /// The line of work whose end is not known.
    fn start(common: &Common, verb: &'static str) -> Self {
        Self::with(common, verb, ProgressBar::new_spinner(), "{spinner} {msg}")
    }

    /// The line of work on so many entries.
    fn of(common: &Common, verb: &'static str, entries: u64) -> Self {
        let bar = ProgressBar::new(entries);
        Self::with(common, verb, bar, "{bar:30} {percent} % {msg}")
    }

    fn with(common: &Common, verb: &'static str, bar: ProgressBar, template: &str) -> Self {
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        if common.output == Format::Json || common.quiet {
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        let began = Instant::now();
        Line { bar, verb, began }
    }

    fn show(&self, entries: u64, bytes: u64) {
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let rate = (entries as f64 / seconds) as u64;
        let sized = match bytes {
            0 => String::new(),
            bytes => format!(", {}", size(bytes)),
        };
        self.bar.set_position(entries);
        let verb = self.verb;
        self.bar
            .set_message(format!("{verb} {entries} entries{sized}, {rate} a second"));
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
