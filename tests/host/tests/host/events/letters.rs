//! Dead letters: moved in one write, held until somebody reads, and seen and sent back by an operator.

use super::{
    proof::{APPS, hears},
    publish,
};
use crate::{
    case,
    command::{Step, check},
};
use anyhow::{Result, ensure};
use host_tests::{Answer, Project};
use libtest_mimic::Trial;

/// A backlog of two messages.
fn tiny(driver: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: statestore }}\nspec: {{ type: state.memory, version: v1 }}\n---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: pubsub }}\nspec: {{ type: pubsub.{driver}, version: v1, metadata: [ {{ name: maxBacklog, value: \"2\" }} ] }}\n"
    )
}

pub fn trials() -> Vec<Trial> {
    vec![
        case(
            "events::a_full_backlog_keeps_no_letter_back::memory",
            || full("memory"),
        ),
        case("events::a_full_backlog_keeps_no_letter_back::redb", || {
            full("redb")
        }),
        case("events::a_letter_waits_for_its_first_reader", held),
        case(
            "events::an_operator_sees_letters_and_sends_them_back",
            operated,
        ),
    ]
}

async fn full(driver: &'static str) -> Result<()> {
    let project = Project::new(APPS)
        .with("bury", &hears("bury", "dead"))
        .with("later", &hears("later", "dead"))
        .with("dead", &hears("dead", "dead2"))
        .with("components", &tiny(driver));
    let running = project.start().await?;
    publish(&running, "topic=later&type=a&delay=3600000", "", "1").await?;
    for number in 0..3 {
        // Each needs the one place that is left, so the one before it has found its end.
        let query = format!("topic=bury&type=poison{number}");
        let mut answer = publish(&running, &query, "", "2").await?;
        for _ in 0..200 {
            if !answer.starts_with("refused: exhausted") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            answer = publish(&running, &query, "", "2").await?;
        }
        ensure!(answer.starts_with("published"), "{answer}");
    }
    let three = |heard: &Answer| {
        let text = heard.text();
        text.lines()
            .filter(|line| line.starts_with("dead "))
            .count()
            == 3
    };
    running.eventually("/event/heard", three).await?;
    running.stop().await;
    Ok(())
}

async fn held() -> Result<()> {
    let project = Project::new(APPS).with("bury", &hears("bury", "dead"));
    let running = project.start().await?;
    publish(&running, "topic=bury&type=t", "", "7").await?;
    let buried = |heard: &Answer| heard.text().starts_with("bury ");
    running.eventually("/event/heard", buried).await?;
    ensure!(running.stop().await, "not everything finished");
    let project = project.with("dead", &hears("dead", "dead2"));
    let running = project.start().await?;
    let read = |heard: &Answer| {
        heard
            .text()
            .lines()
            .any(|line| line.starts_with("dead source `mallory`") && line.ends_with("data 7"))
    };
    running.eventually("/event/heard", read).await?;
    running.stop().await;
    Ok(())
}

const SEEN: &[Step] = &[
    (
        "pubsub dead pubsub dead -o json",
        0,
        "{\"letters\":[{\"attempts\":1,\"bytes\":…",
        "",
    ),
    (
        "pubsub dead pubsub dead",
        0,
        "NUMBER  FROM  TYPE  SOURCE   ATTEMPTS  BYTES  AGE…",
        "",
    ),
    (
        "pubsub topics pubsub",
        0,
        "TOPIC  GROUPS  MESSAGES  BYTES  OLDEST…",
        "",
    ),
    (
        "pubsub groups pubsub dead",
        0,
        "TOPIC  GROUP             MEMBERS  MESSAGES  OUT  BYTES  OLDEST…",
        "",
    ),
    (
        "pubsub redrive pubsub dead --limit 0",
        1,
        "",
        "error: 0 letters; expected 1 to 1000\n",
    ),
    ("pubsub redrive pubsub dead", 0, "sent back 1\n", ""),
    (
        "pubsub dead pubsub dead -o json",
        0,
        "{\"letters\":[]}\n",
        "",
    ),
];

const REMOVED: &[Step] = &[
    ("pubsub purge pubsub dead", 0, "removed 1\n", ""),
    (
        "pubsub purge pubsub dead --remove -o json",
        0,
        "{\"messages\":0}\n",
        "",
    ),
    (
        "pubsub purge pubsub bury --group mallory --remove",
        0,
        "removed 0\n",
        "",
    ),
    (
        "pubsub topics pubsub",
        0,
        "TOPIC  GROUPS  MESSAGES  BYTES  OLDEST  UNREAD LETTERS\n",
        "",
    ),
    (
        "pubsub dead pubsub dead",
        1,
        "",
        "error: topic `dead` has no groups\n",
    ),
    (
        "pubsub groups nothing",
        1,
        "",
        "error: no pubsub component `nothing` for app `operator`\n",
    ),
];

async fn operated() -> Result<()> {
    let project = Project::new(APPS).with("bury", &hears("bury", "dead"));
    let buried = |times: usize| {
        move |heard: &Answer| {
            heard
                .text()
                .lines()
                .filter(|line| line.starts_with("bury "))
                .count()
                == times
        }
    };
    let running = project.start().await?;
    publish(&running, "topic=bury&type=t", "", "7").await?;
    running.eventually("/event/heard", buried(1)).await?;
    running.stop().await;
    for step in SEEN {
        check(project.path(), *step)?;
    }
    let running = project.start().await?;
    running.eventually("/event/heard", buried(2)).await?;
    running.stop().await;
    for step in REMOVED {
        check(project.path(), *step)?;
    }
    Ok(())
}
