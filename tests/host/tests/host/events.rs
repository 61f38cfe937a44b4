//! Events from publisher to subscriber: verdicts, redelivery, dead letters, order, routes, scopes and restarts.

mod letters;
mod proof;

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, Running};
use libtest_mimic::Trial;
use serde_json::Value;

const ECHO: &str = "\
  - appID: echo
    guest: echo.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [echo] }
";

/// The same app hears its own dead letters.
const DEAD: &str = "\
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: { name: dead }
spec:
  pubsubname: pubsub
  topic: echo-dead
  routes: { default: /dead }
scopes: [echo]
";

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        case(
            "events::an_event_is_delivered_once_acknowledged_once",
            delivered,
        ),
        case("events::the_host_sets_the_source", source),
        case(
            "events::retry_is_delivered_again_with_a_higher_attempt",
            retry,
        ),
        case("events::a_trap_means_retry", trap),
        case("events::a_dead_letter_goes_to_its_topic", dead),
        case("events::events_of_one_key_come_in_order", ordered),
        case(
            "events::what_was_published_before_a_restart_arrives_after_it",
            restart,
        ),
        case(
            "events::a_subscription_that_is_not_granted_is_refused",
            refused,
        ),
        case("events::a_rule_that_is_no_cel_is_refused", rule),
        case("events::rules_choose_who_gets_what", routed),
        case("events::scopes_of_the_component_hold", scopes),
    ];
    trials.extend(letters::trials());
    trials.extend(proof::trials());
    trials
}

/// Publishes by the guest that publishes whatever it is told to.
async fn publish(
    running: &Running,
    query: &str,
    content_type: &str,
    data: &'static str,
) -> Result<String> {
    let headers = [("content-type", content_type)];
    let path = format!("/event/publish?{query}");
    let answer = running
        .send(http::Method::POST, &path, &headers, data)
        .await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(answer.text())
}

async fn start(project: Project) -> Result<Running> {
    project.with("memory", MEMORY).start().await
}

async fn one(running: &Running, data: &str, ready: impl Fn(&Value) -> bool) -> Result<Value> {
    let published = running
        .get(&format!("/publish?topic=echo&count=1&data={data}"))
        .await?;
    ensure!(published.status == 200, "{published:?}");
    let events = running
        .eventually("/events", |events| ready(&events.json()[0]))
        .await?;
    Ok(events.json()[0].clone())
}

async fn delivered() -> Result<()> {
    let running = start(Project::new(ECHO)).await?;
    let event = one(&running, "", Value::is_object).await?;
    ensure!(
        event["attempt"] == 1 && event["data"]["number"] == 1 && event["kind"] == "echo.event",
        "{event}"
    );
    Ok(())
}

async fn source() -> Result<()> {
    let running = start(Project::new(ECHO)).await?;
    let event = one(&running, "", Value::is_object).await?;
    ensure!(
        event["source"] == "echo" && event["topic"] == "echo",
        "{event}"
    );
    Ok(())
}

async fn retry() -> Result<()> {
    let running = start(Project::new(ECHO)).await?;
    let again = |event: &Value| event["attempt"].as_u64() >= Some(3);
    one(
        &running,
        "%7B%22verdict%22:%22retry%22,%22after%22:20%7D",
        again,
    )
    .await?;
    Ok(())
}

async fn trap() -> Result<()> {
    let running = start(Project::new(ECHO)).await?;
    let again = |event: &Value| event["attempt"].as_u64() >= Some(2);
    one(&running, "%7B%22verdict%22:%22trap%22%7D", again)
        .await
        .map(drop)
}

async fn dead() -> Result<()> {
    let running = start(Project::new(ECHO).with("dead", DEAD)).await?;
    let buried = |event: &Value| event["topic"] == "echo-dead";
    one(&running, "%7B%22verdict%22:%22dead-letter%22%7D", buried)
        .await
        .map(drop)
}

async fn ordered() -> Result<()> {
    let running = start(Project::new(ECHO)).await?;
    let published = running.get("/publish?topic=echo&count=30&key=a").await?;
    ensure!(
        published
            .json()
            .as_array()
            .is_some_and(|ids| ids.len() == 30),
        "{published:?}"
    );
    let all = |events: &host_tests::Answer| {
        events
            .json()
            .as_array()
            .is_some_and(|list| list.len() == 30)
    };
    let events = running.eventually("/events", all).await?.json();
    ensure!(
        events
            .as_array()
            .is_some_and(|list| list.iter().all(|event| event["key"] == "a"))
    );
    Ok(())
}

/// A host that stops loses nothing that was published, with the durable default.
async fn restart() -> Result<()> {
    let project = Project::new(ECHO);
    let running = project.start().await?;
    let published = running
        .get("/publish?topic=echo&count=5&data=%7B%22verdict%22:%22retry%22,%22after%22:100%7D")
        .await?;
    ensure!(published.status == 200, "{published:?}");
    ensure!(running.stop().await, "not everything finished");
    let running = project.start().await?;
    let all =
        |events: &host_tests::Answer| events.json().as_array().is_some_and(|list| list.len() == 5);
    running.eventually("/events", all).await?;
    running.stop().await;
    Ok(())
}

async fn refused() -> Result<()> {
    let apps = ECHO.replace(" subscribe: [pubsub],", "");
    let problems = Project::new(&apps).with("memory", MEMORY).problems().await;
    ensure!(
        problems
            == [
                "app `echo` is not granted to subscribe to `pubsub/echo`; add it to `grants: { subscribe: [pubsub/echo] }` at wythe.yaml:4"
            ],
        "{problems:?}"
    );
    Ok(())
}

fn subscription(rule: &str) -> String {
    format!(
        "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata: {{ name: routed }}\nspec:\n  pubsubname: pubsub\n  topic: routed\n  deadLetterTopic: echo-dead\n  routes:\n    rules:\n      - match: '{rule}'\n        path: /even\nscopes: [echo]\n"
    )
}

async fn rule() -> Result<()> {
    let problems = Project::new(ECHO)
        .with("memory", MEMORY)
        .with("routed", &subscription("event.type =="))
        .located_problems()
        .await;
    ensure!(problems.len() == 1, "{problems:?}");
    ensure!(
        problems[0].starts_with("resources/routed.yaml:10:")
            && problems[0].contains("the rule `event.type ==` is no CEL expression: "),
        "{problems:?}"
    );
    Ok(())
}

/// Events with even numbers match; odd ones have no route and go to the dead letter topic.
async fn routed() -> Result<()> {
    let project = Project::new(ECHO)
        .with("routed", &subscription("event.data.number % 2 == 0"))
        .with("dead", DEAD);
    let running = start(project).await?;
    running.get("/publish?topic=routed&count=4").await?;
    let all =
        |events: &host_tests::Answer| events.json().as_array().is_some_and(|list| list.len() == 4);
    let events = running.eventually("/events", all).await?.json();
    for event in events.as_array().into_iter().flatten() {
        let even = event["data"]["number"]
            .as_i64()
            .is_some_and(|number| number % 2 == 0);
        let expected = if even { "routed" } else { "echo-dead" };
        ensure!(event["topic"] == expected, "{event}");
    }
    Ok(())
}

async fn scopes() -> Result<()> {
    let scoped = MEMORY.replace(
        "type: pubsub.memory,",
        "type: pubsub.memory, metadata: [ { name: publishingScopes, value: \"echo=echo\" } ],",
    );
    let running = Project::new(ECHO).with("memory", &scoped).start().await?;
    ensure!(running.get("/publish?topic=echo&count=1").await?.status == 200);
    let denied = running.get("/publish?topic=other&count=1").await?;
    ensure!(denied.status == 403, "{denied:?}");
    ensure!(
        denied.message()
            == "pubsub component `pubsub` does not let app `echo` publish to topic `other`; see its publishingScopes, allowedTopics and protectedTopics",
        "{denied:?}"
    );
    Ok(())
}
