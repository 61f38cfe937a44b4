//! The driver over a directory of its own, with an app that refuses as often as it is told to.

use super::*;
use bytes::Bytes;
use parking_lot::Mutex;
use std::{collections::VecDeque, fs};
use tempfile::TempDir;

/// Longer than any case waits for something that must not come.
const LONG: Duration = Duration::from_secs(300);

/// An app that refuses each delivery for which there is an answer `false`.
#[derive(Default)]
struct Ear {
    answers: Mutex<VecDeque<bool>>,
    heard: Mutex<Vec<(String, Bytes, u32)>>,
    news: Notify,
}

impl Ear {
    fn refusing(times: usize) -> Arc<Self> {
        Arc::new(Ear {
            answers: Mutex::new(vec![false; times].into()),
            ..Ear::default()
        })
    }

    fn heard(&self) -> Vec<(String, Bytes, u32)> {
        let heard = self.heard.lock();
        heard.clone()
    }

    async fn until(&self, count: usize) -> Vec<(String, Bytes, u32)> {
        loop {
            let news = self.news.notified();
            let heard = self.heard();
            if heard.len() >= count {
                return heard;
            }
            news.await;
        }
    }
}

#[async_trait]
impl Sink for Ear {
    fn max_bytes(&self) -> u64 {
        10
    }

    async fn deliver(&self, delivery: Delivery) -> Result<Bytes> {
        let name = delivery.metadata[0].1.clone();
        let heard = (name, delivery.data, delivery.attempt);
        self.heard.lock().push(heard);
        self.news.notify_one();
        match self.answers.lock().pop_front() {
            Some(false) => Err(Error::internal("refused, as told")),
            _ => Ok(Bytes::new()),
        }
    }
}

/// A reader that goes on beside the case.
struct Reading {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Reading {
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn config(pattern: Option<&str>, done: Option<&str>) -> Config {
    Config {
        path: "inbox".into(),
        pattern: pattern.map(str::to_owned),
        done: done.map(str::to_owned),
    }
}

#[expect(clippy::disallowed_methods, reason = "the test waits for it")]
async fn start(place: &TempDir, config: Config, ear: &Arc<Ear>) -> Reading {
    let driver = open(parse(config).unwrap(), site(place)).await.unwrap();
    let (stop, ear) = (CancellationToken::new(), ear.clone());
    let until = stop.clone();
    let task = tokio::spawn(async move { driver.read(ear, until).await });
    Reading { stop, task }
}

fn site(place: &TempDir) -> Site {
    Site {
        terms: None,
        ledger: None,
        tenant: "default".parse().unwrap(),
        component: "inbox".into(),
        directory: place.path().join("data"),
        beside: place.path().to_owned(),
        root: place.path().to_owned(),
        environment: Default::default(),
    }
}

fn put(place: &TempDir, name: &str, text: &str) {
    let directory = place.path().join("inbox");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(name), text).unwrap();
}

fn left(place: &TempDir, below: &str) -> Vec<String> {
    let entries = fs::read_dir(place.path().join(below)).unwrap();
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

/// Waits for files to be put away, a moment after they were heard.
async fn until_left(place: &TempDir, below: &str, expected: &[&str]) {
    while left(place, below) != expected {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn heard(name: &str, text: &'static str, attempt: u32) -> (String, Bytes, u32) {
    (name.into(), Bytes::from_static(text.as_bytes()), attempt)
}

#[tokio::test(start_paused = true)]
async fn each_file_is_delivered_once_and_deleted() {
    let (place, ear) = (tempfile::tempdir().unwrap(), Ear::refusing(0));
    put(&place, "a", "one");
    let reading = start(&place, config(None, None), &ear).await;
    ear.until(1).await;
    put(&place, "b", "two");
    let all = ear.until(2).await;
    assert_eq!(all, [heard("a", "one", 1), heard("b", "two", 1)]);
    until_left(&place, "inbox", &[]).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(ear.heard().len(), 2);
    reading.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_oldest_comes_first() {
    let (place, ear) = (tempfile::tempdir().unwrap(), Ear::refusing(0));
    for (name, age) in [("a", 10), ("b", 30), ("c", 20)] {
        put(&place, name, name);
        let file = fs::File::options()
            .write(true)
            .open(place.path().join("inbox").join(name));
        let then = std::time::SystemTime::now() - Duration::from_secs(age);
        file.unwrap().set_modified(then).unwrap();
    }
    let reading = start(&place, config(None, None), &ear).await;
    let all = ear.until(3).await;
    let names: Vec<_> = all.iter().map(|heard| heard.0.as_str()).collect();
    assert_eq!(names, ["b", "c", "a"]);
    reading.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_meant_stays() {
    let (place, ear) = (tempfile::tempdir().unwrap(), Ear::refusing(0));
    let others = [".hidden.csv", "a.csv.part", "a.csv.tmp", "a.txt"];
    for name in others {
        put(&place, name, "no");
    }
    fs::create_dir(place.path().join("inbox/below.csv")).unwrap();
    put(&place, "yes.csv", "yes");
    let reading = start(&place, config(Some("*.csv"), None), &ear).await;
    ear.until(1).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(ear.heard(), [heard("yes.csv", "yes", 1)]);
    let expected = [
        ".hidden.csv",
        "a.csv.part",
        "a.csv.tmp",
        "a.txt",
        "below.csv",
    ];
    assert_eq!(left(&place, "inbox"), expected);
    reading.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_gets_its_name_at_its_end_is_delivered() {
    let (place, ear) = (tempfile::tempdir().unwrap(), Ear::refusing(0));
    put(&place, "a.part", "whole");
    let reading = start(&place, config(None, None), &ear).await;
    tokio::time::sleep(LONG).await;
    let inbox = place.path().join("inbox");
    fs::rename(inbox.join("a.part"), inbox.join("a")).unwrap();
    assert_eq!(ear.until(1).await, [heard("a", "whole", 1)]);
    reading.end().await;
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_link_is_not_followed() {
    let (place, ear) = (tempfile::tempdir().unwrap(), Ear::refusing(0));
    let outside = place.path().join("outside");
    fs::write(&outside, "secret").unwrap();
    put(&place, "a", "one");
    for (name, target) in [("link", outside.clone()), ("near", "a".into())] {
        std::os::unix::fs::symlink(target, place.path().join("inbox").join(name)).unwrap();
    }
    let reading = start(&place, config(None, None), &ear).await;
    ear.until(1).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(ear.heard(), [heard("a", "one", 1)]);
    assert_eq!(left(&place, "inbox"), ["link", "near"]);
    assert_eq!(fs::read_to_string(outside).unwrap(), "secret");
    reading.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_refused_comes_again_and_holds_up_no_other() {
    let (place, ear) = (tempfile::tempdir().unwrap(), Ear::refusing(2));
    put(&place, "a", "one");
    let reading = start(&place, config(None, None), &ear).await;
    ear.until(1).await;
    let first = Instant::now();
    ear.until(2).await;
    assert!(first.elapsed() >= Duration::from_secs(1));
    put(&place, "b", "two");
    let all = ear.until(4).await;
    let of = |name: &str| -> Vec<u32> {
        let own = all.iter().filter(|heard| heard.0 == name);
        own.map(|heard| heard.2).collect()
    };
    assert_eq!((of("a"), of("b")), (vec![1, 2, 3], vec![1]));
    until_left(&place, "inbox", &[]).await;
    reading.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_changed_after_a_refusal_is_another_message() {
    let (place, ear) = (tempfile::tempdir().unwrap(), Ear::refusing(1));
    put(&place, "a", "one");
    let reading = start(&place, config(None, None), &ear).await;
    ear.until(1).await;
    put(&place, "a", "another");
    let all = ear.until(2).await;
    assert_eq!(all, [heard("a", "one", 1), heard("a", "another", 1)]);
    reading.end().await;
}

#[tokio::test(start_paused = true)]
async fn done_files_are_moved_and_overwrite_none() {
    let (place, ear) = (tempfile::tempdir().unwrap(), Ear::refusing(0));
    let reading = start(&place, config(None, Some("move:done")), &ear).await;
    put(&place, "a", "one");
    until_left(&place, "inbox/done", &["a"]).await;
    put(&place, "a", "two");
    ear.until(2).await;
    until_left(&place, "inbox", &["done"]).await;
    let names = left(&place, "inbox/done");
    assert_eq!((names.len(), names[0].as_str()), (2, "a"));
    assert!(names[1].starts_with("a."), "{names:?}");
    for (name, text) in names.iter().zip(["one", "two"]) {
        let path = place.path().join("inbox/done").join(name);
        assert_eq!(fs::read_to_string(path).unwrap(), text);
    }
    reading.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_delivers_what_was_refused_and_nothing_that_was_taken() {
    let (place, ear) = (tempfile::tempdir().unwrap(), Ear::refusing(0));
    put(&place, "a", "one");
    let reading = start(&place, config(None, Some("move:done")), &ear).await;
    until_left(&place, "inbox/done", &["a"]).await;
    reading.end().await;
    let refusing = Ear::refusing(1_000);
    put(&place, "b", "two");
    let reading = start(&place, config(None, Some("move:done")), &refusing).await;
    refusing.until(3).await;
    reading.end().await;
    let reading = start(&place, config(None, Some("move:done")), &ear).await;
    let all = ear.until(2).await;
    assert_eq!(all, [heard("a", "one", 1), heard("b", "two", 1)]);
    until_left(&place, "inbox/done", &["a", "b"]).await;
    reading.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_too_large_is_read_no_further_and_stays() {
    let (place, ear) = (tempfile::tempdir().unwrap(), Ear::refusing(1));
    put(&place, "a", "0123456789abcdef");
    let reading = start(&place, config(None, None), &ear).await;
    assert_eq!(ear.until(1).await, [heard("a", "0123456789a", 1)]);
    reading.end().await;
    assert_eq!(left(&place, "inbox"), ["a"]);
}

#[test]
fn a_setting_that_is_wrong_is_told() {
    let expected =
        "expected `delete`, or `move:` and the name of a directory below, such as `move:done`";
    for done in [
        "keep",
        "move",
        "move:",
        "move:..",
        "move:a/b",
        "move:/etc",
        "delete:",
    ] {
        let error: Error = parse(config(None, Some(done))).err().unwrap().into();
        assert_eq!(error.message(), format!("done: `{done}`; {expected}"));
    }
    let error: Error = parse(config(Some("a/*"), None)).err().unwrap().into();
    assert_eq!(
        error.message(),
        "pattern: `a/*`; expected a name of a file in which `*` stands for any text, such as `*.csv`"
    );
}
