//! An input that comes by the clock: never early, never twice at once, and what was missed is skipped.

use super::schedule::Schedule;
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Result, Site, Wrong,
    bindings::{Delivery, Driver, Features, Sink},
};

/// The clock may be set while we sleep, so we look at it again this often.
const NAP: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// `@every 5s`, five or six fields, or a word such as `@daily`.
    schedule: String,
    /// Default UTC.
    time_zone: Option<String>,
}

pub(super) fn parse(config: Config) -> Result<Schedule, Wrong> {
    let zone = config.time_zone.as_deref();
    let parsed = Schedule::parse(&config.schedule, zone, Utc::now());
    parsed.map_err(|error| Wrong::new("schedule", error))
}

pub(super) async fn open(schedule: Schedule, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Clock(schedule)))
}

struct Clock(Schedule);

#[async_trait]
impl Driver for Clock {
    fn features(&self) -> Features {
        Features {
            operations: Vec::new(),
            input: true,
            redelivers: false,
            secrets: false,
        }
    }

    async fn read(&self, sink: Arc<dyn Sink>, stop: CancellationToken) -> Result<()> {
        let mut last = Utc::now();
        // A schedule may end, as one of years does; then there is nothing more to say.
        while let Some(due) = self.0.after(last.max(Utc::now())) {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = until(due) => {}
            }
            last = due;
            // What an app makes of it is in the log; the next comes at its time.
            let _ = sink.deliver(delivery(due)).await;
        }
        stop.cancelled().await;
        Ok(())
    }
}

async fn until(due: DateTime<Utc>) {
    while let Ok(left) = (due - Utc::now()).to_std()
        && !left.is_zero()
    {
        tokio::time::sleep(left.min(NAP)).await;
    }
}

fn delivery(due: DateTime<Utc>) -> Delivery {
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    Delivery {
        data: Bytes::new(),
        metadata: vec![
            ("timestamp".into(), text(due)),
            ("readTimeUTC".into(), text(Utc::now())),
        ],
        attempt: 1,
    }
}
