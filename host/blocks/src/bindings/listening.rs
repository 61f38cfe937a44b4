//! The way of input to an app: one task per component reads the source, and each delivery is a call of the app.

use super::{Bindings, Configured, Delivery, Driver, Input, Sink};
use crate::{
    App, Backoff, Call, Component, Error, Kind, Origin, Result, Slot, Tasks, Trace, panics,
    resiliency::{Guarded, Nature},
    time::{self, NEVER},
};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::BTreeSet,
    future::Future,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use wythe_manifest::{ComponentName, Name};

/// The pause before a source that failed is read again; it doubles with each failure, up to the last.
const PAUSE: Backoff = Backoff::SLOW;
/// The time for inputs that an app has when it goes.
const GOING: Duration = Duration::from_secs(30);

/// The listener of a component, if it has one.
#[derive(Default)]
pub(super) struct Ears {
    listener: Mutex<Option<Listener>>,
    /// Held by whoever reads the source: the next waits until the last has finished what was under way.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Listener {
    app: Arc<App>,
    tasks: Tasks,
}

impl Ears {
    fn lock(&self) -> MutexGuard<'_, Option<Listener>> {
        self.listener.lock()
    }
}

/// A sink that hands a component's deliveries to whoever listens now.
pub(super) struct Listening(pub Arc<Component<Configured>>);

impl Listening {
    fn configured(&self) -> &Configured {
        self.0.driver()
    }

    /// The one that listens now. The guard does not outlive this.
    fn app(&self) -> Option<Arc<App>> {
        let listener = self.configured().ears.lock();
        listener.as_ref().map(|listener| listener.app.clone())
    }

    /// Delivers what came from `origin`; no attempt begins after `patience`, which is that of a sender who waits.
    pub async fn deliver_in(
        &self,
        origin: Origin<'_>,
        mut delivery: Delivery,
        patience: Duration,
    ) -> Result<Bytes> {
        let (name, max_bytes, size) = (self.0.name(), self.max_bytes(), delivery.data.len());
        if size as u64 > max_bytes {
            tracing::warn!(component = %name, "refused {size} bytes from the source; see `maxDataBytes: {max_bytes}`");
            return Err(Error::invalid(format!(
                "the data has {size} bytes; bindings component `{name}` delivers at most {max_bytes}; see `maxDataBytes`"
            )));
        }
        let Some(app) = self.app() else {
            return Err(Error::unavailable(format!(
                "no app listens to bindings component `{name}`"
            )));
        };
        if let Some(route) = &self.configured().settings.route {
            delivery.metadata.push(("route".into(), route.clone()));
        }
        let attempt = delivery.attempt;
        let component = name.to_string();
        let input = Input {
            component,
            delivery,
        };
        let answer = self.ask(&app, origin, input, patience).await;
        answer.inspect_err(|error| {
            tracing::warn!(component = %name, app = %app.id(), attempt, "on-input: {}", error.chain());
        })
    }

    /// Asks the app, under the policies of the component's deliveries where it has some.
    async fn ask(
        &self,
        app: &App,
        origin: Origin<'_>,
        input: Input,
        patience: Duration,
    ) -> Result<Bytes> {
        let inbound = self.0.inbound();
        let Some(guard) = inbound.guard(app.id()) else {
            return app.on_input(origin, input).await;
        };
        let stop = self.stop();
        let call = Guarded {
            stop: stop.as_ref(),
            ..Guarded::new("on-input", Nature::Delivery, time::deadline(patience))
        };
        // Each later attempt is a span below the first one.
        let mut attempts = 0;
        let attempt = |_| {
            let origin = match (origin, attempts) {
                (Origin::Span(first), 1..) => Origin::Trace(first),
                (origin, _) => origin,
            };
            attempts += 1;
            app.on_input(origin, input.clone())
        };
        Box::pin(inbound.run(&guard, call, attempt, |_| None)).await
    }

    /// Waits until the app that listens is well; false where nobody listens any more.
    async fn wait(&self, stop: &CancellationToken) -> bool {
        loop {
            let Some(app) = self.app() else { return true };
            tokio::select! {
                biased;
                () = stop.cancelled() => return false,
                is_well = app.well() => if is_well { return true },
            }
        }
    }

    /// Reads until the app that listens is not well.
    async fn until_ill<T>(&self, read: impl Future<Output = T>, turn: &CancellationToken) -> T {
        let mut read = pin!(read);
        if let Some(app) = self.app() {
            tokio::select! {
                biased;
                done = read.as_mut() => return done,
                () = app.ill() => turn.cancel(),
            }
        }
        read.await
    }

    /// The end of the one that listens now.
    fn stop(&self) -> Option<CancellationToken> {
        let listener = self.configured().ears.lock();
        listener.as_ref().map(|listener| listener.tasks.stopping())
    }
}

#[async_trait]
impl Sink for Listening {
    fn max_bytes(&self) -> u64 {
        self.configured().settings.max_bytes
    }

    async fn deliver(&self, delivery: Delivery) -> Result<Bytes> {
        self.deliver_in(Origin::start(), delivery, NEVER).await
    }
}

impl Bindings {
    /// Starts the input bindings that an app listens to, in place of those it had. Every problem is reported, and then
    /// nothing was started.
    pub async fn attach(&self, app: &Arc<App>, components: Vec<String>) -> Result<(), Vec<Error>> {
        let (mut ready, mut problems) = (Vec::new(), Vec::new());
        for name in BTreeSet::from_iter(components) {
            match self.prepare(app, &name) {
                Ok(component) => ready.push(component),
                Err(error) => problems.push(error),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        for old in self.silence(app.id()) {
            old.cancel();
        }
        for component in ready {
            let tasks = self.tasks.child();
            let listener = Listener {
                app: app.clone(),
                tasks: tasks.clone(),
            };
            *component.driver().ears.lock() = Some(listener);
            let sink = Arc::new(Listening(component));
            let stop = tasks.stopping();
            tasks.supervise(move || read(sink.clone(), stop.clone()));
        }
        Ok(())
    }

    fn prepare(&self, app: &App, name: &str) -> Result<Arc<Component<Configured>>> {
        let (tenant, grants) = (app.tenant(), app.grants());
        if !grants.listen(name) {
            return Err(Error::denied(format!(
                "app `{}` is not granted to listen to `{name}`; add it to `grants: {{ listen: [{name}] }}` at {}",
                app.id(),
                grants.source
            )));
        }
        let (id, trace) = (app.id().clone(), Trace::start());
        let caller = Call::app(tenant.clone(), id, grants.clone(), trace, Instant::now());
        let found = self.components.find(&caller, name)?.component();
        if !found.driver().settings.input {
            return Err(Error::unsupported(format!(
                "app `{}` listens to bindings component `{name}`, which delivers nothing: it is only an output",
                app.id()
            )));
        }
        let other = found.driver().ears.lock().clone();
        match other.filter(|listener| listener.app.id() != app.id()) {
            Some(listener) => Err(Error::conflict(format!(
                "app `{}` listens to bindings component `{name}`, to which app `{}` listens; expected one listener, \
                 so give each a component of its own",
                app.id(),
                listener.app.id()
            ))),
            None => Ok(found),
        }
    }

    /// Ends what an app listens to, and waits for what it has under way.
    pub(crate) async fn detach(&self, app: &Name) {
        for old in self.silence(app) {
            old.stop(GOING).await;
        }
    }

    /// The app that listens to a component.
    pub(crate) fn user(&self, component: &ComponentName) -> Option<Name> {
        let found = self.components.of(component)?.component();
        let listener = found.driver().ears.lock();
        listener.as_ref().map(|listener| listener.app.id().clone())
    }

    /// Takes what an app listens to from it: the tasks that read, which are to end.
    fn silence(&self, app: &Name) -> Vec<Tasks> {
        let is_its = |old: &mut Listener| old.app.id() == app;
        let taken = |slot: Arc<Slot<Configured>>| {
            let component = slot.component();
            let old = component.driver().ears.lock().take_if(is_its);
            old.map(|old| old.tasks)
        };
        let all = self.components.all();
        all.into_iter().filter_map(taken).collect()
    }
}

/// Reads until `stop`. A source that fails is read again after a pause.
async fn read(sink: Arc<Listening>, stop: CancellationToken) {
    let component = sink.0.clone();
    let driver: &dyn Driver = &*component.driver().driver;
    let _turn = component.driver().ears.reading.lock().await;
    let mut pause = PAUSE;
    while !stop.is_cancelled() {
        let turn = stop.child_token();
        if !sink.wait(&stop).await {
            return;
        }
        let began = Instant::now();
        let read = driver.read(sink.clone(), turn.clone());
        let read = panics::caught(Kind::Internal, || "`read`".into(), read);
        match sink.until_ill(read, &turn).await {
            Ok(()) if stop.is_cancelled() => return,
            // The app is not well.
            Ok(()) if turn.is_cancelled() => continue,
            Ok(()) => {
                tracing::warn!(component = %component.name(), "the source ended; it is read again")
            }
            Err(error) => {
                tracing::warn!(component = %component.name(), "read: {}", error.chain());
            }
        }
        if began.elapsed() > PAUSE.last() {
            pause.reset();
        }
        if !time::pause(&stop, pause.fail()).await {
            return;
        }
    }
}
