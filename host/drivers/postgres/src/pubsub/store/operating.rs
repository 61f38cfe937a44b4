//! The part of operators: they see what groups hold, and change it.

use super::{Store, message};
use crate::{
    client::{Lent, Value, column, number},
    fault::Fault,
};
use std::time::SystemTime;
use tokio_postgres::Row;
use wythe_blocks::{
    Error, Result,
    pubsub::{Group, Message, StoredMessage},
};

/// Groups that are listed.
const GROUPS: usize = 100_000;

fn group(row: &Row) -> Result<Group, Fault> {
    Ok(Group {
        topic: column(row, 0)?,
        name: column(row, 1)?,
        ephemeral: column(row, 2)?,
        members: number(row, 3)?,
        messages: number(row, 4)?,
        out: number(row, 5)?,
        bytes: number(row, 6)?,
        oldest: column::<Option<SystemTime>>(row, 7)?,
    })
}

fn stored(row: &Row) -> Result<StoredMessage, Fault> {
    Ok(StoredMessage {
        number: number(row, 0)?,
        attempts: u32::try_from(column::<i32>(row, 1)?).unwrap_or_default(),
        message: message(row, 2)?,
        published: column(row, 6)?,
    })
}

fn missing(topic: &str, group: Option<&str>) -> Error {
    match group {
        Some(group) => Error::not_found(format!("topic `{topic}` has no group `{group}`")),
        None => Error::not_found(format!("topic `{topic}` holds no dead letters")),
    }
}

fn database_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Store {
    pub async fn groups(&self) -> Result<Vec<Group>> {
        let lent = self.held.lend().await?;
        let rows = lent.rows(&self.sql.operating.groups, &[], GROUPS).await;
        let groups = rows.and_then(|rows| rows.iter().map(group).collect());
        groups.map_err(Fault::of_read)
    }

    pub async fn list(
        &self,
        topic: &str,
        group: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredMessage>> {
        let lent = self.held.lend().await?;
        if !self.is_there(&lent, topic, group, 0).await?.0 {
            return Err(missing(topic, group));
        }
        let (after, count) = (database_number(after), i64::from(limit));
        let values: [Value<'_>; 4] = [&topic, &group, &after, &count];
        let rows = lent
            .rows(&self.sql.operating.list, &values, limit as usize)
            .await;
        let all = rows.and_then(|rows| rows.iter().map(stored).collect());
        all.map_err(Fault::of_read)
    }

    /// Returns whether there is such a group, and such a message in it.
    async fn is_there(
        &self,
        lent: &Lent,
        topic: &str,
        group: Option<&str>,
        id: i64,
    ) -> Result<(bool, bool)> {
        let found = self.look(lent, topic, group, id).await;
        found.map_err(Fault::of_read)
    }

    async fn look(
        &self,
        lent: &Lent,
        topic: &str,
        group: Option<&str>,
        id: i64,
    ) -> Result<(bool, bool), Fault> {
        let row = lent
            .one(&self.sql.operating.is_there, &[&topic, &group, &id])
            .await?;
        let is_there = match group {
            Some(_) => column(&row, 0)?,
            None => column(&row, 1)?,
        };
        Ok((is_there, column(&row, 2)?))
    }

    pub async fn replace(
        &self,
        topic: &str,
        group: Option<&str>,
        number: u64,
        to: &str,
        message: &Message,
    ) -> Result<()> {
        let lent = self.held.lend().await?;
        let id = database_number(number);
        let remove = || self.remove(&lent, topic, group, id);
        self.in_place(&lent, to, message, remove).await
    }

    /// Removes a message that no member has now.
    async fn remove(
        &self,
        lent: &Lent,
        topic: &str,
        group: Option<&str>,
        id: i64,
    ) -> Result<Result<()>, Fault> {
        let gone = lent
            .execute(&self.sql.operating.delete_free, &[&topic, &group, &id])
            .await?;
        if gone > 0 {
            return Ok(Ok(()));
        }
        Ok(Err(match self.look(lent, topic, group, id).await? {
            (false, _) => missing(topic, group),
            (true, false) => Error::not_found(format!("there is no message {id} any more")),
            (true, true) => Error::conflict(format!("a member has message {id} now")),
        }))
    }

    pub async fn purge(&self, topic: &str, group: Option<&str>, remove: bool) -> Result<u64> {
        let lent = self.held.lend().await?;
        let work = || self.purge_in(&lent, topic, group, remove);
        lent.atomically(work).await
    }

    async fn purge_in(
        &self,
        lent: &Lent,
        topic: &str,
        group: Option<&str>,
        remove: bool,
    ) -> Result<Result<u64>, Fault> {
        if !self.look(lent, topic, group, 0).await?.0 {
            return Ok(Err(missing(topic, group)));
        }
        if let (true, Some(name)) = (remove, group) {
            // Publishers to the group are through, or find it gone; letters too.
            lent.rows(&self.sql.publishing.lock_topic, &[&topic], 1)
                .await?;
            lent.rows(&self.sql.operating.lock_group, &[&topic, &name], 1)
                .await?;
            let row = lent
                .row(&self.sql.operating.count_members, &[&topic, &name])
                .await?;
            let members = row.as_ref().map_or(Ok(0), |row| column::<i64>(row, 0))?;
            if members > 0 {
                return Ok(Err(Error::conflict(format!(
                    "the group has {members} members; it can be removed when they have left"
                ))));
            }
        }
        let purged = lent
            .execute(&self.sql.operating.purge, &[&topic, &group])
            .await?;
        if let (true, Some(name)) = (remove, group) {
            lent.execute(&self.sql.operating.remove_group, &[&topic, &name])
                .await?;
        }
        Ok(Ok(purged))
    }
}
