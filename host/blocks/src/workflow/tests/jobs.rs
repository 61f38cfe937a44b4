//! Activities and starts of children on a simulated host.

use super::{
    code,
    host::{From, TENANT},
    world::World,
};
use crate::{
    Kind as ErrorKind,
    workflow::{
        ActivityCall,
        core::{
            attempt::{AfterAttempt, Outcome, Row, is_wanted},
            birth::birth,
            entry::{Entry, Kind, Parent},
            item::Item,
            meta::{Meta, Status},
            row,
        },
        store::{commit, keys, rows},
    },
};
use bytes::Bytes;

/// Work that is under way.
#[derive(Clone)]
pub(super) struct Job {
    /// Absent where only the row is known.
    order: Option<Order>,
    /// The instance has been told, and has not answered yet.
    is_delivered: bool,
}

#[derive(Clone)]
struct Order {
    row: Row,
    asked: Entry,
}

impl World {
    /// Begins work that an instance asks for. What asks for it is kept, or was.
    pub fn start(&mut self, host: usize, meta: &Meta, run: u32, asked: &Entry) {
        let id = &meta.id;
        let persisted = self.store.get(&keys::entry(id, run, asked.index));
        let persisted = persisted.and_then(|(persisted, _)| Entry::read(&persisted));
        let now = self.store.meta(id).map(|(meta, _)| meta);
        let is_over = now.is_some_and(|now| now.run > run || now.status.has_ended());
        if !is_over && persisted.as_ref() != Some(asked) {
            let task = asked.kind.task();
            self.faults
                .push(format!("task {task:?} of `{id}` begins before it is kept"));
        }
        let task = asked.kind.task().unwrap_or_default();
        let row = Row {
            entry: asked.index,
            host: Some(self.hosts[host].id),
            ..Row::default()
        };
        let asked = asked.clone();
        self.dispatch(host, keys::work(id, run, task), Some((row, asked)));
    }

    pub fn dispatch(&mut self, host: usize, key: String, order: Option<(Row, Entry)>) {
        let order = order.map(|(row, asked)| Order { row, asked });
        let job = Job {
            order,
            is_delivered: false,
        };
        self.hosts[host].jobs.entry(key).or_insert(job);
    }

    /// Some work goes on.
    pub fn go_on(&mut self, host: usize) {
        let jobs = self.hosts[host].jobs.iter();
        let free: Vec<_> = jobs
            .filter(|(_, job)| !job.is_delivered)
            .map(|(key, _)| key.clone())
            .collect();
        let Some(key) = self.random.pick(&free).cloned() else {
            return;
        };
        let (id, run, _) = keys::parse_row(&key, keys::WORK).expect("a key");
        let id = id.to_owned();
        let Some(order) = self.hosts[host].jobs[&key].order.clone() else {
            return self.read_order(host, &key, &id, run);
        };
        match order.asked.kind.clone() {
            Kind::ActivityScheduled { .. } => self.attempt(host, &key, (&id, run), order),
            Kind::ChildStarted {
                task,
                name,
                id: child,
            } => {
                self.begin_child(host, &key, (&id, run, task), (&name, &child), order);
            }
            _ => self.faults.push(format!("`{key}` asks for no work")),
        }
    }

    fn read_order(&mut self, host: usize, key: &str, id: &str, run: u32) {
        if self.read_fails() {
            return;
        }
        let row = self
            .store
            .get(key)
            .map(|(row, _)| Row::decode(&row).expect("a row"));
        let meta = self.store.meta(id).filter(|(meta, _)| is_wanted(meta, run));
        let entry = row.zip(meta).and_then(|(row, _)| {
            let (entry, _) = self.store.get(&keys::entry(id, run, row.entry))?;
            Some((row, Entry::read(&entry)?))
        });
        match entry {
            Some((row, asked)) => {
                let job = self.hosts[host].jobs.get_mut(key).expect("it is under way");
                job.order = Some(Order { row, asked });
            }
            None => self.end_job(host, key),
        }
    }

    /// Takes the row away of what nobody wants any more.
    fn end_job(&mut self, host: usize, key: &str) {
        if let Some(Ok(_)) = self.write(host, &[rows::delete(key.to_owned())]) {
            self.hosts[host].jobs.remove(key);
        }
    }

    fn attempt(&mut self, host: usize, key: &str, (id, run): (&str, u32), order: Order) {
        let now = self.now();
        let Kind::ActivityScheduled { task, name, retry } = order.asked.kind.clone() else {
            return;
        };
        if order.row.not_before > now {
            return;
        }
        let call = ActivityCall {
            name,
            workflow: id.to_owned(),
            key: format!("{id}/{run}/{task}"),
            attempt: order.row.attempts + 1,
            input: order.asked.payload.clone(),
        };
        let is_busy = self.is_wild && self.random.one_in(10);
        let outcome = match code::activity(&call) {
            _ if is_busy => Outcome::Busy,
            Ok(output) => Outcome::Done(output),
            Err(failure) => {
                let again = matches!(failure, crate::workflow::Failure::Retryable(_));
                let (crate::workflow::Failure::Retryable(message)
                | crate::workflow::Failure::Permanent(message)) = failure;
                Outcome::Failed {
                    message,
                    again,
                    timeout: false,
                }
            }
        };
        match order.row.after(task, &retry, outcome, now) {
            AfterAttempt::Wait(row) => self.set_row(host, key, row),
            AfterAttempt::Persist(row) => self.persist_attempt(host, key, row),
            AfterAttempt::End(kind, payload) => {
                self.deliver_item(host, key, (id, run, task), kind, payload)
            }
        }
    }

    fn set_row(&mut self, host: usize, key: &str, row: Row) {
        let job = self.hosts[host].jobs.get_mut(key);
        if let Some(order) = job.and_then(|job| job.order.as_mut()) {
            order.row = row;
        }
    }

    fn persist_attempt(&mut self, host: usize, key: &str, mut row: Row) {
        let Some((_, version)) = self.store.get(key) else {
            self.hosts[host].jobs.remove(key);
            return;
        };
        // Somebody else may write it in between.
        let is_stale = self.is_wild && self.random.one_in(10);
        let version = if is_stale { "0".to_owned() } else { version };
        match self.write(host, &[commit::attempt(key, row, version)]) {
            Some(Ok(_)) => self.set_row(host, key, row),
            Some(Err(error)) if error.kind() == ErrorKind::Conflict => {
                if let Some((other, _)) = self.store.get(key) {
                    row.join(Row::decode(&other).expect("a row"));
                    self.set_row(host, key, row);
                }
            }
            // It is tried again, from what is known in memory.
            Some(Err(_)) | None => {}
        }
    }

    fn deliver_item(
        &mut self,
        host: usize,
        key: &str,
        (id, run, task): (&str, u32, u32),
        kind: Kind,
        payload: Bytes,
    ) {
        if let Some(job) = self.hosts[host].jobs.get_mut(key) {
            job.is_delivered = true;
        }
        let item = Item::Completed {
            row: row::Row::Work { run, task },
            run,
            kind,
            payload,
        };
        self.hosts[host].post(id, item, From::Job(key.to_owned()));
    }

    fn begin_child(
        &mut self,
        host: usize,
        key: &str,
        (id, run, task): (&str, u32, u32),
        (name, child): (&str, &str),
        order: Order,
    ) {
        let instance = id.to_owned();
        let parent = Some(Parent {
            instance,
            run,
            task,
        });
        match self.begin(host, child, name, order.asked.payload, parent) {
            None => {}
            Some(Ok(_)) => self.end_job(host, key),
            Some(Err(error)) if error.kind() == ErrorKind::Conflict => {
                let failure = error.message().to_owned();
                let kind = Kind::ChildFailed { task, failure };
                self.deliver_item(host, key, (id, run, task), kind, Bytes::new());
            }
            Some(Err(_)) => {}
        }
    }

    /// Begins an instance. None where the host died.
    pub fn begin(
        &mut self,
        host: usize,
        id: &str,
        name: &str,
        input: Bytes,
        parent: Option<Parent>,
    ) -> Option<crate::Result<()>> {
        let meta = self.new_meta(id, name, parent);
        let old = self.store.meta(id);
        let seed = self.random.next().into();
        let commit = match birth(TENANT, meta, old, (input, seed), None) {
            Ok(Some(commit)) => commit,
            Ok(None) => {
                self.hosts[host].post(id, Item::Run, From::Nudge);
                return Some(Ok(()));
            }
            Err(error) => return Some(Err(error)),
        };
        let operations =
            commit::operations(&commit, Some(self.hosts[host].id)).expect("a commit is encoded");
        let begun = self.write(host, &operations)?;
        let kind = begun.as_ref().err().map(crate::Error::kind);
        if matches!(kind, None | Some(ErrorKind::UnknownOutcome)) {
            self.hosts[host].post(id, Item::Run, From::Nudge);
        }
        Some(begun.map(drop))
    }

    fn new_meta(&self, id: &str, name: &str, parent: Option<Parent>) -> Meta {
        Meta {
            id: id.to_owned(),
            name: name.to_owned(),
            app: "app".to_owned(),
            digest: String::new(),
            status: Status::Running,
            created: self.now(),
            updated: self.now(),
            run: 1,
            next: 0,
            hash: [0; 32],
            custom: None,
            output: None,
            failure: None,
            suspended: None,
            parent,
            bytes: 0,
            tries: 0,
            idle_runs: 0,
            depth: 0,
            trace: None,
        }
    }
}
