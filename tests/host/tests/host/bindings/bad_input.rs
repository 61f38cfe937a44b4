//! The faults that a binding can have, and the words that tell them.

use super::{component, operation, operator, project, reported};
use crate::case;
use anyhow::{Context, Result, ensure};
use host_tests::{Project, guest};
use libtest_mimic::Trial;
use wythe_blocks::{Kind, secrets::Value};

/// A component that does not open: its type, its metadata, and what is told.
type Wrong = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const WRONG: &[Wrong] = &[
    (
        "bindings.cron",
        &[("schedule", "0 0 30 2 *")],
        "the schedule `0 0 30 2 *` never comes",
    ),
    (
        "bindings.cron",
        &[("schedule", "@daily"), ("timeZone", "Mars/Olympus")],
        "there is no time zone `Mars/Olympus`; did you mean `Asia/Omsk`?",
    ),
    (
        "bindings.webhook",
        &[("path", "hooks/orders")],
        "`path: hooks/orders`; expected one that begins with `/`, such as `/hooks/orders`, without a query and a `/` at its end",
    ),
    (
        "bindings.directory",
        &[("path", "../inbox"), ("done", "keep")],
        "done: `keep`; expected `delete`, or `move:` and the name of a directory below, such as `move:done`",
    ),
    (
        "bindings.http",
        &[("url", "http://me:word@127.0.0.1")],
        "`url`: expected no user and no password; send them by the metadata `Authorization`",
    ),
    (
        "bindings.localstorage",
        &[("rootPath", "../files"), ("direction", "input")],
        "`direction` has `input`, which driver `bindings.localstorage` is not",
    ),
    (
        "bindings.localstorage",
        &[("rootPath", "../files"), ("maxDataBytes", "1GiB")],
        "`maxDataBytes: 1073741824`; expected 1 to 67108864 bytes",
    ),
];

/// Calls that are refused: the query that asks for each, the status, and what is told.
const REFUSED: &[(&str, u16, &str)] = &[
    (
        "component=files&operation=copy",
        501,
        "bindings component `files` has no operation `copy`; it has: create, delete, get, list",
    ),
    (
        "component=service&operation=delete",
        403,
        "app `outside` is not granted operation `delete` of bindings component `service`; add it to `grants: { bindings: [service/delete] }` at wythe.yaml:4",
    ),
    (
        "component=files&operation=get",
        400,
        "no `fileName` in the metadata; expected one",
    ),
    (
        "component=files&operation=get&fileName=../secrets.json",
        400,
        "the `fileName` `../secrets.json`; expected a file of the storage, such as `orders/7.json`, without `..` and a `/` at its ends",
    ),
    (
        "component=files&operation=create&fileName=/etc/passwd",
        400,
        "the `fileName` `/etc/passwd`; expected a file of the storage, such as `orders/7.json`, without `..` and a `/` at its ends",
    ),
    (
        "component=files&operation=get&fileName=a%00b",
        400,
        "the `fileName` `a\\0b` has a control character; expected none",
    ),
    (
        "component=files&operation=get&fileName=link/passwd",
        400,
        "the file `link/passwd` leads out of the storage",
    ),
    (
        "component=mail&operation=create&emailTo=a@example.com%0D%0ABcc:+b@example.com",
        400,
        "`emailTo` has a line break or another control character; expected one line",
    ),
    (
        "component=mail&operation=create&subject=a%0Ab&emailTo=a@example.com",
        400,
        "`subject` has a line break or another control character; expected one line",
    ),
    (
        "component=service&operation=post&path=../admin",
        400,
        "the `path` `../admin` leads out of the component's URL; expected one below it, without `..`, `//`, `@`, a scheme, a backslash and a fragment",
    ),
    (
        "component=service&operation=post&path=//evil.example/",
        400,
        "the `path` `//evil.example/` leads out of the component's URL; expected one below it, without `..`, `//`, `@`, a scheme, a backslash and a fragment",
    ),
];

pub fn trials() -> Vec<Trial> {
    vec![
        case(
            "bindings::bad_input::a_component_that_is_wrong_is_told",
            wrong,
        ),
        case(
            "bindings::bad_input::a_call_that_is_refused_is_told",
            refused,
        ),
        case(
            "bindings::bad_input::an_error_of_a_call_with_a_secret_says_nothing_of_it",
            covered,
        ),
        case("bindings::bad_input::who_may_not_listen_is_told", listens),
        case("bindings::bad_input::a_source_has_one_listener", two),
        case(
            "bindings::bad_input::a_binding_that_gives_back_takes_no_secrets",
            secrets,
        ),
        case(
            "bindings::bad_input::a_hundred_megabytes_are_refused",
            large,
        ),
    ]
}

async fn wrong() -> Result<()> {
    for (kind, metadata, message) in WRONG {
        let wrong = component("wrong", kind, metadata);
        let problems = project("").with("wrong", &wrong).problems().await;
        let expected = format!("component `wrong`: {message}");
        ensure!(
            problems.len() == 1 && problems[0].ends_with(&expected),
            "{problems:?}\nexpected {expected}"
        );
    }
    Ok(())
}

async fn refused() -> Result<()> {
    let mail = [
        ("host", "127.0.0.1"),
        ("port", "1"),
        ("emailFrom", "shop@example.com"),
        ("subject", "An order"),
    ];
    let project = project("")
        .with("mail", &component("mail", "bindings.smtp", &mail))
        .with(
            "service",
            &component(
                "service",
                "bindings.http",
                &[("url", "http://127.0.0.1:1/api")],
            ),
        );
    let running = project.start().await?;
    std::os::unix::fs::symlink("/etc", project.path().join("files/link"))?;
    for (query, status, message) in REFUSED {
        reported(&operation(&running, query, "x").await?, *status, message)?;
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn listens() -> Result<()> {
    // Every one of them, in the order of their names.
    let problems = project("other clock another").problems().await;
    let expected = ["another", "other"].map(|name| {
        format!(
            "app `outside` is not granted to listen to `{name}`; add it to `grants: {{ listen: [{name}] }}` at wythe.yaml:4"
        )
    });
    let mut problems: Vec<_> = problems.iter().map(String::as_str).collect();
    problems.sort_unstable();
    ensure!(problems == expected, "{problems:?}");
    let output = component(
        "inbox",
        "bindings.localstorage",
        &[("rootPath", "../files")],
    );
    let problems = project("inbox").with("inbox", &output).problems().await;
    let expected = "app `outside` listens to bindings component `inbox`, which delivers nothing: it is only an output";
    ensure!(problems == [expected], "{problems:?}");
    Ok(())
}

async fn two() -> Result<()> {
    let app = |id: &str| {
        format!(
            "  - appID: {id}\n    guest: outside.wasm\n    env: {{ LISTEN: clock }}\n    grants: {{ state: [statestore], bindings: [files], listen: [clock], secrets: [vault] }}\n"
        )
    };
    let project = Project::new(&(app("first") + &app("second")))
        .with("memory", host_tests::MEMORY)
        .with("files", super::FILES)
        .with("vault", &component("vault", "secretstores.local.env", &[]))
        .with(
            "clock",
            &component("clock", "bindings.cron", &[("schedule", "@daily")]),
        );
    let expected = "app `second` listens to bindings component `clock`, to which app `first` listens; expected one listener, so give each a component of its own";
    let problems = project.problems().await;
    ensure!(problems == [expected], "{problems:?}");
    Ok(())
}

/// An operation that keeps or tells what it is asked takes no secrets: whoever may not see them could read them back.
async fn secrets() -> Result<()> {
    let plugin = component(
        "plugin",
        "bindings.wasm",
        &[("path", &guest("mailbox").display().to_string())],
    );
    let project = Project::new("  - appID: plain\n    guest: plain.wasm\n")
        .with("memory", host_tests::MEMORY)
        .with("box", &component("box", "bindings.memory", &[]))
        .with(
            "files",
            &component("files", "bindings.localstorage", &[("rootPath", "files")]),
        )
        .with("plugin", &plugin);
    let running = project.start().await?;
    let bindings = &running.booted.tenant.bindings;
    for name in ["box", "files", "plugin"] {
        let sealed = vec![("key".to_owned(), Value::new(*b"hunter2"))];
        let (caller, data) = (operator(), "x".into());
        let answer = bindings.invoke_sealed(&caller, name, "create", data, Vec::new(), sealed);
        let error = answer.await.err().context("it was taken")?;
        let expected = format!(
            "bindings component `{name}` takes no secrets, for what it is given can come back to an app"
        );
        ensure!(error.message() == expected, "{error}");
        ensure!(error.kind() == Kind::Unsupported, "{error}");
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// The words of the error are the same, whatever the secret is and wherever it stands in the call.
async fn covered() -> Result<()> {
    const SECRETS: [&str; 8] = [
        "hunter2",
        "../hunter2",
        "p\"ss'w\\rd",
        "two\nlines",
        "a\ttab",
        "\u{200b}\u{1b}[0m",
        "%2e%2e/%00",
        "",
    ];
    let web = component("web", "bindings.http", &[("url", "http://127.0.0.1:1/v1")]);
    let project = Project::new("  - appID: plain\n    guest: plain.wasm\n")
        .with("memory", host_tests::MEMORY)
        .with("web", &web);
    let running = project.start().await?;
    let bindings = &running.booted.tenant.bindings;
    let expected = "operation `get` of bindings component `web` failed; the call carried a secret, so no more is told: \
                    try it with a value that is none";
    for name in ["path", "X-Key", "Host", "no name", "Content-Length"] {
        for secret in SECRETS {
            let sealed = vec![(name.to_owned(), Value::new(secret.as_bytes()))];
            let caller = operator();
            let answer =
                bindings.invoke_sealed(&caller, "web", "get", "".into(), Vec::new(), sealed);
            let error = answer.await.err().context("nobody listens there")?;
            ensure!(error.chain() == expected, "{name}: {}", error.chain());
        }
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn large() -> Result<()> {
    let running = project("").start().await?;
    let bindings = &running.booted.tenant.bindings;
    let data = vec![0; 100 << 20].into();
    let caller = operator();
    let answer = bindings.invoke(&caller, "files", "create", data, Vec::new());
    let error = match answer.await {
        Ok(_) => anyhow::bail!("it was taken"),
        Err(error) => error,
    };
    let expected = "the data has 104857600 bytes; bindings component `files` takes at most 4194304; see `maxDataBytes`";
    ensure!(error.message() == expected, "{error}");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}
