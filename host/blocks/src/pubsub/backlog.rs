//! The backlog of each subscription, as the drivers say when somebody asks for metrics.

use super::{Depth, PubSub};
use crate::metrics::{Family, Page, named};
use futures::future::join_all;
use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};
use tokio::time::timeout;
use wythe_manifest::{ComponentName, Name};

/// Time for a driver to say how much waits.
const LIMIT: Duration = Duration::from_secs(2);

static MESSAGES: Family = Family::gauge(
    "wythe_backlog_messages",
    "Events that a subscription has not acknowledged, those that its app has now among them.",
);
static AGE: Family = Family::gauge(
    "wythe_backlog_oldest_age_seconds",
    "Age of the oldest event that a subscription has not acknowledged; it grows where an app does not keep up or fails.",
);

static BYTES: Family = Family::gauge(
    "wythe_subscription_backlog_bytes",
    "Bytes of the events that a subscription has not acknowledged, as `wythe pubsub groups` has them; see maxBacklogBytes of the component.",
);

/// A subscription, and the consumer group that it reads as.
#[derive(Clone, Debug)]
pub(super) struct Of {
    pub component: ComponentName,
    pub topic: String,
    pub group: String,
}

/// The backlog of one subscription.
#[derive(Clone, Debug)]
pub(crate) struct Backlog {
    app: Name,
    of: Of,
    messages: u64,
    bytes: Option<u64>,
    oldest: Option<SystemTime>,
}

impl PubSub {
    /// Asks each driver once. One that does not answer in time, or cannot say, has no rows.
    pub(crate) async fn backlog(&self) -> Vec<Backlog> {
        let slots = self.components.all().into_iter();
        let asked = slots.filter(|slot| slot.is_open()).map(|slot| async move {
            let component = slot.component();
            let answer = timeout(LIMIT, component.driver().driver.backlog()).await;
            let waiting = answer.ok().and_then(Result::ok).unwrap_or_default();
            (component.name().clone(), waiting)
        });
        let known: HashMap<_, _> = join_all(asked).await.into_iter().collect();
        let mut backlog = Vec::new();
        for (app, running) in self.running.lock().iter() {
            for of in &running.groups {
                let is_it = |one: &&Depth| one.topic == of.topic && one.group == of.group;
                let waiting = known.get(&of.component);
                if let Some(found) = waiting.and_then(|all| all.iter().find(is_it)) {
                    backlog.push(Backlog {
                        app: app.clone(),
                        of: of.clone(),
                        messages: found.messages,
                        bytes: found.bytes,
                        oldest: found.oldest,
                    });
                }
            }
        }
        backlog
    }
}

impl Backlog {
    pub fn collect(&self, page: &mut Page, tenant: &str) {
        let labels = [
            named("app", self.app.as_str()),
            named("component", self.of.component.as_str()),
            named("topic", self.of.topic.as_str()),
        ];
        page.number(&MESSAGES, tenant, &labels, self.messages as f64);
        if let Some(bytes) = self.bytes {
            page.number(&BYTES, tenant, &labels, bytes as f64);
        }
        let age = self.oldest.map(|at| at.elapsed().unwrap_or_default());
        let age = age.unwrap_or_default().as_secs_f64();
        page.number(&AGE, tenant, &labels, age);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn text(bytes: Option<u64>) -> String {
        let backlog = Backlog {
            app: "cart".parse().expect("a name"),
            of: Of {
                component: "broker".parse().expect("a name"),
                topic: "orders".into(),
                group: "cart".into(),
            },
            messages: 3,
            bytes,
            oldest: None,
        };
        let mut page = Page::new(HashSet::new());
        backlog.collect(&mut page, "shop");
        page.write(crate::Format::Prometheus)
    }

    #[test]
    fn bytes_are_shown_where_the_driver_says_them() {
        let labels = "{tenant=\"shop\",app=\"cart\",component=\"broker\",topic=\"orders\"}";
        let (known, unknown) = (text(Some(70)), text(None));
        let line = format!("wythe_subscription_backlog_bytes{labels} 70\n");
        assert!(known.contains(&line), "{known}");
        assert!(
            !unknown.contains("wythe_subscription_backlog_bytes"),
            "{unknown}"
        );
        for text in [known, unknown] {
            assert!(
                text.contains(&format!("wythe_backlog_messages{labels} 3\n")),
                "{text}"
            );
        }
    }
}
