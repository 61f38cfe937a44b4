//! Copies of one state component into another: over each driver that can list, from memory and back again.

use crate::{
    list::{self, Subject},
    open::component,
    state,
};
use bytes::Bytes;
use conformance::{features, runtime};
use libtest_mimic::Trial;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use wythe_blocks::{
    Call, Error, Host, Kind, Result, Settings, Tenant,
    state::{Copier, Entry, Operation, Portion, Put, PutOptions},
    time,
};
use wythe_manifest::Component;

type Case = (&'static str, fn(&'static Subject));

const CASES: [Case; 3] = [
    ("everything_is_there_and_comes_back", |subject| {
        run(there_and_back(subject));
    }),
    ("a_copy_goes_on_where_it_was", |subject| {
        run(goes_on(subject));
    }),
    ("what_is_not_the_same_is_found", |subject| {
        run(differs(subject));
    }),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![Trial::test(
        "migrate::what_cannot_be_copied_is_said",
        || {
            run(refusals());
            Ok(())
        },
    )];
    for subject in list::of("state") {
        let features = features(&state::open(subject), |driver| driver.features());
        let lacks = match (features.list, features.ttl) {
            (false, _) => Some(" (no list)"),
            (true, false) => Some(" (no ttl)"),
            (true, true) => None,
        };
        for (case, test) in CASES {
            let name = format!(
                "migrate::{}::{case}{}",
                subject.name(),
                lacks.unwrap_or_default()
            );
            let trial = Trial::test(name, move || {
                test(subject);
                Ok(())
            });
            trials.push(trial.with_ignored_flag(lacks.is_some()));
        }
    }
    trials
}

fn run(test: impl Future<Output = ()>) {
    runtime().expect("a runtime").block_on(test);
}

/// A tenant with the components `old` (in memory), `new` (the subject) and `back` (in memory).
struct Bed {
    _directory: tempfile::TempDir,
    host: Host,
    tenant: Arc<Tenant>,
}

impl Bed {
    async fn new(subject: Component, metadata: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let host = Host::default();
        let settings = Settings::new("default".parse().expect("a name"), directory.path());
        let tenant = host.open(settings).expect("a new tenant");
        let marked = metadata.replace('[', "[{ name: actorStateStore, value: 'true' }, ");
        let old = component("state", "memory", &marked);
        let back = component("state", "memory", metadata);
        let components = [("old", old), ("new", subject), ("back", back)];
        let file = directory.path().join("components.yaml");
        let components = components.map(|(name, mut one)| {
            one.source.file.clone_from(&file);
            one.name = name.parse().expect("a name");
            one
        });
        let registry = wythe_drivers::registry();
        let opened = tenant.open(&registry, &components).await;
        opened.unwrap_or_else(|errors| panic!("{errors:?}"));
        Bed {
            _directory: directory,
            host,
            tenant,
        }
    }

    async fn over(subject: &Subject) -> Self {
        Self::new(subject.component(&[]), "[]").await
    }

    fn copier(&self, from: &str, to: &str) -> Result<Copier> {
        self.tenant.state.copier(self.tenant.name(), from, to)
    }

    /// Writes an entry as an app does.
    async fn put(&self, store: &str, app: &str, put: Put) {
        let caller = caller(app);
        let store = self.tenant.state.open(&caller, store).expect("a store");
        store.put(&caller, put).await.expect("it is written");
    }

    async fn all(&self, store: &str, app: &str) -> BTreeMap<String, Entry> {
        let caller = caller(app);
        let store = self.tenant.state.open(&caller, store).expect("a store");
        let (mut all, mut after) = (BTreeMap::new(), None::<String>);
        loop {
            let page = store.list(&caller, "", after.as_deref(), Some(1_000)).await;
            let page = page.expect("a page");
            all.extend(page.entries);
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }

    async fn end(self) {
        self.host.close(Duration::from_secs(60)).await;
    }
}

fn caller(app: &str) -> Call {
    let name = |text: &str| text.parse().expect("a name");
    let deadline = time::deadline(Duration::from_secs(600));
    Call::operator(name("default"), name(app), deadline)
}

/// Copies whatever is left after a portion, and returns how many entries that were.
async fn copy(copier: &Copier, mut after: Option<String>) -> Result<u64> {
    let mut entries = 0;
    loop {
        let portion = copier.copy(after.as_deref()).await?;
        entries += portion.entries;
        after = portion.next;
        if after.is_none() {
            return Ok(entries);
        }
    }
}

async fn compare(copier: &Copier) -> Result<[u64; 2]> {
    let mut counts = [0, 0];
    for (is_back, count) in counts.iter_mut().enumerate() {
        let mut after = None::<String>;
        loop {
            let Portion { entries, next, .. } = match is_back {
                0 => copier.compare(after.as_deref()).await?,
                _ => copier.compare_back(after.as_deref()).await?,
            };
            *count += entries;
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(counts)
}

/// Entries of two apps with all that an entry has, and rows of the host.
async fn fill(bed: &Bed, count: usize) {
    for number in 0..count {
        let app = ["cart", "stock"][number % 2];
        let put = Put::new(format!("key {number:05} ä/%"), vec![b'a'; number % 700]);
        bed.put("old", app, put).await;
    }
    row_of_the_host(bed).await;
    let large = Put::new("large", vec![0xff; 3 << 20]);
    bed.put("old", "cart", large).await;
    let mut ends = Put::new("ends", "soon");
    ends.options = PutOptions {
        ttl: Some(Duration::from_secs(3_600)),
        content_type: Some("text/plain; charset=utf-8".to_owned()),
        ..PutOptions::default()
    };
    bed.put("old", "cart", ends).await;
}

async fn there_and_back(subject: &'static Subject) {
    let bed = Bed::over(subject).await;
    fill(&bed, 450).await;
    let copier = bed.copier("old", "new").expect("they fit");
    copier.begin().await.expect("it is empty");
    let count = copy(&copier, None).await.expect("a copy");
    assert_eq!(count, 453);
    let same = compare(&copier).await.expect("they are the same");
    assert_eq!(same, [count, count]);
    let again = copier.begin().await.expect_err("it is empty no more");
    assert_eq!(again.kind(), Kind::Conflict);
    assert!(again.message().contains("expected an empty one"), "{again}");
    let back = bed.copier("new", "back").expect("they fit");
    back.begin().await.expect("it is empty");
    assert_eq!(copy(&back, None).await.expect("a copy"), count);
    for app in ["cart", "stock"] {
        let (old, new) = (bed.all("old", app).await, bed.all("back", app).await);
        assert_eq!(old.len(), new.len());
        for ((key, old), (other, new)) in old.iter().zip(&new) {
            assert_eq!((key, &old.value), (other, &new.value));
            assert_eq!(old.content_type, new.content_type, "{key}");
            assert_eq!(old.expires.is_some(), new.expires.is_some(), "{key}");
        }
    }
    bed.end().await;
}

async fn goes_on(subject: &'static Subject) {
    let bed = Bed::over(subject).await;
    fill(&bed, 300).await;
    let copier = bed.copier("old", "new").expect("they fit");
    copier.begin().await.expect("it is empty");
    let first = copier.copy(None).await.expect("a portion");
    assert!(first.entries < 303 && first.next.is_some(), "{first:?}");
    // What was copied and not yet noted is copied again.
    let rest = copy(&copier, None).await.expect("all of it");
    assert_eq!(rest, 303);
    let rest = copy(&copier, first.next).await.expect("the rest");
    assert_eq!(rest, 303 - first.entries);
    compare(&copier).await.expect("they are the same");
    bed.end().await;
}

async fn differs(subject: &'static Subject) {
    let bed = Bed::over(subject).await;
    fill(&bed, 20).await;
    let copier = bed.copier("old", "new").expect("they fit");
    copy(&copier, None).await.expect("a copy");
    let found = |error: Error, key: &str| {
        assert_eq!(error.kind(), Kind::Conflict, "{error}");
        assert!(error.message().contains(key), "{error}");
        assert!(error.message().contains("stop every host"), "{error}");
    };
    bed.put("new", "cart", Put::new("more", "1")).await;
    found(compare(&copier).await.expect_err("one more"), "cart||more");
    bed.put("old", "cart", Put::new("more", "2")).await;
    found(compare(&copier).await.expect_err("other"), "cart||more");
    bed.put("new", "cart", Put::new("more", "2")).await;
    compare(&copier).await.expect("they are the same again");
    bed.put("old", "stock", Put::new("late", "1")).await;
    found(compare(&copier).await.expect_err("one less"), "stock||late");
    bed.end().await;
}

async fn refusals() {
    let bed = Bed::new(
        component("state", "redb", "[{ name: keyPrefix, value: name }]"),
        "[{ name: keyPrefix, value: name }]",
    )
    .await;
    let refused = |from: &str, to: &str| bed.copier(from, to).err().expect("a refusal");
    let same = refused("old", "old");
    assert!(same.message().contains("two state components"), "{same}");
    let unknown = refused("old", "other");
    assert_eq!(unknown.kind(), Kind::NotFound);
    assert!(unknown.message().contains("back, new, old"), "{unknown}");
    // The name of the component stands before the keys, and becomes that of the other one.
    bed.put("old", "cart", Put::new("a", "1")).await;
    row_of_the_host(&bed).await;
    let copier = bed.copier("old", "new").expect("they fit");
    copier.begin().await.expect("it is empty");
    copy(&copier, None).await.expect("a copy");
    compare(&copier).await.expect("they are the same");
    let there = bed.all("new", "stock").await;
    assert_eq!(there["a"].value, Bytes::from("1"));
    bed.end().await;
    let apart = component("state", "redb", "[{ name: keyPrefix, value: none }]");
    let bed = Bed::new(apart, "[]").await;
    let refused = bed.copier("old", "new").err().expect("a refusal");
    assert!(
        refused.message().contains("give both the same one"),
        "{refused}"
    );
    bed.end().await;
}

/// Writes a row that no app can name, into `old`, which is marked.
async fn row_of_the_host(bed: &Bed) {
    let caller = caller("host");
    let store = bed.tenant.state.internal_store().expect("a store");
    let put = Operation::Put(Put::new("||actors||entry||a", "1"));
    store.transact(&caller, vec![put]).await.expect("a row");
}
