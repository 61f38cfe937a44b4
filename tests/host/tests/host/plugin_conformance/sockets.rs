//! Plugins that speak TCP: a driver of Redis in the sandbox passes the suite of the block, and a hostile one reaches nothing
//! that its component does not name.

use super::{component, opener};
use conformance::{Opener, Subject, features, runtime, state, trial};
use libtest_mimic::{Failed, Trial};
use servers::{Redis, Server, are_required};
use std::{
    net::TcpListener,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU16, Ordering::SeqCst},
    },
};
use wythe_blocks::{Kind, state::Driver};

static REDIS: LazyLock<Server> =
    LazyLock::new(|| Server::start(Redis::default().with("databases 512")).expect("a server"));

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("plugins::sockets::no_other_server_is_reached", reached),
        Trial::test(
            "plugins::sockets::no_server_is_reached_without_a_word",
            unnamed,
        ),
        Trial::test("plugins::sockets::names_and_patterns", names),
    ];
    let missing = Server::missing(&Redis::default()).filter(|_| !are_required());
    if let Some(why) = missing {
        let name = format!("plugins::state::redis ({why})");
        trials.push(Trial::test(name, || Err(Failed::without_message())).with_ignored_flag(true));
        return trials;
    }
    let abilities = features(&redis(), |driver| driver.features());
    trials.extend(state::CASES.iter().map(|case| {
        let name = format!("plugins::state::redis::{}", case.name);
        trial(name, (case.needs)(&abilities), redis(), case.run)
    }));
    trials.push(Trial::test(
        "plugins::sockets::a_server_comes_back",
        returns,
    ));
    trials
}

/// The plugin over a database of its own.
fn redis() -> Opener<dyn Driver> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let address = REDIS.address();
    let settings = format!(
        "{{ name: allowedHosts, value: 'tcp://{address}' }}\n    - {{ name: redisHost, value: '{address}' }}\n    - {{ name: redisDB, value: '{}' }}",
        NEXT.fetch_add(1, SeqCst)
    );
    let component = component("state", "redis_plugin", &settings);
    opener(|registry| &registry.state, component)
}

/// The plugin that misbehaves, with a list of hosts.
fn bad(hosts: &str) -> Opener<dyn Driver> {
    let setting = format!("{{ name: allowedHosts, value: '{hosts}' }}");
    opener(
        |registry| &registry.state,
        component("state", "bad", &setting),
    )
}

/// The answers of a hostile plugin to attempts.
fn attempts<const N: usize>(open: &Opener<dyn Driver>, keys: [&str; N]) -> [String; N] {
    let directory = tempfile::tempdir().expect("a directory");
    let open = open(directory.path());
    runtime().expect("a runtime").block_on(async {
        let driver = Subject::start(open).await.driver();
        let mut answers = Vec::new();
        for key in keys {
            let mut answer = driver.get(&key.into()).await;
            while let Err(error) = &answer
                && error.message().contains("is starting again")
            {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                answer = driver.get(&key.into()).await;
            }
            let said = answer.map(|entry| {
                let value = entry.map(|entry| entry.value).unwrap_or_default();
                String::from_utf8_lossy(&value).into_owned()
            });
            answers.push(said.unwrap_or_else(|error| error.to_string()));
        }
        answers.try_into().expect("an answer to each")
    })
}

fn reached() -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let other = TcpListener::bind("127.0.0.1:0")?;
    let (here, there) = (listener.local_addr()?, other.local_addr()?);
    let open = bad(&format!("tcp://{here}"));
    let keys = [
        format!("net connect {here}"),
        format!("net connect {there}"),
        format!("net connect [::1]:{}", here.port()),
        format!("net connect 0.0.0.0:{}", here.port()),
        "net lookup localhost".to_owned(),
        "net listen".to_owned(),
        format!("net udp {here}"),
        format!("net many {here}"),
        format!("net wait {here}"),
        format!("net connect {here}"),
    ];
    let answers = attempts(&open, keys.each_ref().map(String::as_str));
    assert_eq!(answers[0], "connected");
    for (key, answer) in keys.iter().zip(&answers).skip(1).take(6) {
        assert!(answer.starts_with("failed: "), "{key}: {answer}");
    }
    // It ends with the handles that it has no more of.
    assert!(answers[7].contains("no free keys"), "{}", answers[7]);
    let late = &answers[8];
    assert!(late.contains("did not answer within 5s"), "{late}");
    // What it held is gone with its instance, and a fresh one goes on.
    assert_eq!(answers[9], "connected");
    Ok(())
}

fn unnamed() -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let here = listener.local_addr()?;
    for hosts in ["", "127.0.0.1", "*"] {
        let keys = [
            format!("net connect {here}"),
            "net lookup localhost".to_owned(),
        ];
        let answers = attempts(&bad(hosts), keys.each_ref().map(String::as_str));
        assert!(
            answers.iter().all(|answer| answer.starts_with("failed: ")),
            "{answers:?}"
        );
    }
    Ok(())
}

fn names() -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let open = bad(&format!("tcp://localhost:{port}"));
    let keys = [
        format!("net connect 127.0.0.1:{port}"),
        "net lookup localhost".to_owned(),
        "net lookup secret-of-mine.example.com".to_owned(),
    ];
    let answers = attempts(&open, keys.each_ref().map(String::as_str));
    assert_eq!(answers[0], "connected");
    assert!(answers[1].ends_with(" addresses"), "{answers:?}");
    assert!(answers[2].starts_with("failed: "), "{answers:?}");
    for (hosts, expected) in [
        (
            "tcp://*.example.com:1",
            "is a pattern; expected each server by its name or address",
        ),
        (
            "tcp://example.com",
            "is no server; expected `tcp://HOST:PORT`",
        ),
        ("tcp://*:1", "is a pattern"),
    ] {
        let directory = tempfile::tempdir()?;
        let opening = bad(hosts)(directory.path());
        let opened = runtime()?.block_on(async { opening().await.err() });
        let error = opened.ok_or("it opened")?;
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.message().contains(expected), "{error}");
    }
    Ok(())
}

/// The server is away for a while: the plugin says so, and goes on when it is back.
fn returns() -> Result<(), Failed> {
    let server = Arc::new(Server::start(Redis::default())?);
    let address = server.address();
    let settings = format!(
        "{{ name: allowedHosts, value: 'tcp://{address}' }}\n    - {{ name: redisHost, value: '{address}' }}"
    );
    let open = opener(
        |registry| &registry.state,
        component("state", "redis_plugin", &settings),
    );
    let directory = tempfile::tempdir()?;
    let open = open(directory.path());
    runtime()?.block_on(async {
        let driver = Subject::start(open).await.driver();
        let put = || wythe_blocks::state::Put::new("a", "1");
        driver.put(put()).await.expect("it is written");
        server.kill();
        let error = driver.put(put()).await.expect_err("nobody is there");
        assert!(
            matches!(error.kind(), Kind::UnknownOutcome | Kind::Unavailable),
            "{error}"
        );
        driver.get(&"a".into()).await.expect_err("nobody is there");
        let again = server.clone();
        tokio::task::spawn_blocking(move || again.restart())
            .await
            .expect("it restarts");
        let mut answer = driver.get(&"a".into()).await;
        for _ in 0..100 {
            if answer.is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            answer = driver.get(&"a".into()).await;
        }
        let entry = answer.expect("it is back").expect("it was written");
        assert_eq!(&entry.value[..], b"1");
    });
    Ok(())
}
