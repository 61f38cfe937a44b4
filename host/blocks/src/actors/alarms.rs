//! The alarms that a turn sets for its actor: timers and reminders.

use super::{
    core::names,
    core::record::{Binary, Reminder},
    core::staged::{Reset, Timer},
    store::rows,
    turn::Turn,
};
use crate::{
    Call, Error, Key, Result,
    time::{milliseconds, now},
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// Bytes of a timer's or a reminder's data.
pub const MAX_ALARM: usize = 64 << 10;

impl Turn {
    pub fn set_timer(
        &self,
        caller: &Call,
        name: &str,
        due: Duration,
        period: Option<Duration>,
        data: Bytes,
    ) -> Result<()> {
        names::check("timer", name)?;
        check_alarm(name, period, &data)?;
        self.check_timer(name)?;
        let bytes = name.len() + data.len();
        let held = caller.account().map(|account| account.take(bytes));
        let timer = Timer {
            due,
            period,
            data,
            trace: caller.trace(),
            _held: held.transpose()?.map(Arc::new),
        };
        self.stage(caller, bytes, |staged| staged.time(name, Some(timer)))
    }

    pub fn clear_timer(&self, caller: &Call, name: &str) -> Result<()> {
        names::check("timer", name)?;
        self.stage(caller, name.len(), |staged| staged.time(name, None))
    }

    pub async fn set_reminder(
        &self,
        caller: &Call,
        name: &str,
        due: Duration,
        period: Option<Duration>,
        data: Bytes,
    ) -> Result<()> {
        names::check("reminder", name)?;
        check_alarm(name, period, &data)?;
        let reminder = Reminder {
            due: now().saturating_add(milliseconds(due)),
            period: period.map(milliseconds),
            data: Binary(data),
            trace: Some(caller.trace()),
        };
        self.stage_reminder(caller, name, Some(reminder)).await
    }

    pub async fn clear_reminder(&self, caller: &Call, name: &str) -> Result<()> {
        names::check("reminder", name)?;
        self.stage_reminder(caller, name, None).await
    }

    async fn stage_reminder(
        &self,
        caller: &Call,
        name: &str,
        reminder: Option<Reminder>,
    ) -> Result<()> {
        let stored = self.stored(caller, name).await?;
        let stored = stored.map(|stored| stored.due);
        if reminder.is_none() && stored.is_none() {
            self.work()?.staged.leave(name);
            return Ok(());
        }
        let data = reminder.as_ref().map_or(0, |one| one.data.0.len());
        self.stage(caller, name.len() + data, |staged| {
            staged.remind(name, Reset { reminder, stored });
        })
    }

    /// The reminder as it was before this turn.
    async fn stored(&self, caller: &Call, name: &str) -> Result<Option<Reminder>> {
        if let Some(known) = self.work()?.memory.reminder(name) {
            return Ok(known.clone());
        }
        let key = Key::new(rows::reminder(&self.actor, ""), name);
        let entry = self.internal_store.get(caller, key.clone()).await?;
        let reminder: Option<Reminder> = entry
            .map(|entry| rows::read(&key, &entry.value))
            .transpose()?;
        self.work()?.memory.cache_reminder(name, reminder.clone());
        Ok(reminder)
    }

    /// Returns the reminder of an occurrence if that is still to come; the turn then keeps that it is done with.
    pub(super) async fn begin_occurrence(
        &self,
        caller: &Call,
        name: &str,
        due: u64,
    ) -> Result<Option<Reminder>> {
        let stored = self.stored(caller, name).await?;
        let Some(reminder) = stored.filter(|reminder| reminder.due == due) else {
            return Ok(None);
        };
        self.stage_reminder(caller, name, reminder.next(now()))
            .await?;
        Ok(Some(reminder))
    }

    /// The occurrence is given up, if it is still to come: its reminder goes on with the next one or, where it has no
    /// period, after an hour. False where there is nothing to give up.
    pub(super) async fn give_up(&self, caller: &Call, name: &str, due: u64) -> Result<bool> {
        let stored = self.stored(caller, name).await?;
        let Some(reminder) = stored.filter(|reminder| reminder.due == due) else {
            return Ok(false);
        };
        self.stage_reminder(caller, name, Some(reminder.put_off(now())))
            .await?;
        Ok(true)
    }
}

fn check_alarm(name: &str, period: Option<Duration>, data: &Bytes) -> Result<()> {
    if period.is_some_and(|period| period < Duration::from_millis(1)) {
        return Err(Error::invalid(format!(
            "the period of `{name}` is 0; expected at least 1 ms"
        )));
    }
    if data.len() <= MAX_ALARM {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the data of `{name}` has {} bytes; expected at most {MAX_ALARM}",
        data.len()
    )))
}
