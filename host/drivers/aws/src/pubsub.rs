//! Pub/sub as Dapr has it: a topic of SNS for each topic, a queue of SQS for each group, and a subscription between the two.

mod entities;
mod hub;
mod member;
mod message;
pub(crate) mod settings;

use crate::{
    client::{Client, Session, Shared, shared},
    fault::Fault,
};
use async_trait::async_trait;
use entities::Entities;
use hub::Hub;
use member::Member;
use message::{LARGEST, Sent};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::task::JoinSet;
use wythe_blocks::{
    Error, Result, Site, Wrong,
    pubsub::{Consumer, Driver, Features, Message, SubscribeOptions},
    random,
};
use wythe_client::Effect;

use settings::Parsed;

/// Messages of one request.
const BATCH: usize = 10;

pub(crate) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    parsed.sns.warnings()
}

pub(crate) async fn open(clients: Shared, parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let client = |target| shared(&clients, target, &site);
    let (sns, sqs) = (client(&parsed.sns), client(&parsed.sqs));
    let session = Session::new(sns.clone(), "SNS and SQS".to_owned());
    look(&sns).await.map_err(|error| sns.named(error))?;
    let beginning = match (parsed.is_managed, parsed.account) {
        (true, _) => None,
        (false, Some(account)) => Some(beginning(&sns.target.region, &account)),
        (false, None) => {
            let sts = client(&parsed.sts);
            let account = account(&sts).await.map_err(|error| sts.named(error))?;
            Some(beginning(&sns.target.region, &account))
        }
    };
    Ok(Arc::new(PubSub {
        session,
        entities: Arc::new(Entities::new((sns, sqs), parsed.settings, beginning)),
        hubs: Arc::default(),
        opening: tokio::sync::Mutex::default(),
    }))
}

/// Asks for something small. A key that may not is good enough: it may publish.
async fn look(sns: &Client) -> Result<()> {
    let fields = [("Action", "ListTopics"), ("Version", "2010-03-31")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    match sns.form("sns", Effect::Read, &fields).await {
        Err(fault) if !fault.is_about_rights() => Err(fault.of_read("the topics")),
        _ => Ok(()),
    }
}

/// The number of the key's account.
async fn account(sts: &Client) -> Result<String> {
    let about = "the account; write it as `accountID`";
    let fields = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let answer = sts.form("sts", Effect::Read, &fields).await;
    let answer = answer.map_err(|fault| fault.of_read(about))?;
    let account = answer.text(&["GetCallerIdentityResult", "Account"]);
    let odd = || Fault::Odd("no account".to_owned()).of_read(about);
    account.map(str::to_owned).ok_or_else(odd)
}

fn beginning(region: &str, account: &str) -> String {
    let partition = match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:sns:{region}:{account}:")
}

/// The queues that are read here, by the names of their groups.
type Hubs = Mutex<HashMap<String, Arc<Hub>>>;

struct PubSub {
    session: Session,
    entities: Arc<Entities>,
    hubs: Arc<Hubs>,
    /// One queue is made at a time.
    opening: tokio::sync::Mutex<()>,
}

impl PubSub {
    /// A new member of a group, whose queue is made where this process does not read it yet.
    async fn enter(&self, topic: &str, group: &str, is_passing: bool) -> Result<Member> {
        let (key, queue) = match is_passing {
            true => {
                let name = format!("wythe-{}", random::name()?);
                (
                    format!("{group} passing"),
                    self.entities.name("group", &name)?,
                )
            }
            false => {
                let name = self.entities.name("group", group)?;
                (name.clone(), name)
            }
        };
        let _turn = self.opening.lock().await;
        let name = random::name()?;
        let ended = {
            let (hubs, key) = (self.hubs.clone(), key.clone());
            move |hub: &Arc<Hub>| {
                let mut hubs = hubs.lock();
                let ends = hub.is_passing && hub.is_deserted();
                if ends {
                    hubs.remove(&key);
                }
                ends
            }
        };
        let member = |hub: &Arc<Hub>| Member::new(hub.clone(), topic.to_owned(), name, ended);
        if let Some(hub) = self.hubs.lock().get(&key) {
            return Ok(member(hub));
        }
        let made = self.entities.queue(&queue, is_passing).await?;
        let hub = Hub::start(self.entities.clone(), queue, is_passing, made);
        let mut hubs = self.hubs.lock();
        hubs.insert(key.clone(), hub.clone());
        Ok(member(&hub))
    }
}

impl Drop for PubSub {
    fn drop(&mut self) {
        for hub in self.hubs.lock().values() {
            hub.abort();
        }
    }
}

#[async_trait]
impl Driver for PubSub {
    fn features(&self) -> Features {
        Features {
            durable: true,
            ordering: false,
            delay: false,
            dead_letters: false,
            counted: false,
            max_message_bytes: LARGEST as u64,
        }
    }

    async fn publish(&self, topic: &str, message: Message) -> Result<()> {
        let mut answers = self.publish_many(topic, vec![message]).await;
        answers.pop().unwrap_or(Ok(()))
    }

    async fn publish_many(&self, topic: &str, messages: Vec<Message>) -> Vec<Result<()>> {
        let name = self.session.client();
        let name = name.and_then(|_| self.entities.name("topic", topic));
        let topic = match name {
            Ok(topic) => topic,
            Err(error) => return messages.iter().map(|_| Err(error.duplicate())).collect(),
        };
        let keys = messages.iter().map(|one| one.ordering_key.as_deref());
        let sent: Vec<_> = messages.iter().map(Sent::of).zip(keys).collect();
        let (mut answers, mut rest) = (Vec::with_capacity(sent.len()), &sent[..]);
        while let Some((first, after)) = rest.split_first() {
            let (Ok(one), key) = first else {
                // It is refused, and ends the batch before it.
                answers.push(first.0.as_ref().map(drop).map_err(Error::duplicate));
                rest = after;
                continue;
            };
            let (mut bytes, mut batch) = (one.size(), vec![(one, *key)]);
            for (one, key) in after.iter().take(BATCH - 1) {
                let Ok(one) = one else { break };
                bytes += one.size();
                if bytes > LARGEST {
                    break;
                }
                batch.push((one, *key));
            }
            answers.extend(self.entities.publish(&topic, &batch).await);
            rest = &rest[batch.len()..];
        }
        answers
    }

    async fn subscribe(
        &self,
        topic: &str,
        group: &str,
        options: SubscribeOptions,
    ) -> Result<Box<dyn Consumer>> {
        self.session.client()?;
        let topic = self.entities.name("topic", topic)?;
        let member = self.enter(&topic, group, options.ephemeral).await?;
        let hub = member.hub();
        let subscription = self.entities.connect(&topic, &hub.queue()).await?;
        hub.add_subscription(subscription);
        Ok(Box::new(member))
    }

    fn describe(&self) -> Option<String> {
        self.session.describe()
    }

    async fn health(&self) -> Result<()> {
        look(self.session.client()?).await
    }

    async fn close(&self) -> Result<()> {
        self.session.close();
        let hubs = std::mem::take(&mut *self.hubs.lock());
        // Each waits for its answer under way, all at once.
        let mut ends: JoinSet<()> = hubs
            .into_values()
            .map(|hub| async move { hub.end().await })
            .collect();
        while ends.join_next().await.is_some() {}
        Ok(())
    }
}
