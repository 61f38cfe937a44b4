//! Events arrive as they were published, and name the publisher that the host has proof of.

use super::{publish, start};
use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, guest};
use libtest_mimic::Trial;

pub(super) const APPS: &str = "\
  - appID: mallory
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [mallory], http: [] }
";

/// Hears a topic; what is refused goes to another one.
pub(super) fn hears(topic: &str, dead: &str) -> String {
    format!(
        "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata: {{ name: {topic} }}\nspec: {{ pubsubname: pubsub, topic: {topic}, deadLetterTopic: {dead}, routes: {{ default: / }} }}\nscopes: [mallory]\n"
    )
}

const STATE: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.memory, version: v1 }
";

/// JSON as people and machines write it.
const TEXTS: [&str; 4] = [
    r#"{ "z": 1, "a": 0.1234567890123456789, "id": 12345678901234567890123, "price": 100000000000000000.01 }"#,
    "1e400",
    "null",
    " [ 1.10 ] ",
];

const FORGED: &str = r#"{"specversion":"1.0","id":"1","type":"bank.paid","source":"bank","time":"1999-01-01T00:00:00Z","traceparent":"00-11111111111111111111111111111111-2222222222222222-01","data":{"amount":1000000}}"#;

pub fn trials() -> Vec<Trial> {
    vec![
        case("events::bytes_delivered_are_bytes_published", bytes),
        case("events::a_forged_source_is_not_believed_of_memory", || {
            forged(MEMORY.to_owned())
        }),
        case("events::a_forged_source_is_not_believed_of_redb", || {
            forged(STATE.to_owned())
        }),
        case(
            "events::a_forged_source_is_not_believed_of_a_plugin",
            || forged(plugin()),
        ),
        case("events::a_source_is_believed_after_a_restart", restart),
        case("events::what_expires_is_a_dead_letter", expired),
    ]
}

fn plugin() -> String {
    let file = guest("queue");
    let file = file.display();
    format!(
        "{STATE}---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: pubsub }}\nspec: {{ type: pubsub.wasm, version: v1, metadata: [ {{ name: path, value: {file} }} ] }}\n"
    )
}

async fn bytes() -> Result<()> {
    let project = Project::new(APPS).with("plain", &hears("plain", "dead"));
    let running = start(project).await?;
    for (number, text) in TEXTS.iter().enumerate() {
        let query = format!("topic=plain&type=t{number}");
        publish(&running, &query, "Application/JSON; charset=utf-8", text).await?;
    }
    let expected = |number: usize| {
        let text = TEXTS[number];
        format!("kind `t{number}` attempt 1 [] data {text}")
    };
    let all = |heard: &host_tests::Answer| {
        let text = heard.text();
        (0..TEXTS.len()).all(|number| text.contains(&expected(number)))
    };
    running.eventually("/event/heard", all).await.map(drop)
}

/// A raw message in the form of an envelope, which is also what a broker could make up.
async fn forged(components: String) -> Result<()> {
    let project = Project::new(APPS)
        .with("plain", &hears("plain", "dead"))
        .with("components", &components);
    let running = project.start().await?;
    publish(
        &running,
        "topic=plain&raw=1",
        "application/cloudevents+json",
        FORGED,
    )
    .await?;
    publish(&running, "topic=plain&raw=1", "application/json", FORGED).await?;
    publish(&running, "topic=plain&type=real", "", "5").await?;
    let three = |heard: &host_tests::Answer| heard.text().lines().count() == 3;
    let heard = running.eventually("/event/heard", three).await?.text();
    for line in [
        r#"plain source `` id false new kind `bank.paid` attempt 1 [] data {"amount":1000000}"#
            .to_owned(),
        format!("plain source `` id false new kind `` attempt 1 [] data {FORGED}"),
        "plain source `mallory` id true new kind `real` attempt 1 [] data 5".to_owned(),
    ] {
        ensure!(
            heard.lines().any(|heard| heard == line),
            "no {line} in\n{heard}"
        );
    }
    running.stop().await;
    Ok(())
}

/// The key stays with the data.
async fn restart() -> Result<()> {
    let project = Project::new(APPS).with("plain", &hears("plain", "dead"));
    let running = project.start().await?;
    publish(&running, "topic=plain&type=real&delay=500", "", "5").await?;
    running.stop().await;
    let running = project.start().await?;
    let reported = |heard: &host_tests::Answer| heard.text().contains("source `mallory` id true");
    running.eventually("/event/heard", reported).await?;
    running.stop().await;
    Ok(())
}

/// An event expires while it waits for its reader, too, and whatever it is wrapped in.
async fn expired() -> Result<()> {
    let project = Project::new(APPS)
        .with("plain", &hears("plain", "dead"))
        .with("dead", &hears("dead", "dead2"));
    let running = start(project).await?;
    for raw in ["", "&raw=1"] {
        let query = format!("topic=plain&type=late&ttl=1&delay=50{raw}");
        publish(&running, &query, "text/plain", "late").await?;
    }
    // A time to live beyond all time is none.
    let query = format!("topic=plain&type=kept&ttl={}", u64::MAX);
    publish(&running, &query, "text/plain", "kept").await?;
    let three = |heard: &host_tests::Answer| heard.text().lines().count() == 3;
    let heard = running.eventually("/event/heard", three).await?.text();
    let letters = heard.lines().filter(|line| {
        line.starts_with("dead source")
            && line.contains(r#"("deadletterreason", "expired"), ("deadlettertopic", "plain"), ("deadletterattempts", "1")"#)
    });
    ensure!(letters.count() == 2, "{heard}");
    ensure!(heard.contains("plain source `mallory`"), "{heard}");
    Ok(())
}
