//! Metrics say of a queue on disk what its operator sees, also after a start.

use super::*;
use std::path::Path;
use wythe_blocks::Environment;

async fn opened(directory: &Path) -> Arc<dyn Driver> {
    let config = Config {
        path: None,
        cache_size: None,
        max_backlog: None,
        max_backlog_bytes: None,
    };
    let site = Site {
        terms: None,
        ledger: None,
        tenant: "default".parse().unwrap(),
        component: "pubsub".into(),
        directory: directory.to_owned(),
        beside: directory.to_owned(),
        root: directory.to_owned(),
        environment: Environment::default(),
    };
    open(config, site).await.unwrap()
}

/// Group, messages and bytes of the backlog, which are those that the operator sees.
async fn backlog(driver: &dyn Driver) -> Vec<(String, u64, u64)> {
    let groups = driver.groups().await.unwrap();
    let mut backlog = Vec::new();
    for depth in driver.backlog().await.unwrap() {
        let is_it = |group: &&Status| group.name.as_ref() == Some(&depth.group);
        let seen = groups.iter().find(is_it).unwrap();
        assert_eq!(depth.bytes, Some(seen.bytes), "{}", depth.group);
        backlog.push((depth.group, depth.messages, seen.bytes));
    }
    backlog
}

#[tokio::test]
async fn the_bytes_of_a_backlog_are_the_same_after_a_start() {
    let directory = tempfile::tempdir().unwrap();
    let driver = opened(directory.path()).await;
    let lasting = SubscribeOptions::default();
    let ephemeral = SubscribeOptions {
        ephemeral: true,
        ..SubscribeOptions::default()
    };
    let first = driver
        .subscribe("topic", "a", lasting.clone())
        .await
        .unwrap();
    let _second = driver.subscribe("topic", "b", lasting).await.unwrap();
    let _third = driver.subscribe("topic", "c", ephemeral).await.unwrap();
    for size in [10, 1_000] {
        let message = Message {
            data: vec![b'x'; size].into(),
            attributes: vec![("name".into(), "value".into())],
            ..Message::default()
        };
        driver.publish("topic", message).await.unwrap();
    }
    let small = first.pull(1).await.unwrap().remove(0);
    first.ack(vec![small.receipt]).await.remove(0).unwrap();
    let before = backlog(&*driver).await;
    let counts: Vec<_> = before.iter().map(|(_, messages, _)| *messages).collect();
    assert_eq!(counts, [1, 2, 2]);
    assert!(
        before[0].2 > 1_000 && before[1].2 > before[0].2 + 10,
        "{before:?}"
    );
    driver.close().await.unwrap();
    drop((first, _second, _third, driver));
    let driver = opened(directory.path()).await;
    let after = backlog(&*driver).await;
    assert_eq!(after, before[..2], "the ephemeral group is gone");
    driver.close().await.unwrap();
}
