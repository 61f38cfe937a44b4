//! One round of a group: the member joins, learns its share, and reads that until the next round.

use super::{End, Group, Member, share::share};
use crate::{
    api::{Heartbeat, JoinGroup, OffsetFetch, SyncGroup},
    desk::{Desk, Noted},
    fault,
    link::{Link, Lost},
};
use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};
use wythe_blocks::{
    Result,
    time::{Clock as _, milliseconds},
};

/// The time that what is out has to be settled before partitions may go to others.
const SETTLING: Duration = Duration::from_secs(5);
/// The time that a round waits for a member.
const REBALANCE: Duration = Duration::from_secs(30);
/// The interval at which the leader looks whether topics have grown.
const LOOK: Duration = Duration::from_secs(60);

/// Partitions by their topics.
pub(super) type Share = Vec<(String, Vec<i32>)>;

impl Group {
    pub(super) async fn session(&self, member: &mut Member) -> End {
        let link = match self.begin(member).await {
            Ok(link) => link,
            Err(end) => return end,
        };
        for desk in self.desks() {
            desk.release();
        }
        // Nothing is waited for in here but its end.
        let never: Result<Infallible, End> = tokio::select! {
            end = self.beat(&link, member) => end,
            end = self.commits(&link, member) => end,
            end = self.fetch() => end,
            () = self.changed.notified() => Err(End::Again),
        };
        match never {
            Err(end) => end,
            Ok(never) => match never {},
        }
    }

    async fn begin(&self, member: &mut Member) -> Result<Link, End> {
        let link = self.coordinator(member).await?;
        if !member.id.is_empty() {
            self.settle(&link, member).await;
        }
        let topics = self.topics();
        for topic in &topics {
            self.client.topic(topic).await?;
        }
        let members = self.join(&link, member, &topics).await?;
        let shares = match member.is_leader {
            true => self.shares(&members).await?,
            false => Vec::new(),
        };
        let request = SyncGroup {
            group: &self.name,
            generation: member.generation,
            member: &member.id,
            shares: &shares,
        };
        let answer = link.ask(&request, self.patience()).await;
        let (code, own) = answer.map_err(Lost::error)?;
        if code != 0 {
            return Err(End::of(code, &self.about()));
        }
        self.take(&link, member, own).await?;
        self.status.send_modify(|status| {
            status.joined = topics.into_iter().collect();
            status.error = None;
        });
        Ok(link)
    }

    /// The topics that somebody reads; the others are forgotten.
    fn topics(&self) -> Vec<String> {
        let mut topics = self.topics.lock();
        topics.retain(|_, sat| {
            let is_read = sat.pullers > 0;
            if !is_read {
                sat.desk.end();
            }
            is_read
        });
        let joined = |status: &mut super::Status| {
            status.joined.retain(|topic| topics.contains_key(topic));
        };
        self.status.send_modify(joined);
        topics.keys().cloned().collect()
    }

    /// Waits a little for what is out, and notes what is settled: afterwards partitions may be another one's.
    async fn settle(&self, link: &Link, member: &Member) {
        let desks = self.desks();
        desks.iter().for_each(|desk| desk.hold());
        let limit = SETTLING.min(self.reading.session / 2);
        let deadline = Instant::now().after(limit);
        loop {
            if self.commit(link, member).await.is_err() {
                return;
            }
            let has_out = desks.iter().any(|desk| desk.has_out());
            if !has_out || Instant::now() > deadline {
                return;
            }
            let _ = timeout(Duration::from_millis(50), self.touched.notified()).await;
        }
    }

    /// The time that an answer may take which comes once all members have spoken.
    fn patience(&self) -> Duration {
        REBALANCE + self.reading.session + self.client.target.timeout
    }

    fn strategy(&self) -> &'static str {
        match self.reading.is_round_robin {
            true => "roundrobin",
            false => "range",
        }
    }

    async fn join(
        &self,
        link: &Link,
        member: &mut Member,
        topics: &[String],
    ) -> Result<Vec<(String, Vec<String>)>, End> {
        let whole = |time: Duration| i32::try_from(milliseconds(time)).unwrap_or(i32::MAX);
        let request = JoinGroup {
            group: &self.name,
            session: whole(self.reading.session),
            rebalance: whole(REBALANCE),
            member: &member.id,
            strategy: self.strategy(),
            topics,
        };
        member.is_joining = true;
        let answer = link.ask(&request, self.patience()).await;
        let joined = answer.map_err(Lost::error)?;
        member.is_joining = false;
        if joined.error != 0 {
            return Err(End::of(joined.error, &self.about()));
        }
        member.is_leader = joined.leader == joined.member;
        member.generation = joined.generation;
        member.id = joined.member;
        Ok(joined.members)
    }

    /// The partitions of each member, as the leader shares them out.
    async fn shares(&self, members: &[(String, Vec<String>)]) -> Result<Vec<(String, Share)>> {
        let mut counts = HashMap::new();
        for topic in members.iter().flat_map(|(_, topics)| topics) {
            if !counts.contains_key(topic) {
                // The topic of another member may be gone, which is no reason to read nothing.
                let found = self.client.topic(topic).await;
                let count = found.map_or(0, |found| found.leaders.len());
                counts.insert(topic.clone(), i32::try_from(count).unwrap_or(i32::MAX));
            }
        }
        Ok(share(members, &counts, self.reading.is_round_robin))
    }

    /// Takes the member's share: it goes on where the group is.
    async fn take(&self, link: &Link, member: &Member, own: Share) -> Result<(), End> {
        let mut new = Vec::new();
        for desk in self.desks() {
            let found = own.iter().find(|(topic, _)| *topic == desk.topic);
            let partitions = found.map_or(&[][..], |(_, partitions)| partitions);
            let added = desk.keep(partitions);
            if !added.is_empty() {
                new.push((desk, added));
            }
        }
        for (desk, added) in new {
            self.place(link, &desk, &added).await?;
        }
        // A group that is new has its places at once, so that nothing is missed from now on.
        self.commit(link, member).await
    }

    /// Finds the places of partitions. Those of a new group are at the end of what there is, unless it is to begin with that;
    /// a partition that came later is read from its beginning.
    async fn place(&self, link: &Link, desk: &Arc<Desk>, added: &[i32]) -> Result<(), End> {
        let topic = &desk.topic;
        let count = self.client.topic(topic).await?.leaders.len();
        let all = (0..i32::try_from(count).unwrap_or(i32::MAX)).collect();
        let request = OffsetFetch {
            group: &self.name,
            topics: vec![(topic.clone(), all)],
        };
        let answer = link.ask(&request, self.client.target.timeout).await;
        let (code, places) = answer.map_err(Lost::error)?;
        if code != 0 {
            return Err(End::of(code, &self.about()));
        }
        let places: Vec<_> = places.into_iter().flat_map(|(_, places)| places).collect();
        if let Some((_, code)) = places.iter().find(|(_, code)| *code != 0) {
            return Err(fault::of(*code, &self.about()).into());
        }
        let is_known = places.iter().any(|(place, _)| place.offset >= 0);
        for partition in added {
            let found = places.iter().map(|(place, _)| place);
            let mut found =
                found.filter(|place| place.partition == *partition && place.offset >= 0);
            let noted = match found.next() {
                Some(place) => Noted::read(place.offset, &place.note),
                None => {
                    let is_first = is_known || (self.reading.from_first && !self.is_passing);
                    Noted::new(self.client.offset(topic, *partition, is_first).await?)
                }
            };
            desk.begin(*partition, noted);
        }
        Ok(())
    }

    /// Says that the member is there, until it hears that the group shares out anew.
    async fn beat(&self, link: &Link, member: &Member) -> Result<Infallible, End> {
        let request = Heartbeat {
            group: &self.name,
            generation: member.generation,
            member: &member.id,
        };
        let mut looked = Instant::now();
        loop {
            sleep(self.reading.heartbeat).await;
            let wait = self.client.target.timeout.min(self.reading.session);
            let code = link.ask(&request, wait).await.map_err(Lost::error)?;
            if code != 0 {
                return Err(End::of(code, &self.about()));
            }
            if looked.elapsed() > LOOK {
                looked = Instant::now();
                self.look(member).await?;
            }
        }
    }

    /// Has the group share out anew where a topic has more partitions than before.
    async fn look(&self, member: &Member) -> Result<(), End> {
        for desk in self.desks() {
            let before = self.client.topic(&desk.topic).await?.leaders.len();
            let now = self.client.ask_topic(&desk.topic).await?.leaders.len();
            if now != before && member.is_leader {
                return Err(End::Again);
            }
        }
        Ok(())
    }
}
