//! The certificates of the host and of its tenants: a look now and then, apart from that at the directories, which may take
//! long.

use super::Root;
use crate::report::Problem;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_api::Certificates;
use wythe_blocks::Error;
use wythe_manifest::{CertificateFiles, ClientAuthority, HostFile, Name, TenantTls};

/// The time from one look to the next: what is new is in force after 2 s at most.
const EVERY: Duration = Duration::from_secs(1);
/// The part of the time that looking takes at most, where there are many thousands of files: one in twenty.
const SHARE: u32 = 20;

/// The files of the host's own certificate and of the authority of its clients.
type Written = (CertificateFiles, Option<ClientAuthority>);

/// The files as they were written last where that was not wrong.
#[derive(Default)]
struct Last {
    host: Option<Written>,
    tenants: BTreeMap<Name, TenantTls>,
}

impl Last {
    /// Takes what is written of each of these tenants. A document that is wrong changes nothing.
    fn take(&mut self, file: &HostFile, names: impl Iterator<Item = Name>) {
        let mut before = std::mem::take(&mut self.tenants);
        self.tenants = names
            .filter_map(|name| {
                let written = match file.problems_of(&name).has_errors() {
                    true => before.remove(&name)?,
                    false => file.terms(&name).tls,
                };
                let is_written = written.files.is_some() || written.clients.is_some();
                is_written.then_some((name, written))
            })
            .collect();
    }
}

/// The certificates that are looked at.
pub(super) struct Followed {
    certificates: Arc<Certificates>,
    /// The files as they were written last.
    last: Mutex<Last>,
    /// The names under which problems are shown now.
    shown: Mutex<BTreeSet<String>>,
}

impl Followed {
    pub(super) fn new(certificates: Arc<Certificates>) -> Self {
        Followed {
            certificates,
            last: Mutex::default(),
            shown: Mutex::default(),
        }
    }
}

impl Root {
    /// Looks at every certificate once.
    pub async fn look_at_certificates(self: &Arc<Self>) {
        let root = self.clone();
        let looked = tokio::task::spawn_blocking(move || root.compare_certificates()).await;
        if let Err(error) = looked {
            tracing::error!("certificates were not looked at: {error}");
        }
    }

    /// Looks again and again, until the host stops.
    pub fn follow_certificates(self: &Arc<Self>) {
        if self.certificates.is_none() {
            return;
        }
        let (root, tasks) = (self.clone(), self.ground.host.tasks());
        let stopping = tasks.stopping();
        tasks.spawn(async move {
            let followed = async {
                let mut took = Duration::ZERO;
                loop {
                    tokio::time::sleep(EVERY.max(took.saturating_mul(SHARE))).await;
                    let began = Instant::now();
                    root.look_at_certificates().await;
                    took = began.elapsed();
                }
            };
            stopping.run_until_cancelled(followed).await;
        });
    }

    fn compare_certificates(&self) {
        let Some(followed) = &self.certificates else {
            return;
        };
        let file = self.file.lock().file.clone();
        // HTTPS that is no longer written goes on until the host starts again, and its certificates with it.
        let written = file.tls.as_ref();
        let written = written.map(|tls| (tls.files.clone(), tls.clients.clone()));
        let names: Vec<Name> = self.entries().keys().cloned().collect();
        let mut last = followed.last.lock();
        last.host = written.or_else(|| last.host.take());
        last.take(&file, names.into_iter());
        let Some((files, clients)) = &last.host else {
            return;
        };
        let written = (files, clients.as_ref());
        let problems = followed.certificates.look(written, last.tenants.clone());
        drop(last);
        self.show_certificates(followed, problems);
    }

    /// Shows what is wrong beside the problems of directories, and no longer what is mended.
    fn show_certificates(&self, followed: &Followed, problems: Vec<(Option<Name>, Error)>) {
        let mut all: BTreeMap<String, Vec<Problem>> = BTreeMap::new();
        for (tenant, error) in problems {
            let about = tenant.map_or_else(
                || "certificate".to_owned(),
                |name| format!("certificate of {name}"),
            );
            all.entry(about).or_default().push(Problem::from(error));
        }
        for (about, problems) in &all {
            self.show(about, problems);
        }
        let now: BTreeSet<String> = all.into_keys().collect();
        let mut shown = followed.shown.lock();
        for mended in shown.difference(&now) {
            self.show(mended, &[]);
        }
        *shown = now;
    }
}
