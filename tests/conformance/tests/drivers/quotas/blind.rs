//! Drivers that do not say that they count, and quotas that cannot be held by them.

use super::{open, run, settings, trial};
use crate::open::component;
use libtest_mimic::Trial;
use std::time::Duration;
use wythe_blocks::{Kind, Ready, Registry};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("state::who_does_not_count_is_refused", || {
            run(refused("state", &["stateBytes", "stateKeys"]));
        }),
        trial("pubsub::who_does_not_count_is_refused", || {
            run(refused("pubsub", &["backlogBytes"]));
        }),
    ]
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.state.add_raw("blind", |_, site| async move {
        let component = component("state", "memory", "");
        let driver = wythe_drivers::registry().state.open(&component, site).await;
        let driver = driver.expect("it opens");
        Ok(Ready::new(|| async { Ok(driver) }))
    });
    registry.pubsub.add_raw("blind", |_, site| async move {
        let (component, known) = (component("pubsub", "memory", ""), wythe_drivers::registry());
        let driver = known.pubsub.open(&component, site).await;
        let driver = driver.expect("it opens");
        Ok(Ready::new(|| async { Ok(driver) }))
    });
    registry
}

async fn refused(block: &str, quotas: &[&str]) {
    let directory = tempfile::tempdir().expect("a directory");
    let component = component(block, "blind", "");
    for quota in quotas {
        let settings = settings(directory.path(), &format!("{quota}: 2000000"));
        let written = open(&registry(), settings, component.clone()).await;
        let errors = written.err().expect("the quota cannot be held");
        let error = errors.first().expect("an error");
        assert_eq!(error.kind(), Kind::Unsupported);
        let message = error.message();
        let expected = format!(
            "`{block}.blind` does not count what it stores, so that the operator's `quotas.{quota}`"
        );
        assert!(
            message.contains(&expected) && message.contains("wythe-host.yaml:3"),
            "{message}"
        );
    }
    let default = open(
        &registry(),
        settings(directory.path(), "apps: 1"),
        component,
    )
    .await;
    let (host, _) = default.expect("a default is of drivers that count");
    assert!(host.close(Duration::from_secs(60)).await);
}
