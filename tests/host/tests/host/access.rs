//! A `Configuration` that forbids: calls between guests, APIs, types of components; what is said of it, and a change of it.

use crate::{case, crash::command, requests};
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, client, request};
use http::Method;
use libtest_mimic::Trial;
use std::time::Duration;

const APPS: &str = "\
  - appID: front
    guest: echo.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [back, front] }
  - appID: back
    guest: echo.wasm
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [front] }
  - appID: near
    guest: hostile.wasm
    grants: { state: [statestore], publish: [pubsub], invoke: [back, near], http: [] }
";

const RULES: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: rules }
spec:
  accessControl:
    defaultAction: deny
    policies:
      - appId: front
        namespace: default
        operations:
          - { name: /who, httpVerb: [GET], action: allow }
          - { name: /who/private/**, httpVerb: ['*'], action: deny }
      - appId: near
        namespace: default
        operations:
          - { name: /who, httpVerb: [GET], action: allow }
";

const DENIED: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: apis }
scopes: [front]
spec:
  api:
    denied:
      - { name: publish, version: v1, protocol: http }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("access::calls_between_guests_pass_the_policies", calls),
        case("access::so_do_calls_by_http", by_http),
        case("access::an_api_that_is_denied_answers_denied", apis),
        case("access::what_cannot_be_enforced_is_an_error", errors),
        case(
            "access::the_log_says_what_to_write_and_a_change_is_in_force",
            log,
        ),
    ]
}

async fn calls() -> Result<()> {
    let project = Project::new(APPS)
        .with("memory", MEMORY)
        .with("rules", RULES);
    let running = project.start().await?;
    for (path, status) in [
        ("/chain?app=back&path=/who", 200),
        ("/chain?app=back&path=/WHO%3Fa=/x", 200),
        ("/chain?app=back&path=/%2577ho", 200),
        ("/chain?app=back&path=/who/else", 200),
        ("/chain?app=back&path=/who/private", 403),
        ("/chain?app=back&path=/who/%2570rivate/x", 403),
        ("/chain?app=back&path=/other", 403),
        ("/chain?app=back&path=/", 403),
        ("/chain?app=front&path=/other", 403),
        ("/chain?app=back&path=/who/..", 400),
        // What comes from outside is no call by an app.
        ("/anything", 200),
    ] {
        let answer = running.get(path).await?;
        ensure!(answer.status == status, "{path}: {answer:?}");
    }
    let answer = running.get("/chain?app=back&path=/other").await?;
    ensure!(
        answer.message() == "app `front` may not make this call of `back`",
        "{answer:?}"
    );
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn by_http() -> Result<()> {
    let apps = APPS.replace("    ingress: /\n", "");
    let apps = apps.replace("hostile.wasm\n", "hostile.wasm\n    ingress: /\n");
    let project = Project::new(&apps)
        .with("memory", MEMORY)
        .with("rules", RULES);
    let running = project.start().await?;
    let fetched = |path: &str| format!("/fetch?url=http://back.wythe.internal{path}");
    let answer = running.get(&fetched("/who")).await?.text();
    ensure!(answer.starts_with("200 "), "{answer}");
    for path in ["/other", "/who/../other"] {
        let answer = running.get(&fetched(path)).await?.text();
        ensure!(answer.starts_with("refused: "), "{path}: {answer}");
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn apis() -> Result<()> {
    let project = Project::new(APPS)
        .with("memory", MEMORY)
        .with("apis", DENIED);
    let running = project.start().await?;
    let answer = running.get("/publish?topic=echo&count=1").await?;
    ensure!(
        answer.status == 403
            && answer.message()
                == "`publish` is denied to app `front`, whatever it is granted; see `api` of the Configuration at apis.yaml:8",
        "{answer:?}"
    );
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn errors() -> Result<()> {
    let told = |spec: &str| {
        let head =
            "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: c }\nspec:\n";
        let project = Project::new(APPS)
            .with("memory", MEMORY)
            .with("c", &format!("{head}  {spec}\n"));
        async move { project.located_problems().await }
    };
    for (spec, expected) in [
        (
            "components: { deny: [state.memory] }",
            "resources/memory.yaml:1:1: spec.type: the type `state.memory` of `statestore` is denied by `components.deny` at resources/c.yaml:5; remove the component, or the type there",
        ),
        (
            "accessControl: { policies: [{ appId: frnt, namespace: default }] }",
            "resources/c.yaml:5:31: spec.accessControl.policies: no app of this project is called `frnt`; did you mean `front`?",
        ),
        (
            "mtls: { enabled: true }",
            "resources/c.yaml:5:3: spec.mtls: not enforced: calls between the apps of a host leave no process and have no certificates; leave it out; TLS for requests from outside is `tls` of `wythe-host.yaml`",
        ),
    ] {
        let reported = told(spec).await;
        ensure!(reported == [expected], "{reported:?}");
    }
    Ok(())
}

/// Asks until the status is as expected, for a minute at most.
async fn until(url: &str, path: &str, status: u16) -> Result<()> {
    let mut last = None;
    for _ in 0..600 {
        let answer = request(&client(), Method::GET, &format!("{url}{path}"), &[], "").await?;
        if answer.status == status {
            return Ok(());
        }
        last = Some(answer);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("{path}: {last:?}")
}

async fn log() -> Result<()> {
    let project = Project::new(APPS)
        .with("memory", MEMORY)
        .with("rules", RULES);
    let log = project.path().join("log");
    let logged = requests::run(&project, &log, &["--watch"])?;
    let url = &logged.url;
    until(url, "/chain?app=back&path=/Other%3Fa=b", 403).await?;
    // The operator is no app.
    let invoked = command()
        .args(["invoke", "back", "/other", "-p"])
        .arg(project.path())
        .output()?;
    ensure!(invoked.status.success(), "{invoked:?}");
    let known = "          - { name: /who/private/**";
    let more = format!("          - {{ name: other, httpVerb: ['*'], action: allow }}\n{known}");
    project.write("resources/rules.yaml", RULES.replace(known, &more));
    until(url, "/chain?app=back&path=/other", 200).await?;
    until(url, "/chain?app=back&path=/who/private", 403).await?;
    // A grant that is closed is so for the app as it starts again.
    until(url, "/publish?topic=echo&count=1", 200).await?;
    project.write("resources/apis.yaml", DENIED);
    until(url, "/publish?topic=echo&count=1", 403).await?;
    let said = std::fs::read_to_string(log)?;
    for part in [
        "`accessControl` denied GET /Other of `back` to `front`, by ",
        "resources/rules.yaml:6; to allow it add `{ name: '/Other', httpVerb: [GET], action: allow }` to the `operations` of `front`",
        "policies changed",
    ] {
        ensure!(said.contains(part), "{said}");
    }
    Ok(())
}
