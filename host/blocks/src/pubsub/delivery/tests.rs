//! A broker that fails for a while loses no verdict, and one that cannot move a letter is told in two steps.

use super::*;
use crate::{
    Callee, Exports, Kind, Metrics, Profile,
    component::Component,
    log_lines::LogLines,
    pubsub::{
        Driver, Features, Message, OPERATIONS, Receipt, Scopes, SubscribeOptions, seal::Seal,
    },
};
use async_trait::async_trait;
use parking_lot::Mutex;

/// A broker that writes down what it was asked, and the failures that it still has to answer with.
#[derive(Clone, Default)]
struct Broker {
    asked: Arc<Mutex<Vec<String>>>,
    failures: Arc<Mutex<Vec<Kind>>>,
    dead_letters: bool,
    /// Messages that are pulled once.
    waiting: Arc<Mutex<Vec<Message>>>,
}

impl Broker {
    fn answer(&self, asked: &str) -> Result<()> {
        self.asked.lock().push(asked.to_owned());
        match self.failures.lock().pop() {
            Some(kind) => Err(Error::new(kind, "not now")),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Driver for Broker {
    fn features(&self) -> Features {
        Features {
            durable: false,
            ordering: false,
            delay: false,
            dead_letters: self.dead_letters,
            counted: false,
            max_message_bytes: 1 << 20,
        }
    }

    async fn publish(&self, topic: &str, _: Message) -> Result<()> {
        self.answer(&format!("publish {topic}"))
    }

    async fn subscribe(&self, _: &str, _: &str, _: SubscribeOptions) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Consumer for Broker {
    async fn pull(&self, _: usize) -> Result<Vec<Received>> {
        let message = self.waiting.lock().pop();
        match message {
            Some(message) => Ok(vec![Received {
                message,
                attempt: 1,
                receipt: vec![1],
            }]),
            None => std::future::pending().await,
        }
    }

    async fn ack(&self, _: Vec<Receipt>) -> Vec<Result<()>> {
        vec![self.answer("ack")]
    }

    async fn nack(&self, _: Receipt, _: Duration) -> Result<()> {
        self.answer("nack")
    }

    async fn bury(&self, _: Receipt, topic: &str, _: Message) -> Result<()> {
        self.answer(&format!("bury {topic}"))
    }
}

struct Strict;

#[async_trait]
impl Callee for Strict {
    fn exports(&self) -> Exports {
        Exports::default()
    }

    async fn on_event(&self, _: Call, _: Delivery) -> Result<Verdict> {
        Ok(Verdict::DeadLetter("no".into()))
    }
}

const COMPONENT: &str = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: pubsub }\nspec: { type: pubsub.test, version: v1 }\n";

/// The questions to the broker about one event, while it fails in these ways, the first one last.
async fn asked(dead_letters: bool, failures: &[Kind], expected: usize) -> Vec<String> {
    asked_of(Arc::new(Strict), dead_letters, failures, expected).await
}

async fn asked_of(
    callee: Arc<dyn Callee>,
    dead_letters: bool,
    failures: &[Kind],
    expected: usize,
) -> Vec<String> {
    let broker = Broker {
        dead_letters,
        failures: Arc::new(Mutex::new(failures.to_vec())),
        waiting: Arc::new(Mutex::new(vec![Message::default()])),
        ..Broker::default()
    };
    let (tasks, tenant) = (Tasks::default(), "tenant".parse::<Name>().unwrap());
    let ledger = crate::quota::Ledger::new(tenant.clone());
    let pubsub = PubSub::new(tasks.clone(), Arc::default(), ledger);
    let (resources, problems) = wythe_manifest::parse_resources(COMPONENT, "p.yaml".as_ref());
    assert!(problems.is_empty(), "{problems}");
    let configured = Arc::new(Configured {
        driver: Arc::new(broker.clone()),
        scopes: Scopes::default(),
        seal: Seal::new([0; 32]),
        consumer: None,
    });
    let manifest = &resources.components[0];
    let component = Component::new(&tenant, "pubsub", OPERATIONS, manifest, configured);
    let components = &pubsub.components;
    components.insert(&Metrics::default(), component);
    let app = cart(tenant, callee);
    let attached = pubsub.attach(&app, vec![subscription()]);
    attached.await.unwrap();
    // The clock stands still but for this, and goes on as soon as all wait.
    for _ in 0..1_000 {
        if broker.asked.lock().len() >= expected {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(tasks.stop(Duration::from_secs(1)).await);
    let asked = broker.asked.lock();
    asked.clone()
}

fn subscription() -> Subscription {
    Subscription {
        component: "pubsub".into(),
        topic: "orders".into(),
        dead_letter_topic: Some("dead".into()),
        metadata: [("maxDeliveryAttempts".to_owned(), "1".to_owned())].into(),
        ..Subscription::default()
    }
}

fn cart(tenant: Name, callee: Arc<dyn Callee>) -> Arc<App> {
    let (manifest, _) = wythe_manifest::parse_manifest(MANIFEST, "wythe.yaml".as_ref());
    let profile = Profile {
        grants: Arc::new(manifest.unwrap().apps.remove(0).grants),
        ..Profile::new(tenant, "cart".parse().unwrap())
    };
    App::new(profile, callee)
}

const MANIFEST: &str = "version: 1\nname: test\napps:\n  - appID: cart\n    guest: cart.wasm\n    grants: { subscribe: [pubsub] }\n";

/// An app that fails in one way.
struct Failing(Kind);

#[async_trait]
impl Callee for Failing {
    fn exports(&self) -> Exports {
        Exports::default()
    }

    async fn on_event(&self, _: Call, _: Delivery) -> Result<Verdict> {
        Err(Error::new(self.0, "not now"))
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_no_app_has_seen_is_not_given_up() {
    for kind in [Kind::Exhausted, Kind::Unavailable] {
        let asked = asked_of(Arc::new(Failing(kind)), true, &[], 1).await;
        assert_eq!(asked, ["nack"], "{kind}");
    }
    for kind in [Kind::Internal, Kind::Timeout] {
        let asked = asked_of(Arc::new(Failing(kind)), true, &[], 1).await;
        assert_eq!(asked, ["bury dead"], "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_settle_is_tried_again() {
    let failures = [Kind::UnknownOutcome; 30];
    let asked = asked(true, &failures, 31).await;
    assert_eq!(asked, vec!["bury dead"; 31]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_over_is_not() {
    assert_eq!(asked(true, &[Kind::NotFound], 1).await, ["bury dead"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_change_is_given_up() {
    let asked = asked(true, &[Kind::Invalid; 30], 10).await;
    assert_eq!(asked, vec!["bury dead"; 10]);
}

#[tokio::test(start_paused = true)]
async fn a_broker_without_dead_letters_has_the_letter_first() {
    let asked = asked(false, &[Kind::Exhausted], 3).await;
    assert_eq!(asked, ["publish dead", "publish dead", "ack"]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_one_line_with_the_next_command() {
    for (dead_letters, expected) in [
        (
            true,
            "an event is given up, and goes to `dead`; see `wythe pubsub dead pubsub dead`, and send it back by `wythe pubsub redrive`",
        ),
        // No command shows the letters of such a broker.
        (false, "an event is given up, and goes to `dead` "),
    ] {
        let lines = LogLines::start();
        asked(dead_letters, &[], 1).await;
        let found = lines.with("given up");
        let [line] = found.as_slice() else {
            panic!("one line in {found:?}");
        };
        for part in [
            "WARN",
            expected,
            "app=cart",
            "topic=\"orders\"",
            "reason=\"no\"",
            "attempts=1",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}
