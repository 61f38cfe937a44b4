//! The command line, as transcripts: what is typed, what is printed, and the exit code.

use crate::crash::{command, run, run_in};
use anyhow::{Result, ensure};
use host_tests::{Project, client, request};
use http::Method;
use libtest_mimic::Trial;
use std::{
    path::Path,
    process::{Command, Output},
    time::Duration,
};

const HELLO: &str = "\
  - appID: hello
    guest: hello.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";

/// A step: what is typed, the exit code, and what standard output and standard error say. A text that ends with `…` is
/// a beginning.
pub type Step<'a> = (&'a str, i32, &'a str, &'a str);

const STATE: &[Step<'static>] = &[
    (
        "state get statestore greeting --app hello",
        1,
        "",
        "error: app `hello` has no entry `greeting` in `statestore`\n",
    ),
    (
        "state set statestore greeting hello --app hello",
        0,
        "…",
        "",
    ),
    ("state get statestore greeting --app hello", 0, "hello", ""),
    (
        "state set statestore greeting again --app hello --if-absent",
        1,
        "",
        "error: …",
    ),
    (
        "state set statestore greeting again --app hello --if-match 0",
        1,
        "",
        "error: …",
    ),
    ("state list statestore g --app hello", 0, "greeting\n", ""),
    ("state delete statestore greeting --app hello", 0, "", ""),
    (
        "state get statestore greeting --app hello",
        1,
        "",
        "error: app `hello` has no entry `greeting` in `statestore`\n",
    ),
    (
        "state get nostore a --app hello",
        1,
        "",
        "error: no state component `nostore` for app `hello`\n",
    ),
    (
        "state set statestore a||b x --app hello",
        1,
        "",
        "error: the key `a||b` has `||`, which separates an app's name from its keys; use another separator\n",
    ),
];

const CALLS: &[Step<'static>] = &[
    ("invoke hello /", 0, "hello, visitor 1\n", ""),
    (
        "invoke nobody /",
        1,
        "",
        "error: no app `nobody` for app `operator`\n",
    ),
    (
        "invoke hello /a/../b",
        1,
        "",
        "error: the path `/a/../b` has a `.` or `..` segment; expected a plain path\n",
    ),
    ("publish pubsub visits 5 --id five", 0, "five\n", ""),
    (
        "publish pubsub * 5",
        1,
        "",
        "error: the topic `*`; expected 1 to 256 bytes without wildcards and control characters\n",
    ),
    (
        "publish nothing visits 5",
        1,
        "",
        "error: no pubsub component `nothing` for app `operator`\n",
    ),
    ("-o json state set statestore a b --app hello", 0, "{…", ""),
    (
        "validate",
        0,
        "ok: 1 app, 2 components, 0 subscriptions\n",
        "",
    ),
];

const WORDS: &[Step<'static>] = &[
    ("--version", 0, "wythe 0.1.0 (…", ""),
    ("stat", 2, "", "error: unrecognized subcommand 'stat'\n…"),
    (
        "publish pubsub",
        2,
        "",
        "error: the following required arguments were not provided:\n…",
    ),
    (
        "run nowhere",
        1,
        "",
        "error: nowhere: no such file or directory; `wythe new NAME` makes a new project in the directory NAME\n",
    ),
    (
        "validate nowhere",
        1,
        "",
        "error: nowhere: no such file or directory…",
    ),
    (
        "inspect nowhere.wasm",
        1,
        "",
        "error: no component file at nowhere.wasm: …",
    ),
    ("new Bad_Name -t hello", 1, "", "error: …"),
    ("completions bash", 0, "_wythe() {\n…", ""),
    ("wit", 0, "…", ""),
];

/// An order is placed, and what its event has done is seen a moment later.
const SOLD: &[Call] = &[
    ("POST", "/orders", "{\"item\":\"mug\",\"quantity\":2}", ""),
    ("GET", "/sold/mug", "", "2\n"),
];

/// Method, path, body, and the answer that comes within ten seconds; an empty one is any.
type Call = (&'static str, &'static str, &'static str, &'static str);

pub fn trials() -> Vec<Trial> {
    let script = |name: &str, steps: &'static [Step<'static>]| {
        Trial::test(format!("command::{name}"), move || {
            let project = Project::new(HELLO);
            steps
                .iter()
                .try_for_each(|step| check(project.path(), *step))
                .map_err(|error| format!("{error:#}").into())
        })
    };
    vec![
        script("state_is_read_and_written", STATE),
        script("apps_are_called_and_events_published", CALLS),
        script("wrong_words_are_told", WORDS),
        crate::case("command::speaks_to_the_host_that_runs", live),
        crate::case("command::run_drains_and_ends_with_0_on_sigterm", sigterm),
        crate::case("command::a_port_in_use_is_explained", port),
        crate::case("command::interfaces_are_written_out", interfaces),
        crate::case("command::a_new_hello_builds_and_runs", || {
            new("hello", &[("GET", "/", "", "hello, visitor 1\n")])
        }),
        crate::case("command::a_new_subscriber_builds_and_runs", || {
            new("subscriber", SOLD)
        }),
        crate::case("command::a_new_plugin_builds_and_runs", || {
            new("plugin", &[("GET", "/", "", "")])
        }),
        crate::case("command::watch_swaps_a_changed_file", watch),
    ]
}

fn output(directory: &Path, line: &str) -> Result<Output> {
    let mut command = command();
    command.args(line.split(' ')).current_dir(directory);
    Ok(command.output()?)
}

pub fn check(directory: &Path, (line, code, out, err): Step<'_>) -> Result<()> {
    let output = output(directory, line)?;
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let reported = format!(
        "`wythe {line}` ended with {:?}\n{stdout}\n{stderr}",
        output.status.code()
    );
    ensure!(output.status.code() == Some(code), "{reported}");
    ensure!(is(&stdout, out), "{reported}");
    ensure!(is(&stderr, err), "{reported}");
    Ok(())
}

fn is(text: &str, expected: &str) -> bool {
    match expected.strip_suffix('…') {
        Some(beginning) => text.starts_with(beginning) && text.len() > beginning.len(),
        None => text == expected,
    }
}

/// The same words reach a host that is running, and not the files that it holds open.
async fn live() -> Result<()> {
    let project = Project::new(HELLO);
    let mut process = run(&project, &[])?;
    check(
        project.path(),
        ("invoke hello /", 0, "hello, visitor 1\n", ""),
    )?;
    check(
        project.path(),
        ("state get statestore visits --app hello", 0, "1", ""),
    )?;
    let answer = request(&client(), Method::GET, &process.url, &[], "").await?;
    ensure!(answer.text() == "hello, visitor 2\n", "{answer:?}");
    process.child.kill()?;
    process.child.wait()?;
    // The socket is stale now, and the files are free.
    check(
        project.path(),
        ("state get statestore visits --app hello", 0, "2", ""),
    )
}

async fn sigterm() -> Result<()> {
    let apps = "\
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [hostile], http: [] }
";
    let project = Project::new(apps);
    let mut process = run(&project, &[])?;
    let url = format!("{}/sleep?ms=1500", process.url);
    let slow = tokio::spawn(async move { request(&client(), Method::GET, &url, &[], "").await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let killed = Command::new("kill")
        .arg(process.child.id().to_string())
        .status()?;
    ensure!(killed.success());
    ensure!(slow.await??.status == 200);
    let status = process.child.wait()?;
    ensure!(status.code() == Some(0), "{status}");
    Ok(())
}

async fn port() -> Result<()> {
    let project = Project::new(HELLO);
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = taken.local_addr()?;
    let output = output(project.path(), &format!("run --listen {address}"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{stderr}");
    let reported = format!("error: port {} is in use by `", address.port());
    // A busy machine may have a warning before it.
    let reported = stderr.lines().find(|line| line.starts_with(&reported));
    let is_helpful = |line: &str| line.contains("is free: add `--listen 127.0.0.1:");
    ensure!(reported.is_some_and(is_helpful), "{stderr}");
    Ok(())
}

async fn interfaces() -> Result<()> {
    let directory = tempfile::tempdir()?;
    check(directory.path(), ("wit --out wit", 0, "…", ""))
        .or_else(|_| check(directory.path(), ("wit --out wit", 0, "", "…")))?;
    let mut found = Vec::new();
    for entry in walk(directory.path())? {
        let text = std::fs::read_to_string(&entry)?;
        ensure!(text.contains("package wythe:"), "{}", entry.display());
        found.push(entry);
    }
    ensure!(found.len() >= 7, "{found:?}");
    Ok(())
}

fn walk(directory: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(walk(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// Goes from nothing to an answer, with nothing but the binary and cargo.
async fn new(template: &'static str, calls: &'static [Call]) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let made = output(directory.path(), &format!("new fresh -t {template}"))?;
    ensure!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let mut process = run_in(&directory.path().join("fresh"), &[])?;
    let mut checked = Ok(());
    for call in calls {
        checked = checked.and(answers(&process.url, *call).await);
    }
    process.child.kill()?;
    process.child.wait()?;
    checked
}

async fn answers(url: &str, (method, path, body, expected): Call) -> Result<()> {
    let (client, url) = (client(), format!("{url}{path}"));
    let mut last = None;
    for _ in 0..100 {
        let answer = request(
            &client,
            Method::from_bytes(method.as_bytes())?,
            &url,
            &[],
            body,
        )
        .await?;
        if answer.status == 200 && (expected.is_empty() || answer.text() == expected) {
            return Ok(());
        }
        last = Some(answer);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("{method} {path} answered {last:?}")
}

async fn watch() -> Result<()> {
    let apps = "\
  - appID: one
    guest: app/one.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [one] }
";
    let project = Project::new(apps);
    project.write("app/one.wasm", std::fs::read(host_tests::guest("hello"))?);
    let mut process = run(&project, &["--watch"])?;
    let client = client();
    let before = request(&client, Method::GET, &process.url, &[], "").await?;
    ensure!(before.text() == "hello, visitor 1\n", "{before:?}");
    project.write("app/one.wasm", std::fs::read(host_tests::guest("echo"))?);
    let mut swapped = false;
    for _ in 0..100 {
        let answer = request(&client, Method::GET, &process.url, &[], "").await?;
        ensure!(answer.status == 200, "{answer:?}");
        swapped = answer.text().contains("\"target\"");
        if swapped {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    process.child.kill()?;
    process.child.wait()?;
    ensure!(swapped, "the new version did not come");
    Ok(())
}
