//! Configuration in a whole host: changes reach the sample guest, and what is wrong is told in these words.

mod command;

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, Running, guest};
use http::Method;
use libtest_mimic::Trial;
use std::time::Duration;

const APP: &str = "\
  - appID: flags
    guest: flags.wasm
    ingress: /
    grants: { configuration: [flags], state: [statestore] }
";

const FILE: &str = "checkout:\n  express: off\nbanner: Tea for two\n";

/// A time longer than a change of a file takes to be seen.
const SEEN: Duration = Duration::from_millis(1_500);

pub fn trials() -> Vec<Trial> {
    vec![
        case("configuration::a_change_of_a_file_is_heard", file),
        case("configuration::a_broken_file_changes_nothing", broken),
        case("configuration::a_broken_file_is_a_problem_at_start", start),
        case(
            "configuration::a_subscription_begins_and_ends",
            subscription,
        ),
        case("configuration::the_command_is_heard", || {
            command::heard(flags(
                "memory",
                "{ name: items, value: '{ \"banner\": \"old\" }' }",
            ))
        }),
        case(
            "configuration::the_command_is_heard_through_a_plugin",
            || command::heard(plugin("flags", "{ name: banner, value: old }")),
        ),
        case(
            "configuration::the_command_reads_and_writes",
            command::transcript,
        ),
        case("configuration::the_command_watches", command::watch),
        case("configuration::bad_input_is_named", bad_input),
        case(
            "configuration::a_store_that_is_read_only_says_so",
            command::read_only,
        ),
        case("configuration::what_is_not_granted_is_a_problem", denied),
        case("configuration::a_plugin_that_lies_is_found_out", violations),
        case("configuration::the_samples_own_manifest_is_good", manifest),
    ]
}

fn flags(driver: &str, metadata: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: flags }}\nspec: {{ type: configuration.{driver}, version: v1, metadata: [{metadata}] }}\n"
    )
}

fn plugin(name: &str, metadata: &str) -> String {
    let path = format!("{{ name: path, value: {} }}", guest("settings").display());
    let text = flags("wasm", &format!("{path}, {metadata}"));
    text.replace("name: flags", &format!("name: {name}"))
}

fn with(flags: &str) -> Project {
    Project::new(APP)
        .with("memory", MEMORY)
        .with("flags", flags)
}

/// A project with the flags in a file.
fn project(file: &str) -> Project {
    let project = with(&flags("local.file", "{ name: path, value: ../flags.yaml }"));
    project.write("flags.yaml", file);
    project
}

async fn answers(running: &Running, path: &str, status: u16, text: &str) -> Result<()> {
    let answer = running.get(path).await?;
    let reported = match status {
        200 => answer.text(),
        _ => answer.message(),
    };
    ensure!(
        (answer.status, reported.as_str()) == (status, text),
        "{path}: {answer:?}"
    );
    Ok(())
}

async fn file() -> Result<()> {
    let project = project(FILE);
    let running = project.start().await?;
    answers(&running, "/flag/checkout.express", 200, "off\n").await?;
    answers(
        &running,
        "/flag/nothing",
        404,
        "`flags` has no flag `nothing`",
    )
    .await?;
    let all = "banner=Tea for two\ncheckout.express=off\n";
    answers(&running, "/flags", 200, all).await?;
    answers(&running, "/heard", 200, "").await?;
    project.write(
        "flags.yaml",
        "{ \"checkout\": { \"express\": true }, \"new\": [1, \"a\"] }",
    );
    let expected = "checkout.express=true new=[1,\"a\"] -banner\n";
    running
        .eventually("/heard", |answer| answer.text() == expected)
        .await?;
    answers(&running, "/flag/checkout.express", 200, "true\n").await?;
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn broken() -> Result<()> {
    let project = project(FILE);
    let running = project.start().await?;
    for broken in ["checkout: [", "{ \"checkout\": ", "text"] {
        project.write("flags.yaml", broken);
        tokio::time::sleep(SEEN).await;
        answers(&running, "/flag/checkout.express", 200, "off\n").await?;
    }
    answers(&running, "/heard", 200, "").await?;
    project.write("flags.yaml", FILE.replace("off", "on"));
    running
        .eventually("/heard", |answer| answer.text() == "checkout.express=on\n")
        .await?;
    Ok(())
}

async fn start() -> Result<()> {
    let cases = [
        (
            "banner: a\ncheckout: b: c\n",
            "resources/../flags.yaml:2:12`: not valid YAML: mapping values are not allowed in this context",
        ),
        (
            "{ \"banner\": \"a\",\n  \"checkout\": }}",
            "resources/../flags.yaml:2:16`: not valid YAML: misplaced bracket",
        ),
        (
            "- a\n",
            "resources/../flags.yaml`: expected an object of items",
        ),
    ];
    for (file, reported) in cases {
        let problems = project(file).problems().await;
        let expected = format!("component `flags`: the configuration file `{reported}");
        ensure!(problems == [expected], "{problems:?}");
    }
    let missing = project(FILE);
    std::fs::remove_file(missing.path().join("flags.yaml"))?;
    let problems = missing.problems().await;
    ensure!(
        problems
            == [
                "component `flags`: the configuration file `resources/../flags.yaml` cannot be read: entity not found"
            ],
        "{problems:?}"
    );
    Ok(())
}

async fn post(running: &Running, path: &str) -> Result<host_tests::Answer> {
    running.send(Method::POST, path, &[], "").await
}

async fn subscription() -> Result<()> {
    let project = project(FILE);
    let running = project.start().await?;
    let id = post(&running, "/listen?keys=checkout.express,new")
        .await?
        .text();
    let same = post(&running, "/listen?keys=new,checkout.express,new").await?;
    ensure!(!id.is_empty() && same.text() == id, "{id} and {same:?}");
    project.write(
        "flags.yaml",
        "{ checkout: { express: on }, banner: Tea for two }",
    );
    // Once for each subscription.
    let twice = "checkout.express=on\ncheckout.express=on\n";
    running
        .eventually("/heard", |answer| answer.text() == twice)
        .await?;
    let end = format!("/end?id={id}");
    ensure!(post(&running, &end).await?.text() == "over\n");
    for path in [
        end.as_str(),
        "/end?id=0123456789abcdef0123456789abcdef",
        "/end",
    ] {
        let answer = post(&running, path).await?;
        let message = "app `flags` has no subscription of this id to `flags`";
        ensure!(
            (answer.status, answer.message().as_str()) == (404, message),
            "{answer:?}"
        );
    }
    project.write(
        "flags.yaml",
        "{ checkout: { express: no }, banner: Tea for two }",
    );
    let last = format!("{twice}checkout.express=no\n");
    running
        .eventually("/heard", |answer| answer.text() == last)
        .await?;
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn bad_input() -> Result<()> {
    let running = project(FILE).start().await?;
    let long = format!("/flag/{}", "x".repeat(1_025));
    let numbers: Vec<_> = (0..1_001).map(|number| number.to_string()).collect();
    let many = format!("/flags?keys={}", numbers.join(","));
    let cases = [
        (
            "/flag/",
            400,
            "a configuration key of 0 bytes; expected 1 to 1024",
        ),
        (
            &long,
            400,
            "a configuration key of 1025 bytes; expected 1 to 1024",
        ),
        (
            &many,
            400,
            "1001 configuration keys in one call; expected at most 1000; ask in parts, or without keys for all items",
        ),
        (
            "/flags?component=other",
            403,
            "app `flags` is not granted the configuration `other`; add it to `grants: { configuration: [other] }` at wythe.yaml:4",
        ),
    ];
    for (path, status, message) in cases {
        answers(&running, path, status, message).await?;
    }
    Ok(())
}

async fn denied() -> Result<()> {
    let apps = |grants: &str| APP.replace("configuration: [flags], ", grants);
    let memory = flags("memory", "");
    let problems = async |grants: &str, flags: &str| {
        let project = Project::new(&apps(grants)).with("memory", MEMORY);
        project.with("flags", flags).problems().await
    };
    let cases = [
        (
            "",
            memory.clone(),
            "app `flags` imports `wythe:blocks/configuration@0.1.0`, which is not granted; add `grants: { configuration: [configuration] }` at wythe.yaml:4",
        ),
        (
            "configuration: [other], ",
            format!(
                "{memory}---\n{}",
                memory.replace("name: flags", "name: other")
            ),
            "app `flags` is not granted the configuration `flags`; add it to `grants: { configuration: [flags] }` at wythe.yaml:4",
        ),
        (
            "configuration: [flags], ",
            memory.replace("name: flags", "name: other"),
            "apps[0].grants.configuration[0]: no configuration component is called `flags`",
        ),
    ];
    for (grants, flags, expected) in cases {
        let problems = problems(grants, &flags).await;
        ensure!(problems == [expected], "{problems:?}");
    }
    Ok(())
}

async fn violations() -> Result<()> {
    let violating = |name: &str, how: &str| {
        let items = "{ name: a, value: 1 }, { name: b, value: 2 }";
        plugin(name, &format!("{items}, {{ name: {how}, value: yes }}"))
    };
    let cases = [
        (
            "lie-order",
            "plugin `flags` answered with items that are out of order, or twice there",
        ),
        (
            "lie-version",
            "plugin `flags` answered with a version that is empty or longer than 256 bytes",
        ),
    ];
    for (how, expected) in cases {
        let problems = with(&violating("flags", how)).problems().await;
        ensure!(problems == [expected], "{problems:?}");
    }
    let apps = APP.replace("[flags]", "[flags, plugged]");
    let flags = flags("local.file", "{ name: path, value: ../flags.yaml }");
    let project = Project::new(&apps)
        .with("memory", MEMORY)
        .with("flags", &flags)
        .with("plugged", &violating("plugged", "lie-key"));
    project.write("flags.yaml", FILE);
    let running = project.start().await?;
    let expected = "plugin `plugged` answered with an item that was not asked for";
    answers(&running, "/flag/a?component=plugged", 500, expected).await?;
    answers(&running, "/flags?component=plugged", 200, "a=1\nb=2\n").await
}

async fn manifest() -> Result<()> {
    let plan = wythe::boot::plan(&host_tests::sample("flags"));
    let (plan, problems) = plan.map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    ensure!(problems.is_empty(), "{problems:?}");
    ensure!(
        plan.manifest.apps.len() == 1 && plan.defaults.iter().all(|block| block != "configuration")
    );
    Ok(())
}
