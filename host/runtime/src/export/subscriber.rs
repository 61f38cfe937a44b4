//! Events into a guest that exports `wythe:blocks/subscriber`.

use crate::{
    bindings::app::exports::wythe::blocks::subscriber as wit, instance::Pool, wit::timestamp,
};
use std::{collections::BTreeMap, time::Duration};
use wythe_blocks::{
    Call, Result,
    pubsub::{Delivery, Rule, Subscription, Verdict},
};

pub async fn subscriptions(
    indices: &wit::GuestIndices,
    pool: &Pool,
    caller: Call,
) -> Result<Vec<Subscription>> {
    let answer = pool
        .run(caller, async |store, instance| {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_subscriptions(store).await
        })
        .await?;
    Ok(answer.into_iter().map(Into::into).collect())
}

pub async fn on_event(
    indices: &wit::GuestIndices,
    pool: &Pool,
    caller: Call,
    delivery: Delivery,
) -> Result<Verdict> {
    let delivery = wit::Delivery::from(delivery);
    let verdict = pool
        .run(caller, async |store, instance| {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_on_event(store, &delivery).await
        })
        .await?;
    Ok(verdict.into())
}

impl From<wit::Subscription> for Subscription {
    fn from(subscription: wit::Subscription) -> Self {
        let rule = |rule: wit::Rule| Rule {
            expression: rule.match_,
            route: rule.route,
        };
        Subscription {
            component: subscription.component,
            topic: subscription.topic,
            rules: subscription.rules.into_iter().map(rule).collect(),
            default_route: subscription.default_route,
            dead_letter_topic: subscription.dead_letter_topic,
            metadata: BTreeMap::from_iter(subscription.metadata),
        }
    }
}

impl From<Delivery> for wit::Delivery {
    fn from(delivery: Delivery) -> Self {
        wit::Delivery {
            component: delivery.component,
            topic: delivery.topic,
            route: delivery.route,
            event: delivery.event.into(),
            source: delivery.source,
            time: timestamp(delivery.time),
            attempt: delivery.attempt,
        }
    }
}

impl From<wit::Verdict> for Verdict {
    fn from(verdict: wit::Verdict) -> Self {
        match verdict {
            wit::Verdict::Ack => Verdict::Ack,
            wit::Verdict::Retry(after) => Verdict::Retry(after.map(Duration::from_millis)),
            wit::Verdict::Drop => Verdict::Drop,
            wit::Verdict::DeadLetter(reason) => Verdict::DeadLetter(reason),
        }
    }
}
