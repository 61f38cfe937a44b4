//! A consumer group and this host's one member of it: all subscriptions of a component that read as the group share it, as
//! they do in Dapr. A task joins, reads, notes what is settled, and begins again whenever the group shares out anew.

mod commit;
mod fetch;
mod groups;
mod pace;
mod session;
mod share;

pub(crate) use groups::Groups;

use crate::{
    api::{DeleteGroups, LeaveGroup},
    client::Client,
    desk::Desk,
    fault,
    link::{Link, Lost},
    settings::Reading,
};
use pace::Pace;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{Error, Kind, Result, time::Clock as _};

pub(crate) struct Group {
    client: Arc<Client>,
    /// The name that the cluster knows.
    name: String,
    reading: Reading,
    /// It ends with its last subscription.
    is_passing: bool,
    topics: Mutex<BTreeMap<String, Sat>>,
    /// The topics are other ones now.
    changed: Notify,
    /// Something is settled or refused, so that there is something to note.
    touched: Notify,
    status: watch::Sender<Status>,
    stop: CancellationToken,
    ended: CancellationToken,
}

/// A topic, and how many read it.
struct Sat {
    desk: Arc<Desk>,
    pullers: usize,
}

#[derive(Default)]
struct Status {
    /// The topics of which the member reads its share.
    joined: HashSet<String>,
    failures: u64,
    error: Option<Error>,
}

/// The member, as the coordinator knows it.
#[derive(Default)]
struct Member {
    link: Option<Link>,
    /// Empty before it joins for the first time.
    id: String,
    generation: i32,
    /// The partitions of each topic that it shared out, where it is the group's leader.
    counts: HashMap<String, i32>,
    /// A request to join is on its way over the connection, which answers nothing else meanwhile.
    is_joining: bool,
}

/// The reason why a session is over.
enum End {
    /// The group shares out anew, with this member.
    Again,
    /// The group does not know this member any more: others read what it had.
    Gone,
    Failed(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        End::Failed(error)
    }
}

impl End {
    /// The end of a session by an error of the coordinator.
    fn of(code: i16, about: &str) -> Self {
        match code {
            fault::REBALANCE => End::Again,
            fault::UNKNOWN_MEMBER | fault::ILLEGAL_GENERATION => End::Gone,
            code => End::Failed(fault::of(code, about)),
        }
    }
}

impl Group {
    pub fn new(client: Arc<Client>, name: String, reading: Reading, is_passing: bool) -> Self {
        Group {
            client,
            name,
            reading,
            is_passing,
            topics: Mutex::default(),
            changed: Notify::new(),
            touched: Notify::new(),
            status: watch::Sender::default(),
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Takes a puller at a topic; absent where the group is ending.
    pub fn sit(&self, topic: &str) -> Option<Arc<Desk>> {
        let mut topics = self.topics.lock();
        if self.stop.is_cancelled() {
            return None;
        }
        let sat = topics.entry(topic.to_owned()).or_insert_with(|| {
            self.changed.notify_one();
            Sat {
                desk: Arc::new(Desk::new(topic, self.reading.at_once)),
                pullers: 0,
            }
        });
        sat.pullers += 1;
        Some(sat.desk.clone())
    }

    /// Leaves a puller. The group's last one ends the member.
    pub fn rise(&self, topic: &str) {
        let mut topics = self.topics.lock();
        let Some(sat) = topics.get_mut(topic) else {
            return;
        };
        sat.pullers = sat.pullers.saturating_sub(1);
        if sat.pullers > 0 {
            return;
        }
        match topics.values().all(|sat| sat.pullers == 0) {
            true => self.stop.cancel(),
            false => self.changed.notify_one(),
        }
    }

    /// Waits until the member reads its share of a topic, or cannot. What may pass is tried again for the time of a request.
    pub async fn joined(&self, topic: &str) -> Result<()> {
        let mut status = self.status.subscribe();
        let before = status.borrow().failures;
        let deadline = Instant::now().after(self.client.target.timeout);
        let settled = status.wait_for(|status| {
            let may_pass = |error: &Error| error.kind() == Kind::Unavailable;
            let is_final =
                !status.error.as_ref().is_some_and(may_pass) || Instant::now() >= deadline;
            status.joined.contains(topic) || (status.failures > before && is_final)
        });
        let over = || Error::unavailable("the component is closed");
        tokio::select! {
            settled = settled => {
                let status = settled.map_err(|_| over())?;
                match (&status.error, status.joined.contains(topic)) {
                    (Some(error), false) => Err(error.duplicate()),
                    _ => Ok(()),
                }
            }
            () = self.ended.cancelled() => Err(over()),
        }
    }

    /// Says that there is something to note.
    pub fn touch(&self) {
        self.touched.notify_one();
    }

    /// Returns once the member has left, or by then.
    pub async fn left(&self) {
        let _ = timeout(2 * self.client.target.timeout, self.ended.cancelled()).await;
    }

    /// Ends the member.
    pub async fn close(&self) {
        self.stop.cancel();
        self.left().await;
    }

    fn about(&self) -> String {
        format!("the group `{}`", self.name)
    }

    fn desks(&self) -> Vec<Arc<Desk>> {
        let topics = self.topics.lock();
        topics.values().map(|sat| sat.desk.clone()).collect()
    }

    fn fail(&self, error: &Error) {
        tracing::warn!(group = self.name, "read: {}", error.chain());
        self.status.send_modify(|status| {
            status.failures += 1;
            status.error = Some(error.duplicate());
        });
        for desk in self.desks() {
            desk.fail(error.duplicate());
        }
    }

    /// Reads until the last puller is left, or the component is closed.
    pub async fn run(self: Arc<Self>) {
        let mut member = Member::default();
        let mut pace = Pace::new(self.reading.retry);
        loop {
            let begun = Instant::now();
            let ended = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                ended = self.session(&mut member) => ended,
            };
            let pause = pace.after(matches!(ended, End::Failed(_)), begun.elapsed());
            match ended {
                End::Again => {}
                End::Gone => {
                    tracing::debug!(group = self.name, "the group has lost its member here");
                    member.id.clear();
                    for desk in self.desks() {
                        desk.keep(&[]);
                    }
                }
                End::Failed(error) => {
                    member.link = None;
                    self.fail(&error);
                }
            }
            if let Some(pause) = pause {
                tokio::select! {
                    () = self.stop.cancelled() => break,
                    () = sleep(pause) => {}
                }
            }
        }
        let left = timeout(self.client.target.timeout, self.leave(&mut member)).await;
        match left {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(group = self.name, "leave: {}", error.chain()),
            Err(_) => tracing::debug!(group = self.name, "left without a word"),
        }
        for desk in self.desks() {
            desk.end();
        }
        self.ended.cancel();
    }

    /// Notes what is settled, and tells the coordinator that the member goes.
    async fn leave(&self, member: &mut Member) -> Result<()> {
        if member.is_joining {
            member.link = None;
        }
        if !member.id.is_empty() {
            for desk in self.desks() {
                desk.hold();
            }
            let link = self.coordinator(member).await?;
            if let Err(End::Failed(error)) = self.commit(&link, member).await {
                tracing::debug!(group = self.name, "commit: {}", error.chain());
            }
            let request = LeaveGroup {
                group: &self.name,
                member: &member.id,
            };
            let code = link.ask(&request, self.client.target.timeout).await;
            fault::check(code.map_err(Lost::error)?, &self.about())?;
        }
        if self.is_passing {
            let link = self.coordinator(member).await?;
            // Where others are in it still, they end it.
            let request = DeleteGroups(&self.name);
            let ended = link.ask(&request, self.client.target.timeout).await;
            ended.map_err(Lost::error)?;
        }
        Ok(())
    }

    /// The member's own connection to the coordinator.
    async fn coordinator(&self, member: &mut Member) -> Result<Link> {
        if let Some(link) = member.link.as_ref().filter(|link| link.is_alive()) {
            return Ok(link.clone());
        }
        let broker = self.client.coordinator(&self.name).await?;
        let link = Link::open(&self.client.target, &broker).await?;
        member.is_joining = false;
        Ok(member.link.insert(link).clone())
    }
}
