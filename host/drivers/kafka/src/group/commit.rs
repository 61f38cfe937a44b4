//! Offsets of a group as the cluster notes them: how far each partition is settled, and which messages behind that are open.

use super::{End, Group, Member};
use crate::{
    api::{OffsetCommit, TopicPartition},
    fault,
    link::{Link, Lost},
};
use std::convert::Infallible;
use wythe_blocks::Result;

/// Partitions with their errors, by topic.
type Noted = Vec<(String, Vec<(i32, i16)>)>;

impl Group {
    /// Notes what is settled, as long as the session lasts.
    pub(super) async fn commits(&self, link: &Link, member: &Member) -> Result<Infallible, End> {
        loop {
            self.commit(link, member).await?;
            self.touched.notified().await;
        }
    }

    /// Notes what is settled now, if anything is.
    pub(super) async fn commit(&self, link: &Link, member: &Member) -> Result<(), End> {
        let mut topics = Vec::new();
        let mut changes = Vec::new();
        for desk in self.desks() {
            let changed = desk.changes();
            if changed.is_empty() {
                continue;
            }
            let places = changed.iter().map(|(partition, noted)| TopicPartition {
                partition: *partition,
                offset: noted.place,
                note: noted.note.write(noted.place),
            });
            topics.push((desk.topic.clone(), places.collect()));
            changes.push((desk, changed));
        }
        if topics.is_empty() {
            return Ok(());
        }
        let answer = self.note(link, member, topics).await?;
        for (desk, changed) in changes {
            let codes = answer.iter().find(|(topic, _)| *topic == desk.topic);
            for (partition, noted) in changed {
                let mut codes = codes.into_iter().flat_map(|(_, codes)| codes);
                let code = codes.find(|(number, _)| *number == partition);
                match code.map_or(-1, |(_, code)| *code) {
                    0 => desk.noted(partition, &noted),
                    code => return Err(End::of(code, &self.about())),
                }
            }
        }
        Ok(())
    }

    /// Has the cluster note places; a cluster that keeps shorter notes is given none beside them.
    async fn note(
        &self,
        link: &Link,
        member: &Member,
        topics: Vec<(String, Vec<TopicPartition>)>,
    ) -> Result<Noted> {
        let mut request = OffsetCommit {
            group: &self.name,
            generation: member.generation,
            member: &member.id,
            topics,
        };
        let limit = self.client.target.timeout;
        let answer = link.ask(&request, limit).await.map_err(Lost::error)?;
        let is_long = |(_, code): &(i32, i16)| *code == fault::NOTE_TOO_LARGE;
        if !answer.iter().flat_map(|(_, codes)| codes).any(is_long) {
            return Ok(answer);
        }
        let places = request.topics.iter_mut().flat_map(|(_, places)| places);
        places.for_each(|place| place.note.clear());
        link.ask(&request, limit).await.map_err(Lost::error)
    }
}
