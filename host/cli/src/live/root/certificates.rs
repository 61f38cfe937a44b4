//! The certificates of the host and of its tenants: a look now and then, apart from that at the directories, which may take
//! long.

use super::Root;
use crate::report::Problem;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_api::Certificates;
use wythe_blocks::{Entrance, Error};
use wythe_manifest::{CertificateFiles, ClientAuthority, HostFile, Name, TenantTls, Terms};

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

/// The problem of a host that requires certificates of its clients, and answers others than this machine in clear, where nobody
/// can show one.
pub fn unenforced(plain: Option<SocketAddr>, file: &HostFile) -> Option<Problem> {
    let clients = file.tls.as_ref()?.clients.as_ref();
    let required = clients.filter(|clients| clients.is_required)?;
    let open = plain.filter(|address| !address.ip().to_canonical().is_loopback())?;
    let message = format!(
        "spec.tls.clientCa: clients that ask in clear, at {open}, show no certificate; leave that address out (`listen`, \
         `--listen`), have it be of this machine alone, such as 127.0.0.1:{}, or write `clientCertificates: optional`",
        open.port()
    );
    Some(Problem::new(message).at(&required.source))
}

impl Root {
    /// Asks clients of a tenant that is served for what its new terms ask for as well, before anything of the change is read: it
    /// is served under these terms or not at all.
    pub(super) fn narrow(&self, terms: &Terms) {
        let routes = self.ground.host.routes();
        let before = routes.entrance(&terms.tenant);
        let narrow = before.clone().narrowed(&Entrance::of(Some(terms)));
        if narrow != before
            && let Err(error) = routes.enter(&terms.tenant, narrow)
        {
            let tenant = &terms.tenant;
            tracing::error!(%tenant, "its clients are not asked for certificates: {error}");
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_others_need_not_show_are_not_required() {
        let of = |clients: &str| {
            let text = format!(
                "apiVersion: wythe/v1\nkind: Host\nspec:\n  \
                 tls: {{ listen: 1, certificate: a, key: b{clients} }}\n"
            );
            let (file, problems) =
                wythe_manifest::parse_host_file(&text, "wythe-host.yaml".as_ref());
            assert!(problems.is_empty(), "{problems}");
            file
        };
        let required = of(", clientCa: c");
        for address in [
            "0.0.0.0:80",
            "[::]:80",
            "192.0.2.1:80",
            "[::ffff:192.0.2.1]:80",
        ] {
            let problem = unenforced(Some(address.parse().unwrap()), &required).expect(address);
            let found = problem.position.map(|at| (at.line, at.column));
            assert_eq!(found, Some((4, 55)), "{address}");
            let begin = format!("spec.tls.clientCa: clients that ask in clear, at {address}, ");
            assert!(problem.message.starts_with(&begin), "{}", problem.message);
        }
        for address in ["127.0.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert!(unenforced(Some(address.parse().unwrap()), &required).is_none());
        }
        assert!(unenforced(None, &required).is_none());
        let open = Some("0.0.0.0:80".parse().unwrap());
        for clients in ["", ", clientCa: c, clientCertificates: optional"] {
            assert!(unenforced(open, &of(clients)).is_none(), "{clients}");
        }
        assert!(unenforced(open, &HostFile::default()).is_none());
    }
}
