//! A driver of the jobs block that is a plugin.

use super::plugged::{Effect, Plugged, world};
use crate::{bindings::plugin::exports::wythe::plugin::jobs_driver as wit, wit::milliseconds};
use async_trait::async_trait;
use std::{collections::HashSet, sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Result,
    jobs::{Driver, Features, MAX_DATA, MAX_FAILURE, Page, Row, Settle, Timestamp, check_name},
};

world! { JobsWorld: jobs_driver, "wythe:plugin/jobs-plugin@0.1.0" }

struct JobsDriver {
    plugged: Arc<Plugged<JobsWorld>>,
    features: Features,
}

pub async fn open(plugged: Arc<Plugged<JobsWorld>>) -> Result<Arc<dyn Driver>> {
    let features = plugged
        .run(Effect::Reads, |driver, store, _| {
            Box::pin(async move { Ok(driver.call_describe(store).await?) })
        })
        .await?;
    Ok(Arc::new(JobsDriver {
        plugged,
        features: Features {
            durable: features.durable,
            // The interface of plugins has no question for it.
            counted: false,
        },
    }))
}

impl JobsDriver {
    /// A row that was put into the driver some day, or could have been.
    fn row(&self, app: &str, row: wit::Row) -> Result<Row> {
        if row.app != app {
            return Err(self.plugged.violation("answered with a row of another app"));
        }
        if check_name(&row.job.name).is_err() {
            return Err(self
                .plugged
                .violation("answered with a row that has no good name"));
        }
        if row.job.data.len() > MAX_DATA {
            return Err(self
                .plugged
                .violation("answered with a row that has more than 64 KiB of data"));
        }
        if row
            .failure
            .as_ref()
            .is_some_and(|text| text.len() > MAX_FAILURE)
        {
            return Err(self
                .plugged
                .violation("answered with a row whose failure is longer than 1 KiB"));
        }
        Ok(row.into())
    }

    fn rows(&self, app: &str, rows: Vec<wit::Row>, limit: u32) -> Result<Vec<Row>> {
        if rows.len() > limit as usize {
            return Err(self
                .plugged
                .violation("answered with more rows than asked for"));
        }
        rows.into_iter().map(|row| self.row(app, row)).collect()
    }

    fn page(&self, asked: &Asked, page: wit::Page) -> Result<Page> {
        let rows = self.rows(&asked.app, page.rows, asked.limit)?;
        let mut before = asked.cursor.as_deref();
        for row in &rows {
            let name = row.job.name.as_str();
            if !name.starts_with(&asked.prefix) || before.is_some_and(|before| name <= before) {
                let what = "answered `list` with names that are out of order or not asked for";
                return Err(self.plugged.violation(what));
            }
            before = Some(name);
        }
        let last = rows.last().map(|row| row.job.name.as_str());
        if page.next.is_some() && page.next.as_deref() != last {
            return Err(self
                .plugged
                .violation("answered `list` with a cursor that is not the last name of the page"));
        }
        let next = page.next;
        Ok(Page { rows, next })
    }

    /// Checks that the rows are due by now, in order, and each once.
    fn taken(&self, rows: &[Row], until: Timestamp) -> Result<()> {
        let mut names = HashSet::new();
        let is_due = |row: &Row| row.wake.is_some_and(|wake| wake <= until);
        if !rows.iter().all(is_due) {
            return Err(self
                .plugged
                .violation("answered `take` with a row that is not due"));
        }
        if !rows.is_sorted_by_key(|row| row.wake) {
            return Err(self
                .plugged
                .violation("answered `take` with rows out of order"));
        }
        if !rows.iter().all(|row| names.insert(&row.job.name)) {
            return Err(self.plugged.violation("answered `take` with a row twice"));
        }
        Ok(())
    }

    async fn list_now(&self, asked: Asked) -> Result<wit::Page> {
        self.plugged
            .run(Effect::Reads, move |driver, store, _| {
                Box::pin(async move {
                    let cursor = asked.cursor.as_deref();
                    Ok(driver
                        .call_list(store, &asked.app, &asked.prefix, cursor, asked.limit)
                        .await??)
                })
            })
            .await
    }

    async fn settle_now(&self, changes: Vec<Settle>) -> Result<Vec<Result<()>>> {
        let count = changes.len();
        let changes: Vec<wit::Change> = changes.into_iter().map(Into::into).collect();
        let answers = self
            .plugged
            .run(Effect::Writes, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_settle(store, &changes).await?) })
            })
            .await?;
        if answers.len() != count {
            return Err(self
                .plugged
                .violation("answered `settle` with another number of results"));
        }
        let answers = answers.into_iter();
        Ok(answers.map(|answer| answer.map_err(Into::into)).collect())
    }
}

/// The question to `list`, to hold the answer against.
#[derive(Clone)]
struct Asked {
    app: String,
    prefix: String,
    cursor: Option<String>,
    limit: u32,
}

#[async_trait]
impl Driver for JobsDriver {
    fn features(&self) -> Features {
        self.features
    }

    async fn put(&self, row: Row, overwrite: bool) -> Result<()> {
        self.plugged
            .run(Effect::Writes, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_put(store, &row.into(), overwrite).await??) })
            })
            .await
    }

    async fn get(&self, app: &str, name: &str) -> Result<Option<Row>> {
        let (of, wanted) = (app.to_owned(), name.to_owned());
        let answer = self
            .plugged
            .run(Effect::Reads, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_get(store, &of, &wanted).await??) })
            })
            .await?;
        let row = answer.map(|row| self.row(app, row)).transpose()?;
        if row.as_ref().is_some_and(|row| row.job.name != name) {
            return Err(self.plugged.violation("answered `get` with another job"));
        }
        Ok(row)
    }

    async fn delete(&self, app: &str, name: &str) -> Result<()> {
        let (app, name) = (app.to_owned(), name.to_owned());
        self.plugged
            .run(Effect::Writes, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_delete(store, &app, &name).await??) })
            })
            .await
    }

    async fn list(
        &self,
        app: &str,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page> {
        let asked = Asked {
            app: app.to_owned(),
            prefix: prefix.to_owned(),
            cursor: cursor.map(str::to_owned),
            limit,
        };
        let page = self.list_now(asked.clone()).await?;
        self.page(&asked, page)
    }

    async fn take(
        &self,
        app: &str,
        until: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<Row>> {
        let of = app.to_owned();
        let answer = self
            .plugged
            .run(Effect::Writes, move |driver, store, _| {
                Box::pin(async move {
                    let lease = milliseconds(lease);
                    Ok(driver.call_take(store, &of, until, limit, lease).await??)
                })
            })
            .await?;
        let rows = self.rows(app, answer, limit)?;
        self.taken(&rows, until)?;
        Ok(rows)
    }

    async fn next(&self, app: &str) -> Result<Option<Timestamp>> {
        let app = app.to_owned();
        self.plugged
            .run(Effect::Reads, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_next(store, &app).await??) })
            })
            .await
    }

    async fn settle(&self, changes: Vec<Settle>) -> Vec<Result<()>> {
        let count = changes.len();
        self.settle_now(changes)
            .await
            .unwrap_or_else(|error: Error| {
                let all = || Err(error.duplicate());
                std::iter::repeat_with(all).take(count).collect()
            })
    }
}

impl From<Row> for wit::Row {
    fn from(row: Row) -> Self {
        wit::Row {
            app: row.app,
            job: row.job.into(),
            incarnation: row.incarnation,
            version: row.version,
            due: row.due,
            wake: row.wake,
            attempts: row.attempts,
            paused: row.paused,
            occurrences: row.occurrences,
            failure: row.failure,
        }
    }
}

impl From<wit::Row> for Row {
    fn from(row: wit::Row) -> Self {
        Row {
            app: row.app,
            job: row.job.into(),
            incarnation: row.incarnation,
            version: row.version,
            due: row.due,
            wake: row.wake,
            attempts: row.attempts,
            paused: row.paused,
            occurrences: row.occurrences,
            failure: row.failure,
        }
    }
}

impl From<Settle> for wit::Change {
    fn from(change: Settle) -> Self {
        wit::Change {
            app: change.app,
            name: change.name,
            version: change.version,
            row: change.row.map(Into::into),
        }
    }
}
