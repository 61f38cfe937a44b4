//! Building apps: their commands one after the other, and the compiler's target before the first of them.

use crate::{
    args::{Common, Format},
    boot::Plan,
    report::{self, Outcome, Problem},
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::{
    collections::HashSet,
    io::{self, IsTerminal},
    path::Path,
    process::{Output, Stdio},
    time::{Duration, Instant},
};
use tokio::process::Command;
use wythe_blocks::time::milliseconds;
use wythe_manifest::App;

/// The target that apps in Rust are compiled for.
const TARGET: &str = "wasm32-wasip2";
/// The kind of the problem that a build command failed.
pub const FAILED: &str = "build";

/// One app that was built.
#[derive(Serialize)]
pub struct Built {
    pub app: String,
    pub file: String,
    pub bytes: u64,
    pub milliseconds: u64,
}

/// Runs every build command once; cargo itself knows what is fresh. Ends at the first that fails, for the next
/// would most likely repeat its errors.
pub async fn all(common: &Common, plan: &Plan) -> Outcome<Vec<Built>> {
    let mut built = Vec::new();
    let mut done = HashSet::new();
    for app in &plan.manifest.apps {
        let Some(command) = &app.build else {
            continue;
        };
        let start = Instant::now();
        if done.insert((&app.directory, command)) {
            let line = Progress::start(common, &format!("building {}: {command}", app.id));
            let result = one(common, app).await;
            line.finish();
            result?;
        }
        built.push(measure(app, start.elapsed())?);
    }
    Ok(built)
}

/// Runs the build command of one app.
pub async fn one(common: &Common, app: &App) -> Outcome<()> {
    let Some(command) = &app.build else {
        return Ok(());
    };
    if command.contains(TARGET) && !app.guest.exists() {
        add_target(&app.directory).await?;
    }
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    // Cargo writes without colours when it is not asked, for its output is kept until it is needed.
    if common.output == Format::Text && report::is_coloured(&io::stderr()) {
        shell.env("CARGO_TERM_COLOR", "always");
    }
    let output = output(&mut shell, &app.directory, common.verbose > 0)
        .await
        .map_err(|error| anyhow::anyhow!("app `{}`: `sh` cannot be started: {error}", app.id))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    Err(Problem {
        kind: FAILED.into(),
        ..Problem::new(format!(
            "app `{}` does not build: `{command}` ended with {} in {}\n{}",
            app.id,
            output.status,
            shown(&app.directory),
            said.trim_end()
        ))
    }
    .into())
}

async fn output(command: &mut Command, directory: &Path, aloud: bool) -> io::Result<Output> {
    let stdio = || {
        if aloud {
            Stdio::inherit()
        } else {
            Stdio::piped()
        }
    };
    let (directory, error) = (shown(directory), stdio());
    command
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(error)
        .process_group(0);
    let child = command.spawn()?;
    let group = Group(child.id());
    let output = child.wait_with_output().await;
    // It has ended by itself, and its number may soon be somebody else's.
    std::mem::forget(group);
    output
}

/// A command with all that it started: a shell that is killed leaves its compiler behind.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            let kill = format!("kill -TERM -{id}");
            // Nothing is left to do where it is gone already.
            let _ = std::process::Command::new("sh")
                .arg("-c")
                .arg(kill)
                .status();
        }
    }
}

fn shown(directory: &Path) -> String {
    match directory.to_string_lossy() {
        text if text.is_empty() => ".".to_owned(),
        text => text.into_owned(),
    }
}

fn measure(app: &App, took: Duration) -> Outcome<Built> {
    let file = app.guest.display().to_string();
    let metadata = std::fs::metadata(&app.guest).map_err(|error| {
        Problem::new(format!(
            "app `{}`: its build command left no file {file} ({error}); does `guest` name what is built?",
            app.id
        ))
    })?;
    Ok(Built {
        app: app.id.to_string(),
        file,
        bytes: metadata.len(),
        milliseconds: milliseconds(took),
    })
}

/// Adds the target only where a component was never built: then it may be what is missing.
async fn add_target(directory: &Path) -> Outcome<()> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    let Ok(found) = output(&mut rustc, directory, false).await else {
        return Err(Problem::new(format!(
            "there is no `rustc`, which the build command needs; install Rust from https://rustup.rs, then \
             `rustup target add {TARGET}`"
        ))
        .into());
    };
    let libraries = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    if Path::new(&libraries).is_dir() && !libraries.is_empty() {
        return Ok(());
    }
    report::note(&format!(
        "adding the compiler's target {TARGET}, once: rustup target add {TARGET}"
    ));
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    let reason = match output(&mut rustup, directory, false).await {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => format!("rustup cannot be started: {error}"),
    };
    Err(Problem::new(format!(
        "the compiler's target {TARGET} is missing and `rustup target add {TARGET}` failed; add it by hand, or \
         install it with your system's Rust packages: {reason}"
    ))
    .into())
}

/// A spinner on a terminal, a line elsewhere, and nothing where only JSON is wanted.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn start(common: &Common, text: &str) -> Self {
        if common.quiet || common.output == Format::Json {
            return Progress(None);
        }
        if !io::stderr().is_terminal() || common.verbose > 0 {
            report::note(text);
            return Progress(None);
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(text.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress(Some(bar))
    }

    fn finish(self) {
        if let Some(bar) = self.0 {
            bar.finish_and_clear();
        }
    }
}
