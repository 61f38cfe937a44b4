//! The way of events to an app: a loop per subscription pulls, routes, asks the app, and settles by its verdict.

mod circles;
mod metadata;
mod settling;

pub(super) use circles::Way;

use super::{
    Access, Configured, Consumer, Delivery, Message, PubSub, Received, Running, SUBSCRIBE,
    SealScope, Subscription, Verdict, allow, backlog, check_topic, event,
    routing::{Routes, Share},
    seal,
};
use crate::{
    App, Backoff, Call, Component, Error, Kind, Rate, Result, Tasks, Trace,
    metrics::Deliveries,
    panics,
    resiliency::{Failure, Guarded, Nature},
    time::{self, HOST_CALL, NEVER, host_deadline},
};
use futures::future::join_all;
use metadata::{attempts, check_dead, flag, group};
use parking_lot::MutexGuard;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wythe_manifest::{ComponentName, Name};

/// Events of one subscription that are with the app at once.
const IN_FLIGHT: usize = 32;
/// The pause before the second attempt; it doubles with each, up to the last.
const RETRY: Backoff = Backoff::SLOW;
/// The pause after a pull that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// The reason of an event that no rule takes.
const NO_ROUTE: &str = "no route";

/// One subscription of one app, ready to run.
struct Loop {
    app: Arc<App>,
    component: Arc<Component<Configured>>,
    subscription: Subscription,
    routes: Routes,
    /// The consumer group that it reads as.
    group: String,
    counts: Arc<Deliveries>,
    attempts: Option<u32>,
    raw: bool,
    /// Lines of the log about events of hosts with another key.
    strangers: Rate,
}

impl PubSub {
    /// Starts an app's subscriptions, in place of those it had. Groups exist when this returns, so nothing
    /// published afterwards is missed. Every problem is reported, and then nothing was started.
    pub async fn attach(
        &self,
        app: &Arc<App>,
        subscriptions: Vec<Subscription>,
    ) -> Result<(), Vec<Error>> {
        let share = Arc::new(Share::new(self.rules.clone()));
        let mut ready = Vec::new();
        let mut problems = Vec::new();
        for subscription in subscriptions {
            let preparing = self.prepare(app, subscription, &share);
            match preparing.await {
                Ok(pair) => ready.push(pair),
                Err(error) => problems.push(error),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let letters = self.ways(app, &ready).map_err(|error| vec![error])?;
        let tasks = self.tasks.child();
        let groups = ready.iter().map(|(running, _)| running.of());
        let groups: Vec<_> = groups.collect();
        let topics = groups.iter();
        let topics = topics.map(|of| (of.component.clone(), of.topic.clone()));
        let now = Running {
            tasks: tasks.clone(),
            before: Vec::new(),
            topics: topics.collect(),
            groups,
            letters,
        };
        self.replace(app.id(), now);
        for (running, consumer) in ready {
            let (running, consumer): (_, Arc<dyn Consumer>) = (Arc::new(running), consumer.into());
            let of = tasks.clone();
            tasks.supervise(move || running.clone().run(consumer.clone(), of.clone()));
        }
        Ok(())
    }

    /// Notes what runs for an app now; what ran before has no more to begin.
    fn replace(&self, app: &Name, mut now: Running) {
        let mut running = self.running();
        if let Some(old) = running.remove(app) {
            old.tasks.cancel();
            let all = old.before.into_iter().chain([old.tasks]);
            now.before = all.filter(|tasks| tasks.count() > 0).collect();
        }
        running.insert(app.clone(), now);
    }

    /// Ends an app's subscriptions. Its groups stay, and hold what comes.
    pub(crate) async fn detach(&self, app: &Name) {
        let old = self.running().remove(app);
        if let Some(old) = old {
            // A handler that takes longer is left to itself: its event comes again.
            let all = old.before.iter().chain([&old.tasks]);
            join_all(all.map(|tasks| tasks.stop(HOST_CALL))).await;
        }
    }

    /// Lists the apps that subscribe to topics of a component.
    pub(crate) fn users(&self, component: &ComponentName) -> Vec<Name> {
        let running = self.running();
        let users = running
            .iter()
            .filter(|(_, of)| of.topics.iter().any(|(name, _)| name == component));
        users.map(|(app, _)| app.clone()).collect()
    }

    /// Lists every subscription that runs: the app, the component, the topic.
    pub fn subscribed(&self) -> Vec<(Name, String, String)> {
        let running = self.running();
        let each = |(app, of): (&Name, &Running)| -> Vec<_> {
            let topics = of.topics.iter();
            topics
                .map(|(component, topic)| (app.clone(), component.to_string(), topic.clone()))
                .collect()
        };
        let mut all: Vec<_> = running.iter().flat_map(each).collect();
        all.sort();
        all
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Name, Running>> {
        self.running.lock()
    }

    async fn prepare(
        &self,
        app: &Arc<App>,
        subscription: Subscription,
        share: &Arc<Share>,
    ) -> Result<(Loop, Box<dyn Consumer>)> {
        let caller = host_caller(app, Trace::quiet());
        let (component, topic) = (&subscription.component, &subscription.topic);
        check_topic(topic)?;
        let grants = app.grants();
        if !grants.subscribe(component, topic) {
            return Err(Error::denied(format!(
                "app `{}` is not granted to subscribe to `{component}/{topic}`; \
                 add it to `grants: {{ subscribe: [{component}/{topic}] }}` at {}",
                app.id(),
                grants.source
            )));
        }
        let found = self.components.find(&caller, component)?;
        let found = found.component();
        allow(&found, Access::Subscribe, &caller, topic)?;
        if let Some(dead) = &subscription.dead_letter_topic {
            check_dead(dead, topic)?;
        }
        let default = subscription.default_route.as_deref();
        let routes = Routes::compile(&subscription.rules, default, share).await?;
        let (group, options) = group(app.id(), &found, &subscription)?;
        let consumer = found
            .call(&caller, SUBSCRIBE, |d| {
                d.driver.subscribe(topic, &group, options.clone())
            })
            .await?;
        let running = Loop {
            app: app.clone(),
            counts: app.meters().deliveries(component, topic),
            group,
            attempts: attempts(&subscription)?,
            raw: flag(&subscription, "rawPayload")?,
            strangers: Rate::per_minute(1),
            component: found,
            routes,
            subscription,
        };
        Ok((running, consumer))
    }
}

/// The host speaks to the broker for the app, so the app's scopes hold and its deadline does not.
fn host_caller(app: &App, trace: Trace) -> Call {
    Call::app(
        app.tenant().clone(),
        app.id().clone(),
        app.grants().clone(),
        trace,
        host_deadline(),
    )
}

impl Loop {
    fn of(&self) -> backlog::Of {
        backlog::Of {
            component: self.component.name().clone(),
            topic: self.subscription.topic.clone(),
            group: self.group.clone(),
        }
    }

    /// Pulls until the app's tasks stop; then waits for the events that are with the app, so that no verdict is lost.
    async fn run(self: Arc<Self>, consumer: Arc<dyn Consumer>, tasks: Tasks) {
        let stop = tasks.stopping();
        let permits = Arc::new(Semaphore::new(IN_FLIGHT));
        loop {
            let pulled = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                pulled = self.app.while_well(|| pull(&*consumer, &permits)) => pulled,
            };
            match pulled {
                Ok(batch) => self.start(batch, &consumer, &permits, &tasks, &stop),
                Err(error) => {
                    tracing::warn!(app = %self.app.id(), topic = self.subscription.topic, "pull: {}", error.chain());
                    if !time::pause(&stop, PAUSE).await {
                        break;
                    }
                }
            }
        }
        // The permits come back one by one as verdicts do.
        let _ = permits.acquire_many(IN_FLIGHT as u32).await;
    }

    fn start(
        self: &Arc<Self>,
        batch: Vec<Received>,
        consumer: &Arc<dyn Consumer>,
        permits: &Arc<Semaphore>,
        tasks: &Tasks,
        stop: &CancellationToken,
    ) {
        for received in batch {
            let Ok(permit) = permits.clone().try_acquire_owned() else {
                // A driver that gives more than it was asked for: it gets the rest back by its own means.
                tracing::error!(
                    topic = self.subscription.topic,
                    "the driver answered more than was asked for"
                );
                return;
            };
            let (running, consumer, stop) = (self.clone(), consumer.clone(), stop.clone());
            tasks.spawn(async move {
                running.deliver(received, &*consumer, &stop).await;
                drop(permit);
            });
        }
    }

    async fn deliver(&self, received: Received, consumer: &dyn Consumer, stop: &CancellationToken) {
        let topic = &self.subscription.topic;
        let seal = &self.component.driver().seal;
        let opened = event::open(seal, self.scope(topic), &received.message, self.raw);
        if opened.source.is_empty() {
            self.warn_of_stranger(&received.message);
        }
        let trace = opened.trace.unwrap_or_else(Trace::start);
        let verdict = async { Ok(self.verdict(trace, &received, opened, stop).await) };
        let verdict = panics::caught(Kind::Internal, || "the routing of an event".into(), verdict);
        let start = Instant::now();
        let verdict = verdict.await.unwrap_or(Verdict::Retry(None));
        let has_letters = self.subscription.dead_letter_topic.is_some();
        self.counts.count(&verdict, has_letters, start.elapsed());
        self.settle(trace, &received, verdict, consumer, stop).await;
    }

    /// Says that an event of another host, or of one that lost its key, has no source and no id here.
    fn warn_of_stranger(&self, message: &Message) {
        if !self.raw
            && seal::has_seal(message)
            && let Some(suppressed) = self.strangers.allows()
        {
            let (component, topic) = (&self.subscription.component, &self.subscription.topic);
            let tenant = self.app.tenant();
            tracing::warn!(
                app = %self.app.id(),
                suppressed,
                "events of `{component}/{topic}` are sealed with a key that this host does not have: they have no source and no id; where several hosts use one broker, give `{component}` of tenant `{tenant}` the same name and the same `sealKey` at each"
            );
        }
    }

    /// The handler may take all of its time; what is done with its verdict has time of its own.
    fn caller(&self, trace: Trace) -> Call {
        host_caller(&self.app, trace)
    }

    async fn verdict(
        &self,
        trace: Trace,
        received: &Received,
        opened: event::Opened,
        stop: &CancellationToken,
    ) -> Verdict {
        let topic = &self.subscription.topic;
        if opened.expired {
            return Verdict::DeadLetter("expired".into());
        }
        let routing = self.routes.route(&opened.event, &opened.source, topic);
        let route = match routing.await {
            Ok(Some(route)) => route,
            Ok(None) => return Verdict::DeadLetter(NO_ROUTE.into()),
            Err(error) => {
                tracing::warn!(app = %self.app.id(), topic, attempt = received.attempt, "route: {}", error.chain());
                return self.again(received.attempt, None);
            }
        };
        let delivery = Delivery {
            trace,
            component: self.subscription.component.clone(),
            topic: topic.clone(),
            route,
            event: opened.event,
            source: opened.source,
            time: opened.time,
            attempt: received.attempt,
        };
        match self.ask(delivery, stop).await {
            Ok(Verdict::Retry(after)) => self.again(received.attempt, after),
            Ok(verdict) => verdict,
            Err(error) => {
                tracing::warn!(app = %self.app.id(), topic, attempt = received.attempt, "on-event: {}", error.chain());
                let after = error.retry_after();
                // An app that was too busy to begin has not seen it, so it is not given up.
                match error.kind() {
                    Kind::Exhausted | Kind::Unavailable => Verdict::Retry(after),
                    _ => self.again(received.attempt, after),
                }
            }
        }
    }

    /// Asks the app, under the policies of the component's deliveries where it has some: an app that wants the event again
    /// is asked again by them, unless it says when.
    async fn ask(&self, delivery: Delivery, stop: &CancellationToken) -> Result<Verdict> {
        let inbound = self.component.inbound();
        let Some(guard) = inbound.guard(self.app.id()) else {
            return self.app.on_event(delivery).await;
        };
        let call = Guarded {
            stop: Some(stop),
            ..Guarded::new("on-event", Nature::Delivery, time::deadline(NEVER))
        };
        let attempt = |_| self.app.on_event(delivery.clone());
        let judge = |verdict: &Verdict| match verdict {
            Verdict::Retry(None) => Some(Failure::Again),
            _ => None,
        };
        Box::pin(inbound.run(&guard, call, attempt, judge)).await
    }

    fn again(&self, attempt: u32, after: Option<Duration>) -> Verdict {
        match self.attempts {
            Some(limit) if attempt >= limit => {
                Verdict::DeadLetter(format!("no success in {attempt} attempts"))
            }
            _ => Verdict::Retry(after),
        }
    }

    fn scope<'a>(&'a self, topic: &'a str) -> SealScope<'a> {
        SealScope {
            tenant: self.app.tenant().as_str(),
            component: self.component.name().as_str(),
            topic,
        }
    }
}

/// Waits for a permit, then for events, as many as there are permits.
async fn pull(consumer: &dyn Consumer, permits: &Semaphore) -> Result<Vec<Received>> {
    let permit = permits
        .acquire()
        .await
        .expect("the semaphore is never closed");
    let free = permits.available_permits() + 1;
    drop(permit);
    panics::caught(Kind::Internal, || "`pull`".into(), consumer.pull(free)).await
}

#[cfg(test)]
mod tests;
