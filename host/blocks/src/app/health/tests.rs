//! Checks on a stopped clock: what falls ill and gets well, when it is asked, and what is refused meanwhile.

use super::*;
use crate::{Call, Callee, Exports, Metrics, Origin, Profile, invocation, jobs::Occurrence};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst};

/// The status that never comes.
const SILENCE: u16 = 0;
/// The status of a host without room.
const NO_ROOM: u16 = 1;

/// Code whose health is what a test says.
struct Moody {
    status: AtomicU16,
    asked: AtomicUsize,
    at_once: AtomicUsize,
    jobs: AtomicUsize,
    has_handler: bool,
}

#[async_trait]
impl Callee for Moody {
    fn exports(&self) -> Exports {
        Exports {
            invocation: self.has_handler,
            ..Exports::default()
        }
    }

    async fn invoke(&self, call: Call, asked: invocation::Request) -> Result<invocation::Response> {
        assert_eq!(
            (asked.method.as_str(), asked.path.as_str()),
            ("GET", "/healthz")
        );
        assert!(!call.trace().sampled && call.parent().is_none());
        self.asked.fetch_add(1, SeqCst);
        self.at_once.fetch_add(1, SeqCst);
        let _here = Here(&self.at_once);
        match self.status.load(SeqCst) {
            SILENCE => std::future::pending().await,
            NO_ROOM => Err(Error::exhausted("no instance is free")),
            status => Ok(invocation::Response {
                status,
                headers: Vec::new(),
                body: Bytes::new(),
            }),
        }
    }

    async fn run_job(&self, _: Call, _: Occurrence) -> Result<()> {
        self.jobs.fetch_add(1, SeqCst);
        Ok(())
    }
}

struct Here<'a>(&'a AtomicUsize);

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

fn app(status: u16, has_handler: bool) -> (Arc<App>, Arc<Moody>) {
    let code = Arc::new(Moody {
        status: status.into(),
        asked: AtomicUsize::new(0),
        at_once: AtomicUsize::new(0),
        jobs: AtomicUsize::new(0),
        has_handler,
    });
    let profile = Profile {
        health: Some(HealthCheck::default()),
        ..Profile::new("shop".parse().unwrap(), "cart".parse().unwrap())
    };
    (App::new(profile, code.clone()), code)
}

async fn job(app: &App) -> Result<()> {
    let occurrence = Occurrence {
        name: "job".into(),
        id: "1".into(),
        due: 0,
        attempt: 1,
        data: Bytes::new(),
    };
    app.run_job(Origin::start(), occurrence).await
}

#[tokio::test]
async fn an_app_is_not_asked_before_it_was_found_well() {
    let (app, code) = app(200, true);
    assert_eq!(app.health(), Health::Starting(None));
    let refused = job(&app).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable);
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(5)));
    assert!(
        refused
            .message()
            .starts_with("app `cart` has not been found well yet: see `health` at ")
    );
    app.look().await;
    assert_eq!(app.health(), Health::Well);
    job(&app).await.unwrap();
    assert_eq!((code.jobs.load(SeqCst), app.looks()), (1, Some([1, 0])));
}

#[tokio::test]
async fn an_app_has_refused_what_it_had_no_room_for_or_was_not_well_for() {
    let (app, _) = app(200, true);
    let errors = [
        Error::exhausted("busy"),
        Error::unavailable("no server"),
        Error::internal("a trap"),
    ];
    let refused = |app: &App| errors.each_ref().map(|error| app.has_refused(error));
    assert_eq!(refused(&app), [true, true, false]);
    app.look().await;
    // The error of a well app is that of its code.
    assert_eq!(refused(&app), [true, false, false]);
}

#[tokio::test]
async fn three_failures_in_a_row_are_an_illness_and_one_answer_heals() {
    let (app, code) = app(204, true);
    app.look().await;
    code.status.store(503, SeqCst);
    for _ in 0..2 {
        app.look().await;
        assert_eq!(app.health(), Health::Well);
    }
    // One answer between them, and it begins anew.
    code.status.store(299, SeqCst);
    app.look().await;
    code.status.store(300, SeqCst);
    for _ in 0..2 {
        app.look().await;
        assert_eq!(app.health(), Health::Well);
    }
    app.look().await;
    assert_eq!(app.health(), Health::Ill("it answered 300".into()));
    assert!(
        job(&app)
            .await
            .unwrap_err()
            .message()
            .starts_with("app `cart` is not well: ")
    );
    code.status.store(200, SeqCst);
    app.look().await;
    assert_eq!(app.health(), Health::Well);
    job(&app).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_app_that_does_not_answer_is_asked_once_at_a_time_and_in_its_time() {
    let (app, code) = app(SILENCE, true);
    let tasks = Tasks::default();
    app.watch_health(None, &tasks);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(code.at_once.load(SeqCst), 1);
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The look is over, and so is the call.
    assert_eq!((code.at_once.load(SeqCst), code.asked.load(SeqCst)), (0, 1));
    let reason = || "no answer within 500ms".to_owned();
    assert_eq!(app.health(), Health::Starting(Some(reason())));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(code.asked.load(SeqCst), 3);
    assert_eq!(app.health(), Health::Ill(reason()));
    app.end_health();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(code.asked.load(SeqCst), 3);
    // It comes back where a change is taken back, and is looked at again, once at a time.
    code.status.store(200, SeqCst);
    app.watch_health(None, &tasks);
    app.watch_health(None, &tasks);
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!((app.health(), code.asked.load(SeqCst)), (Health::Well, 6));
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_the_place_of_a_well_app_is_well() {
    let ((old, _), (new, code)) = (app(200, true), app(503, true));
    old.look().await;
    let tasks = Tasks::default();
    new.watch_health(Some(&old), &tasks);
    assert_eq!(new.health(), Health::Well);
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(new.health(), Health::Ill("it answered 503".into()));
    assert_eq!(code.asked.load(SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_an_app_that_is_gone_does_not_spin() {
    let (app, _) = app(500, true);
    app.end_health();
    let begin = tokio::time::Instant::now();
    for _ in 0..10 {
        assert!(!app.well().await);
    }
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_host_without_room_says_nothing_of_the_app() {
    let (app, code) = app(200, true);
    app.look().await;
    code.status.store(NO_ROOM, SeqCst);
    for _ in 0..5 {
        app.look().await;
    }
    assert_eq!((app.health(), app.looks()), (Health::Well, Some([1, 0])));
}

#[tokio::test(start_paused = true)]
async fn work_is_left_while_an_app_is_ill_and_done_anew_when_it_is_well() {
    let (app, code) = app(500, true);
    for _ in 0..3 {
        app.look().await;
    }
    let begun = Arc::new(AtomicUsize::new(0));
    let (of, count) = (app.clone(), begun.clone());
    let tasks = Tasks::default();
    tasks.spawn(async move {
        let work = || async {
            if count.fetch_add(1, SeqCst) == 0 {
                std::future::pending::<()>().await;
            }
        };
        of.while_well(work).await;
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(begun.load(SeqCst), 0);
    for (status, looks, expected) in [(200, 1, 1), (500, 3, 1), (200, 1, 2)] {
        code.status.store(status, SeqCst);
        for _ in 0..looks {
            app.look().await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(begun.load(SeqCst), expected);
    }
    assert_eq!(tasks.count(), 0);
}

#[tokio::test]
async fn whoever_waits_for_an_app_that_goes_waits_no_longer() {
    let (app, _) = app(500, true);
    let of = app.clone();
    let (waits, ends) = (of.well(), async { app.end_health() });
    tokio::join!(waits, ends);
}

#[test]
fn a_check_that_nobody_can_answer_is_refused() {
    assert!(app(200, true).0.check_probe().is_ok());
    let error = app(200, false).0.check_probe().unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.message().contains("export `wasi:http/handler`"));
}

#[tokio::test]
async fn a_look_is_in_the_metrics_and_takes_no_permit() {
    let (app, _) = app(200, true);
    let metrics = Metrics::default();
    metrics.watch(&app.metrics);
    let all = app.limits().concurrency;
    let _permits = app.permits.acquire_many(all).await.unwrap();
    app.look().await;
    let line =
        "wythe_app_calls_total{tenant=\"shop\",app=\"cart\",kind=\"health\",outcome=\"ok\"} 1\n";
    assert!(metrics.render().contains(line));
}
