//! Lines of reminders: what is read, what waits, and what is tried again.

use super::{
    queue::{EXPECTED, FAILED},
    *,
};
use crate::actors::Actor;
use std::collections::{HashMap, HashSet};

const NOW: u64 = 1_700_000_000_000;

/// A store's rows, and how many of them were read. The type of an actor is the name of its app.
#[derive(Default)]
struct Store {
    rows: BTreeSet<String>,
    read: usize,
    pages: usize,
}

impl Store {
    fn add(&mut self, app: &str, due: u64, count: usize) {
        for id in 0..count {
            self.rows.insert(rows::due(&actor(app, id), "r", due));
        }
    }

    /// A page for each reading that is wanted; an endless store would have one for ever.
    fn serve(&mut self, due: &Due, now: Instant) {
        while let Some(reading) = due.pick(now) {
            self.page(due, &reading);
        }
    }

    fn page(&mut self, due: &Due, reading: &Reading) {
        let (from, prefix) = (reading.from.clone(), reading.prefix());
        let is_meant = |key: &&String| **key > from && key.starts_with(&prefix);
        let mut rows = self.rows.range(from.clone()..).filter(is_meant);
        let limit = reading.limit() as usize;
        let keys: Vec<_> = rows.by_ref().take(limit).cloned().collect();
        let next = rows.next().and_then(|_| keys.last().cloned());
        self.read += keys.len();
        self.pages += 1;
        let owner = |kind: &str| name(kind).filter(|name| name.as_str() != "nobody");
        due.file(reading, &keys, next.as_deref(), owner, NOW);
    }
}

fn actor(app: &str, id: usize) -> Actor {
    let tenant = name("default").unwrap();
    Actor::new(&tenant, app, &format!("{id:06}")).unwrap()
}

fn name(name: &str) -> Option<Name> {
    name.parse().ok()
}

fn start(apps: &[&str]) -> Due {
    let due = Due::new(Duration::from_secs(1));
    let apps = apps.iter().filter_map(|app| name(app)).collect();
    due.attach(&apps, NOW);
    due
}

/// Rows that begin where each app has so many places.
fn begin(due: &Due, now: Instant, permits: usize) -> Vec<(Name, Arc<str>)> {
    let taken = Mutex::new(HashMap::<Name, usize>::new());
    let permit = |app: &Name| {
        let mut taken = taken.lock();
        let taken = taken.entry(app.clone()).or_default();
        *taken += 1;
        (*taken <= permits).then_some(())
    };
    let begun = due.begin(now, permit).into_iter();
    begun.map(|begun| (begun.app, begun.key)).collect()
}

#[test]
fn many_rows_of_one_app_are_not_before_those_of_another() {
    for age in [1_000, 100_000_000] {
        let (due, mut store, now) = (start(&["many", "one"]), Store::default(), Instant::now());
        store.add("many", NOW - age, 10_000);
        store.add("one", NOW - 10, 1);
        store.serve(&due, now);
        let begun = begin(&due, now, 2);
        let of = |app: &str| begun.iter().filter(|(of, _)| of.as_str() == app).count();
        assert_eq!((of("many"), of("one")), (2, 1));
    }
}

#[test]
fn every_row_has_one_turn_and_is_read_few_times() {
    let (due, mut store, now) = (start(&["many", "one"]), Store::default(), Instant::now());
    store.add("many", NOW - 100_000_000, 10_000);
    let mut had = HashSet::new();
    loop {
        store.serve(&due, now);
        let begun = begin(&due, now, 64);
        if begun.is_empty() {
            break;
        }
        for (app, key) in begun {
            store.rows.remove(&*key);
            due.end(&app, &key, Outcome::Done, now);
            assert!(had.insert(key));
        }
    }
    assert_eq!(had.len(), 10_000);
    assert!(store.read < 40_000, "{} rows were read", store.read);
}

#[test]
fn what_nobody_has_is_read_ever_more_rarely() {
    let (due, mut store, now) = (start(&["one"]), Store::default(), Instant::now());
    store.add("nobody", NOW - 1_000, 1_000);
    // A walk over all rows in each minute, and one of the app's own.
    for second in 0..600 {
        store.serve(&due, now + Duration::from_secs(second));
        assert!(begin(&due, now, 64).is_empty());
    }
    assert!(store.read < 20_000, "{} rows were read", store.read);
    let read = store.read;
    let apps = ["one", "two"].iter().filter_map(|app| name(app)).collect();
    due.attach(&apps, NOW);
    store.serve(&due, now);
    assert!(store.read >= read + 1_000, "at once when an app comes");
}

#[test]
fn a_row_that_failed_waits_without_being_read() {
    let (due, mut store) = (start(&["one"]), Store::default());
    store.add("one", NOW - 10, 1);
    let (app, mut now) = (name("one").unwrap(), Instant::now());
    for (attempt, pause) in [1, 2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
        store.serve(&due, now);
        let begun = begin(&due, now, 64);
        assert_eq!(begun.len(), 1);
        assert_eq!(due.attempts(&app, &begun[0].1), attempt as u32);
        due.end(&app, &begun[0].1, Outcome::Failed, now);
        for later in [0, pause * 1_000 - 1] {
            store.serve(&due, now + Duration::from_millis(later));
            let begun = begin(&due, now + Duration::from_millis(later), 64);
            assert!(begun.is_empty(), "{begun:?}");
        }
        now += Duration::from_secs(pause);
    }
    let begun = begin(&due, now, 64);
    due.end(&app, &begun[0].1, Outcome::Hindered, now);
    assert_eq!(due.attempts(&app, &begun[0].1), 8, "that was no attempt");
    now += Duration::from_secs(60);
    let begun = begin(&due, now, 64);
    due.end(&app, &begun[0].1, Outcome::Done, now);
    assert_eq!(due.attempts(&app, &begun[0].1), 0);
}

#[test]
fn failures_that_are_remembered_are_bounded() {
    let (due, mut store, now) = (start(&["one"]), Store::default(), Instant::now());
    store.add("one", NOW - 10, FAILED + 1_000);
    loop {
        store.serve(&due, now);
        let begun = begin(&due, now, 64);
        if begun.is_empty() {
            break;
        }
        for (app, key) in begun {
            due.end(&app, &key, Outcome::Failed, now);
        }
    }
    let known = |due: &Due| due.schedule().queues[&name("one").unwrap()].known.len();
    assert_eq!(known(&due), FAILED);
    // The others are found again by the walk over all rows.
    let later = now + Duration::from_millis(1_500);
    due.schedule().all.again = later;
    store.serve(&due, later);
    assert!(known(&due) > FAILED);
}

#[test]
fn a_row_that_comes_behind_while_a_page_is_read_is_not_lost() {
    let (due, mut store, now) = (start(&["one"]), Store::default(), Instant::now());
    store.serve(&due, now);
    due.schedule().looks.fill(now);
    store.add("one", NOW - 5, 1);
    let one = name("one").unwrap();
    // No room to remember it.
    for n in 0..EXPECTED {
        due.set(&one, &actor("one", n), "other", NOW + 50_000, NOW);
    }
    let reading = due.pick(now).expect("it is time to look");
    // This one is kept after the page was read, and is before its end.
    due.set(&one, &actor("one", 0), "r", NOW - 9, NOW);
    store.page(&due, &reading);
    store.add("one", NOW - 9, 1);
    store.serve(&due, now);
    assert_eq!(begin(&due, now, 64).len(), 2);
}

#[test]
fn a_page_of_before_an_app_came_is_not_believed() {
    let (due, mut store, now) = (start(&["one"]), Store::default(), Instant::now());
    store.add("one", NOW - 100_000_000, 1);
    let reading = due.pick(now).expect("there is something to read");
    due.attach(&BTreeSet::from_iter(name("one")), NOW);
    store.page(&due, &reading);
    assert!(begin(&due, now, 64).is_empty());
    store.serve(&due, now);
    assert_eq!(begin(&due, now, 64).len(), 1);
}

#[test]
fn a_row_of_ones_own_does_not_wait_for_those_of_others() {
    let (due, now) = (start(&["many", "one"]), Instant::now());
    let (one, soon, late) = (name("one").unwrap(), actor("one", 1), actor("one", 2));
    due.set(&one, &soon, "r", NOW + 200, NOW);
    due.set(&one, &late, "r", NOW + 120_000, NOW);
    assert!(begin(&due, now, 1).is_empty());
    // Nothing was read, and it is time.
    let begun = begin(&due, now + Duration::from_secs(50), 1);
    assert_eq!(
        begun,
        [(one.clone(), rows::due(&soon, "r", NOW + 200).into())]
    );
    // The first page that is read for the app is the one with its row.
    let later = now + Duration::from_secs(1_000);
    let picked =
        std::iter::from_fn(|| due.pick(later)).find(|page| page.app.as_ref() == Some(&one));
    assert_eq!(picked.map(|page| page.shard), Some(late.shard()));
}

#[test]
fn a_row_that_is_gone_is_not_remembered() {
    let (due, now, one) = (start(&["one"]), Instant::now(), name("one").unwrap());
    for n in 0..EXPECTED {
        due.set(&one, &actor("one", n), "r", NOW + 10_000, NOW);
        due.forget(&one, &actor("one", n), "r", NOW + 10_000);
    }
    let later = now + Duration::from_secs(60);
    assert!(begin(&due, later, usize::MAX).is_empty());
    // There is room for all that come.
    due.set(&one, &actor("one", 0), "r", NOW + 10_000, NOW);
    assert_eq!(begin(&due, later, 1).len(), 1);
    // One that waits for its permit stays, and is looked for.
    due.set(&one, &actor("one", 1), "r", NOW, NOW);
    assert!(begin(&due, later, 0).is_empty());
    due.forget(&one, &actor("one", 1), "r", NOW);
    let begun = due.begin(later, |_| Some(()));
    assert!(begun.len() == 1 && !begun[0].was_read);
}

#[test]
fn a_row_that_is_due_before_its_time_goes_at_once() {
    let (due, mut store, now) = (start(&["one"]), Store::default(), Instant::now());
    due.set(
        &name("one").unwrap(),
        &actor("one", 0),
        "r",
        NOW - 1,
        NOW - 30_000,
    );
    store.add("one", NOW - 1, 1);
    due.schedule().looks.fill(now);
    store.serve(&due, now);
    assert_eq!(begin(&due, now, 64).len(), 1, "the clock was set");
    assert!(
        begin(&due, now + Duration::from_secs(31), 64).is_empty(),
        "and not twice"
    );
}
