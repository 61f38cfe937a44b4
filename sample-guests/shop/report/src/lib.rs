//! Counts the orders of each day as they are placed, and writes a report every night: a job that it schedules itself.
mod day;

use serde::{Deserialize, Serialize};
use wythe_sdk::jobs::{self, Job, Occurrence};
use wythe_sdk::pubsub::{Delivery, Subscriber, Subscription, Verdict};
use wythe_sdk::state::{PutOptions, Store};
use wythe_sdk::{Error, Kind, Result, http};

/// The time when the night's report is written, unless the variable `REPORT_AT` says otherwise: 02:00:00 in the shop's
/// time zone.
const NIGHTLY: &str = "0 0 2 * * *";
const TIME_ZONE: &str = "Europe/Berlin";

struct Report;

#[derive(Deserialize)]
struct Order {
    id: String,
    total: u64,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Day {
    orders: u64,
    /// The sum in cents.
    total: u64,
}

/// The report that a night's run wrote.
#[derive(Debug, Deserialize, Serialize)]
struct Written {
    due: u64,
    days: Vec<(String, Day)>,
}

impl Subscriber for Report {
    fn subscriptions() -> Vec<Subscription> {
        vec![Subscription::to("pubsub", "checkout")]
    }

    fn on_event(event: Delivery) -> Verdict {
        count(&event).and_then(|()| schedule()).into()
    }
}

/// Counts each order once, however often its event comes: the mark and the sums change together.
fn count(event: &Delivery) -> Result<()> {
    let order: Order = event.json()?;
    let store = Store::open("statestore")?;
    let day = format!("day/{}", day::of(event.time));
    for _ in 0..20 {
        match count_once(&store, &day, &order) {
            Err(error) if error.kind() == Kind::Conflict => {
                if store.get(&format!("counted/{}", order.id))?.is_some() {
                    return Ok(());
                }
            }
            result => return result,
        }
    }
    Err(Error::unavailable("too many orders at once"))
}

fn count_once(store: &Store, day: &str, order: &Order) -> Result<()> {
    let old = store.get(day)?;
    let mut sums: Day = old
        .as_ref()
        .map(|entry| entry.json())
        .transpose()?
        .unwrap_or_default();
    sums.orders += 1;
    sums.total += order.total;
    let options = match &old {
        Some(entry) => PutOptions::new().if_match(&entry.etag),
        None => PutOptions::new().if_absent(),
    };
    let counted = format!("counted/{}", order.id);
    let transaction = wythe_sdk::state::Transaction::new()
        .put_with(&counted, "1", PutOptions::new().if_absent())
        .put_with(day, serde_json::to_vec(&sums)?, options);
    store.transact(transaction).map(drop)
}

/// The first order of all schedules the job; that it is scheduled already is fine.
fn schedule() -> Result<()> {
    let at = std::env::var("REPORT_AT").unwrap_or_else(|_| NIGHTLY.to_owned());
    let job = Job::cron("nightly-report", &at).time_zone(TIME_ZONE);
    match jobs::schedule(&job) {
        Err(error) if error.kind() == Kind::Conflict => Ok(()),
        result => result,
    }
}

impl jobs::Runner for Report {
    fn run(occurrence: Occurrence) -> Result<()> {
        let store = Store::open("statestore")?;
        let mut days = Vec::new();
        for entry in store.list("day/") {
            let (key, entry) = entry?;
            days.push((key.trim_start_matches("day/").to_owned(), entry.json()?));
        }
        let due = occurrence.due;
        wythe_sdk::info!("the report of {} has {} days", day::of(due), days.len());
        // The occurrence's own key: a run that comes twice writes the same report again.
        store
            .put_json(&format!("report/{}", occurrence.id), &Written { due, days })
            .map(drop)
    }
}

impl http::Handler for Report {
    fn handle(request: http::Request) -> Result<http::Response> {
        if (request.method(), request.path()) != ("GET", "/reports") {
            return Err(Error::not_found(format!(
                "there is no {} {}",
                request.method(),
                request.path()
            )));
        }
        let mut reports = Vec::new();
        for entry in Store::open("statestore")?.list("report/") {
            reports.push(entry?.1.json::<Written>()?);
        }
        http::Response::json(&reports)
    }
}

wythe_sdk::serve!(Report);
wythe_sdk::subscribe!(Report);
wythe_sdk::run_jobs!(Report);
