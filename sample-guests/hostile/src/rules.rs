//! Rules that are bombs: `RULE` in the middle of `RULE_COUNT` times `RULE_OPEN` and `RULE_CLOSE`; without `RULE` the app
//! subscribes to nothing.
use std::env;

use wythe_sdk::Result;
use wythe_sdk::pubsub::{Rule, Subscription, Topic};

/// The topic whose events meet the rule, and are not kept.
pub const TOPIC: &str = "bomb";

pub fn subscriptions() -> Vec<Subscription> {
    let subscription = |rule| {
        let mut subscription = Subscription::to("pubsub", TOPIC);
        subscription.rules.push(rule);
        subscription
    };
    rule().map(subscription).into_iter().collect()
}

fn rule() -> Option<Rule> {
    let text = |name: &str| env::var(name).unwrap_or_default();
    let count = text("RULE_COUNT").parse().unwrap_or(0);
    let around = |name: &str| text(name).repeat(count);
    let middle = env::var("RULE").ok()?;
    Some(Rule {
        match_: around("RULE_OPEN") + &middle + &around("RULE_CLOSE"),
        route: "/bomb".to_owned(),
    })
}

/// Events that are lists of so many values.
pub fn publish_wide(component: &str, topic: &str, count: u64, values: u64) -> String {
    let data: Vec<u64> = (0..values).collect();
    let publish = || -> Result<()> {
        let topic = Topic::open(component, topic)?;
        for _ in 0..count {
            topic.publish_json("hostile.wide", &data)?;
        }
        Ok(())
    };
    crate::blocks::told(publish().map(|()| format!("published {count}")))
}
