//! Components that take the place of others, and go, while calls are under way.

use super::*;
use crate::{Kind, Metrics, time};
use parking_lot::Mutex;
use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::Duration,
};
use tokio::sync::Semaphore;

const ASK: Operation = Operation::idempotent(0, "ask");
const COMPONENT: &str = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: one }\nspec: { type: state.test, version: v1 }\n";

/// A driver that answers with its name, once it may.
struct Named {
    name: &'static str,
    gate: Semaphore,
    is_closed: AtomicBool,
}

#[async_trait]
impl Close for Named {
    async fn close(&self) -> Result<()> {
        self.is_closed.store(true, SeqCst);
        Ok(())
    }
}

fn named(name: &'static str, permits: usize) -> Arc<Named> {
    Arc::new(Named {
        name,
        gate: Semaphore::new(permits),
        is_closed: AtomicBool::new(false),
    })
}

fn put(components: &Components<Named>, driver: &Arc<Named>) {
    let (resources, problems) = wythe_manifest::parse_resources(COMPONENT, "c.yaml".as_ref());
    assert!(problems.is_empty(), "{problems}");
    let component = Component::new(
        &"t".parse().unwrap(),
        "state",
        &[ASK],
        &resources.components[0],
        driver.clone(),
    );
    components.insert(&Metrics::default(), component);
}

fn caller() -> Call {
    let name = |text: &str| text.parse().unwrap();
    Call::operator(
        name("t"),
        name("app"),
        time::deadline(Duration::from_secs(9)),
    )
}

async fn ask(slot: &Slot<Named>) -> Result<&'static str> {
    let caller = caller();
    let component = slot.enter(&caller).await?;
    let answer = component.call(&caller, ASK, |d| async {
        let _permit = d.gate.acquire().await.expect("it is open");
        assert!(!d.is_closed.load(SeqCst), "a call of a closed driver");
        Ok(d.name)
    });
    answer.await
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the test waits for it")]
async fn a_handle_uses_what_takes_the_place_of_its_component_from_the_next_call_on() {
    let components = Arc::new(Components::new("state"));
    let (first, second) = (named("first", 0), named("second", 1));
    put(&components, &first);
    let slot = components.find(&caller(), "one").unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let call = |what: &'static str| {
        let (slot, order) = (slot.clone(), order.clone());
        tokio::spawn(async move {
            let answer = ask(&slot).await.unwrap();
            order.lock().push((what, answer));
        })
    };
    let under_way = call("under way");
    tokio::task::yield_now().await;
    let vacating = tokio::spawn({
        let components = components.clone();
        async move { components.vacate(&"one".parse().unwrap()).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let waits = call("waits");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!first.is_closed.load(SeqCst), "a call of it is under way");
    first.gate.add_permits(1);
    assert!(vacating.await.unwrap());
    under_way.await.unwrap();
    assert!(first.is_closed.load(SeqCst));
    assert!(!waits.is_finished());
    put(&components, &second);
    waits.await.unwrap();
    let expected = [("under way", "first"), ("waits", "second")];
    assert_eq!(*order.lock(), expected);
    assert!(!second.is_closed.load(SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_no_longer_than_its_deadline_and_finds_nothing_where_the_component_is_gone() {
    let components = Components::new("state");
    let only = named("only", 1);
    put(&components, &only);
    let slot = components.find(&caller(), "one").unwrap();
    let name = "one".parse().unwrap();
    assert!(components.vacate(&name).await);
    let error = ask(&slot).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (
            Kind::Unavailable,
            "component `one` is being replaced; try again"
        )
    );
    assert!(components.remove(&name).await);
    assert!(!components.remove(&name).await);
    let error = ask(&slot).await.unwrap_err();
    assert_eq!(error.message(), "no state component `one` for app `app`");
    assert!(components.find(&caller(), "one").is_err());
}

#[tokio::test(start_paused = true)]
async fn a_place_whose_component_could_not_be_opened_waits_for_one_and_calls_do_not() {
    let components = Components::new("state");
    let (first, second) = (named("first", 1), named("second", 1));
    put(&components, &first);
    let slot = components.find(&caller(), "one").unwrap();
    let name = "one".parse().unwrap();
    assert!(components.vacate(&name).await);
    components.break_off(&name);
    let error = ask(&slot).await.unwrap_err();
    let reported = "component `one` could not be opened again after a change; the log says why";
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Unavailable, reported)
    );
    let unwell = components.unwell().await;
    assert_eq!(unwell.len(), 1, "the operator is told");
    put(&components, &second);
    assert_eq!(ask(&slot).await.unwrap(), "second");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_ends_does_not_keep_its_component_for_ever() {
    let components = Components::new("state");
    let stuck = named("stuck", 0);
    put(&components, &stuck);
    let slot = components.find(&caller(), "one").unwrap();
    let caller = caller();
    let held = slot.enter(&caller).await.unwrap();
    assert!(components.remove(&"one".parse().unwrap()).await);
    assert!(stuck.is_closed.load(SeqCst));
    drop(held);
}
