//! Policies of deliveries and of actors, over drivers in memory and on a stopped clock.

use crate::open::component;
use async_trait::async_trait;
use bytes::Bytes;
use libtest_mimic::Trial;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use wythe_blocks::{
    App, Call, Callee, Error, Exports, Kind, Profile, Result, Settings, Shared, Tenant, actors,
    bindings::Input,
    pubsub::{Delivery, Event, PublishOptions, Subscription, Verdict},
    time,
};
use wythe_manifest::{Grants, Name, PartPattern, Pattern, Resiliency, parse_resources};

const NAME: &str = "subject";
/// A time in which every attempt is made, and longer than the first pause of a broker.
const LATER: Duration = Duration::from_millis(900);
const RETRY: &str = "retries: { r: { policy: constant, duration: 200ms, maxRetries: 3 } }";

pub fn trials() -> Vec<Trial> {
    vec![
        case("events_are_tried_again_here", || Box::pin(events())),
        case("a_slow_event_is_cut_off", || Box::pin(slow_event())),
        case("inputs_are_tried_again_here", || Box::pin(inputs())),
        case("an_end_does_not_wait_for_retries", || Box::pin(end())),
        case("turns_are_tried_again", || Box::pin(turns())),
        case("a_turn_has_the_time_after_its_queue", || {
            Box::pin(slow_turns())
        }),
        case("an_open_breaker_is_one_line", || Box::pin(one_line())),
        case("breakers_of_single_actors", || Box::pin(breakers())),
    ]
}

fn case(name: &str, run: fn() -> futures::future::BoxFuture<'static, ()>) -> Trial {
    Trial::test(format!("resiliency::{name}"), move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()?;
        runtime.block_on(run());
        Ok(())
    })
}

/// An answer of the app.
#[derive(Clone, Copy)]
enum Answer {
    Well,
    Fails,
    Again,
    Drops,
    Slow(Duration),
}

/// An app that answers everything alike, and notes when it was asked.
struct Subject {
    answer: Mutex<Answer>,
    calls: Mutex<Vec<Instant>>,
}

impl Subject {
    /// Milliseconds from the first call to each, to tenths of a second; the calls are forgotten.
    fn offsets(&self) -> Vec<u128> {
        let calls = std::mem::take(&mut *self.calls.lock());
        // A tenth of each pause is by chance, so each is rounded by itself.
        let gap = |pair: &[Instant]| (pair[1].duration_since(pair[0]).as_millis() + 50) / 100 * 100;
        let mut offsets: Vec<u128> = calls.first().map(|_| 0).into_iter().collect();
        for pair in calls.windows(2) {
            offsets.push(offsets[offsets.len() - 1] + gap(pair));
        }
        offsets
    }

    async fn next(&self) -> Result<Verdict> {
        self.calls.lock().push(Instant::now());
        let answer = *self.answer.lock();
        match answer {
            Answer::Well => Ok(Verdict::Ack),
            Answer::Fails => Err(Error::internal("as the test says")),
            Answer::Again => Ok(Verdict::Retry(None)),
            Answer::Drops => Ok(Verdict::Drop),
            Answer::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(Verdict::Ack)
            }
        }
    }
}

#[async_trait]
impl Callee for Subject {
    fn exports(&self) -> Exports {
        Exports {
            subscriber: true,
            binding_listener: true,
            actor_handler: true,
            ..Exports::default()
        }
    }

    async fn on_event(&self, _: Call, _: Delivery) -> Result<Verdict> {
        self.next().await
    }

    async fn on_input(&self, _: Call, _: Input) -> Result<Bytes> {
        self.next().await.map(|_| Bytes::new())
    }

    async fn actor_turn(&self, call: Call, _: actors::Trigger) -> Result<Bytes> {
        // As a guest does, which ends its calls itself.
        let answer = tokio::time::timeout_at(call.deadline().into(), self.next()).await;
        let late = |_| Err(Error::timeout("the turn did not end in time"));
        answer.unwrap_or_else(late).map(|_| Bytes::new())
    }
}

struct Stage {
    tenant: Arc<Tenant>,
    app: Arc<App>,
    subject: Arc<Subject>,
    _data: tempfile::TempDir,
}

fn name() -> Name {
    "default".parse().expect("a name")
}

fn operator() -> Call {
    Call::operator(name(), name(), time::deadline(time::NEVER))
}

fn policies(spec: &str) -> Vec<Resiliency> {
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {{ name: r }}\nspec: {{ {spec} }}\n"
    );
    let (resources, problems) = parse_resources(&text, "r.yaml".as_ref());
    assert!(problems.is_empty(), "{problems}");
    resources.resiliencies
}

impl Stage {
    async fn open(block: &str, spec: &str) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let settings = Settings {
            resiliencies: policies(spec),
            ..Settings::new(name(), data.path().to_owned())
        };
        let tenant = Tenant::new(settings, &Shared::default());
        let components = [component(block, "memory", "[]")];
        let opened = tenant.open(&wythe_drivers::registry(), &components).await;
        opened.expect("components that open");
        let subject = Arc::new(Subject {
            answer: Mutex::new(Answer::Well),
            calls: Mutex::default(),
        });
        let grants = Grants {
            subscribe: vec![PartPattern::Any],
            listen: vec![Pattern::Any],
            ..Grants::default()
        };
        let profile = Profile {
            grants: Arc::new(grants),
            ..Profile::new(name(), name())
        };
        let app = App::new(profile, subject.clone());
        Stage {
            tenant,
            app,
            subject,
            _data: data,
        }
    }

    fn answers(&self, answer: Answer) {
        *self.subject.answer.lock() = answer;
    }

    async fn subscribe(&self) {
        self.tenant.admit(&self.app, None).await.expect("the app");
        let topics = vec![Subscription {
            component: NAME.into(),
            topic: "topic".into(),
            ..Subscription::default()
        }];
        let hears = self.tenant.pubsub.attach(&self.app, topics);
        hears.await.expect("events");
    }

    async fn publish(&self) {
        let (caller, pubsub) = (operator(), &self.tenant.pubsub);
        let topic = pubsub.open(&caller, NAME, "topic").expect("the topic");
        let event = Event {
            kind: "test".into(),
            ..Event::default()
        };
        let options = PublishOptions::default();
        let published = topic.publish(&caller, event, &options);
        published.await.expect("an event");
    }

    async fn host_actors(&self) {
        self.tenant.admit(&self.app, None).await.expect("the app");
        let types = vec![actors::Type::new("Account")];
        let attached = self.tenant.actors.attach(&self.app, types);
        attached.expect("actors");
    }

    async fn turn(&self, id: &str) -> Result<(), Kind> {
        let caller = operator();
        let turn = self
            .tenant
            .actors
            .invoke(&caller, "Account", id, "run", Bytes::new());
        turn.await.map(drop).map_err(|error| error.kind())
    }
}

fn inbound(policies: &str, target: &str) -> String {
    format!(
        "policies: {{ {policies} }}, targets: {{ components: {{ {NAME}: {{ inbound: {{ {target} }} }} }} }}"
    )
}

/// Events come as often as those of a real daprd did, with a broker that does not deliver again meanwhile.
async fn events() {
    for (answer, calls) in [
        (Answer::Fails, 4),
        (Answer::Again, 4),
        (Answer::Drops, 1),
        (Answer::Well, 1),
    ] {
        let stage = Stage::open("pubsub", &inbound(RETRY, "retry: r")).await;
        stage.answers(answer);
        stage.subscribe().await;
        stage.publish().await;
        tokio::time::sleep(LATER).await;
        assert_eq!(stage.subject.offsets(), [0, 200, 400, 600][..calls]);
    }
    let stage = Stage::open("pubsub", "").await;
    stage.answers(Answer::Fails);
    stage.subscribe().await;
    stage.publish().await;
    tokio::time::sleep(LATER).await;
    assert_eq!(stage.subject.offsets(), [0], "without a policy");
}

async fn slow_event() {
    let spec = inbound(
        &format!("timeouts: {{ t: 500ms }}, {RETRY}"),
        "timeout: t, retry: r",
    );
    let stage = Stage::open("pubsub", &spec).await;
    stage.answers(Answer::Slow(Duration::from_secs(20)));
    stage.subscribe().await;
    stage.publish().await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(stage.subject.offsets(), [0, 700, 1_400, 2_100]);
}

async fn inputs() {
    let stage = Stage::open("bindings", &inbound(RETRY, "retry: r")).await;
    stage.tenant.admit(&stage.app, None).await.expect("the app");
    let listens = stage
        .tenant
        .bindings
        .attach(&stage.app, vec![NAME.to_owned()]);
    listens.await.expect("inputs");
    stage.answers(Answer::Fails);
    let caller = operator();
    let bindings = &stage.tenant.bindings;
    let sent = bindings.invoke(&caller, NAME, "create", Bytes::new(), Vec::new());
    sent.await.expect("an input");
    tokio::time::sleep(LATER).await;
    assert_eq!(stage.subject.offsets(), [0, 200, 400, 600]);
}

/// A tenant that closes does not wait for an event that fails without end.
async fn end() {
    let endless = "retries: { r: { policy: constant, duration: 20s } }";
    let stage = Stage::open("pubsub", &inbound(endless, "retry: r")).await;
    stage.answers(Answer::Fails);
    stage.subscribe().await;
    stage.publish().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begin = Instant::now();
    assert!(stage.tenant.close(Duration::from_secs(60)).await);
    assert!(
        begin.elapsed() < Duration::from_secs(10),
        "{:?}",
        begin.elapsed()
    );
}

fn of_actors(policies: &str, target: &str) -> String {
    format!("policies: {{ {policies} }}, targets: {{ actors: {{ Account: {{ {target} }} }} }}")
}

async fn turns() {
    let stage = Stage::open("state", &of_actors(RETRY, "retry: r")).await;
    stage.host_actors().await;
    stage.answers(Answer::Fails);
    assert_eq!(stage.turn("a").await, Err(Kind::Internal));
    assert_eq!(stage.subject.offsets(), [0, 200, 400, 600]);
    stage.answers(Answer::Well);
    assert_eq!(stage.turn("a").await, Ok(()));
    assert_eq!(stage.subject.offsets(), [0]);
}

/// Two turns of one second each stand in the queue of an actor, and both have the time of their policy.
async fn slow_turns() {
    let spec = of_actors("timeouts: { t: 1500ms }", "timeout: t");
    let stage = Stage::open("state", &spec).await;
    stage.host_actors().await;
    stage.answers(Answer::Slow(Duration::from_secs(1)));
    let (one, other) = tokio::join!(stage.turn("a"), stage.turn("a"));
    assert_eq!((one, other), (Ok(()), Ok(())));
    stage.answers(Answer::Slow(Duration::from_secs(20)));
    let begin = Instant::now();
    assert_eq!(
        stage.turn("a").await,
        Err(Kind::Timeout),
        "nothing is persisted"
    );
    assert_eq!(begin.elapsed().as_millis() / 100, 15);
    let sample =
        "wythe_resiliency_timeouts_total{tenant=\"default\",aim=\"actor\",target=\"Account\"} 1\n";
    let text = stage.tenant.metrics.render();
    assert!(text.contains(sample), "{text}");
}

async fn breakers() {
    let breaker = "circuitBreakers: { b: { trip: consecutiveFailures >= 2 } }";
    let target = "circuitBreaker: b, circuitBreakerScope: id";
    let stage = Stage::open("state", &of_actors(breaker, target)).await;
    stage.host_actors().await;
    stage.answers(Answer::Fails);
    for _ in 0..2 {
        assert_eq!(stage.turn("a").await, Err(Kind::Internal));
    }
    assert_eq!(stage.turn("a").await, Err(Kind::Unavailable));
    assert_eq!(stage.turn("b").await, Err(Kind::Internal));
    assert_eq!(stage.subject.offsets().len(), 3);
    let shown = stage.tenant.resiliency.breakers();
    let shown: Vec<_> = shown
        .iter()
        .map(|one| (one.actor.as_deref(), one.state))
        .collect();
    assert_eq!(shown, [(Some("a"), "open")]);
}

/// Lines of the log, as text.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One line says what opened, why, for how long, and where to look; calls that are refused say no more in the log.
async fn one_line() {
    let lines = Lines::default();
    let written = lines.clone();
    // With two subscribers, tracing does not remember what a thread of another test says, which has none.
    let _other = tracing::Dispatch::new(tracing_subscriber::registry());
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || written.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let breaker = "circuitBreakers: { b: { timeout: 45s, trip: consecutiveFailures >= 2 } }";
    let target = "circuitBreaker: b, circuitBreakerScope: type";
    let stage = Stage::open("state", &of_actors(breaker, target)).await;
    stage.host_actors().await;
    stage.answers(Answer::Fails);
    for _ in 0..20 {
        assert!(stage.turn("a").await.is_err());
    }
    let text = String::from_utf8(lines.0.lock().clone()).expect("text");
    let opened: Vec<_> = text
        .lines()
        .filter(|line| line.contains("breaker"))
        .collect();
    let [line] = opened.as_slice() else {
        panic!("one line in {text}");
    };
    let said = "the circuit breaker opened, for `consecutiveFailures >= 2`: calls are refused for 45s, then 1 may try; \
                `wythe status` shows the last error, and `circuitBreakers.b` has `trip` and `timeout`";
    assert!(line.contains(said) && line.contains("WARN"), "{line}");
    assert!(line.contains("target=actor type `Account`"), "{line}");
}
