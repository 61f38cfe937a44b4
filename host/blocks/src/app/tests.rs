//! The stages of a call, over code that does what a test wants: it never ends, or holds its place.

use super::*;
use crate::{jobs::Occurrence, pubsub, workflow};
use async_trait::async_trait;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Code whose calls never end.
#[derive(Default)]
struct Endless {
    begun: AtomicUsize,
}

#[async_trait]
impl Callee for Endless {
    fn exports(&self) -> Exports {
        Exports::default()
    }

    async fn run_job(&self, _: Call, _: Occurrence) -> Result<()> {
        self.begun.fetch_add(1, SeqCst);
        std::future::pending().await
    }

    async fn subscriptions(&self, _: Call) -> Result<Vec<pubsub::Subscription>> {
        self.begun.fetch_add(1, SeqCst);
        std::future::pending().await
    }

    async fn run_workflow(
        &self,
        _: Call,
        _: workflow::Context,
        _: String,
        _: Bytes,
    ) -> Result<Result<Bytes, String>> {
        self.begun.fetch_add(1, SeqCst);
        std::future::pending().await
    }
}

fn app() -> (Arc<App>, Arc<Endless>) {
    let limits = Limits {
        concurrency: 1,
        wall_time: Duration::from_secs(10),
        ..Limits::default()
    };
    let profile = Profile {
        limits,
        ..Profile::new("tenant".parse().unwrap(), "app".parse().unwrap())
    };
    let callee = Arc::new(Endless::default());
    (App::new(profile, callee.clone()), callee)
}

fn occurrence() -> Occurrence {
    Occurrence {
        name: "job".into(),
        id: "1".into(),
        due: 0,
        attempt: 1,
        data: Bytes::new(),
    }
}

fn counted(app: &App, outcome: &str) -> bool {
    let metrics = crate::Metrics::default();
    metrics.watch(&app.metrics);
    let line = format!("kind=\"job\",outcome=\"{outcome}\"}} 1\n");
    metrics.render().contains(&line)
}

#[tokio::test(start_paused = true)]
async fn code_that_does_not_end_its_call_is_cut_off() {
    let (app, _) = app();
    let begin = tokio::time::Instant::now();
    let reported = app
        .run_job(Origin::start(), occurrence())
        .await
        .unwrap_err();
    assert_eq!(
        (reported.kind(), reported.message()),
        (
            Kind::Timeout,
            "`app` did not answer in time; see `limits.wallTime`"
        )
    );
    assert_eq!(begin.elapsed().as_secs(), 11);
    assert!(counted(&app, "timeout"));
    // Its place is free again, and a question of the host ends as well.
    app.subscriptions().await.unwrap_err();
    assert_eq!(app.permits.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_its_place_no_longer_than_for_the_answer() {
    let (app, callee) = app();
    let first = app.run_job(Origin::start(), occurrence());
    let second = app.run_job(Origin::start(), occurrence());
    let (_, reported) = tokio::join!(biased; first, second);
    let reported = reported.unwrap_err();
    assert_eq!(
        (reported.kind(), reported.message(), reported.retry_after()),
        (
            Kind::Exhausted,
            "app `app` is busy with 1 calls; see `limits.concurrency`",
            Some(BUSY)
        )
    );
    assert_eq!(callee.begun.load(SeqCst), 1);
    assert!(counted(&app, "exhausted") && counted(&app, "timeout"));
}

#[tokio::test(start_paused = true)]
async fn a_place_comes_back_when_its_caller_leaves() {
    let (app, callee) = app();
    for _ in 0..3 {
        let asked = app.run_job(Origin::start(), occurrence());
        let left = tokio::time::timeout(Duration::from_secs(1), asked).await;
        assert!(left.is_err());
    }
    assert_eq!(callee.begun.load(SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_workflow_has_neither_place_nor_deadline() {
    let (app, callee) = app();
    let year = Duration::from_secs(365 * 86_400);
    let run = || {
        let context = workflow::Context::empty();
        app.run_workflow(Trace::start(), context, "w".into(), Bytes::new())
    };
    let both = async { tokio::join!(run(), run()) };
    assert!(tokio::time::timeout(year, both).await.is_err());
    assert_eq!(callee.begun.load(SeqCst), 2);
}

/// Parts over 1 KiB are slow to allocate, and leave holes between what stays.
#[tokio::test]
async fn no_part_of_a_call_is_over_a_kibibyte() {
    let (app, _) = app();
    let (tenant, id) = ("tenant".parse().unwrap(), "app".parse().unwrap());
    let call = Call::operator(tenant, id, time::deadline(BUSY));
    let request = || crate::invocation::Request {
        method: String::new(),
        path: String::new(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    let (job, asked) = (occurrence(), request());
    let run_job = async |callee: &dyn Callee, call, _| callee.run_job(call, job).await;
    let invoke = async |callee: &dyn Callee, call, _| callee.invoke(call, asked).await;
    let boxed = [
        size_of_val(&app.run(Inbound::Job, (call.clone(), None), run_job)),
        size_of_val(&app.run(Inbound::Invocation, (call.clone(), None), invoke)),
    ];
    let outer = [
        size_of_val(&app.run_job(Origin::start(), occurrence())),
        size_of_val(&app.invoke(&call, request())),
        size_of_val(&app.subscriptions()),
    ];
    assert!(boxed.iter().all(|size| *size < 1_024), "{boxed:?}");
    assert!(outer.iter().all(|size| *size < 512), "{outer:?}");
}
