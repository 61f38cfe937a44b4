//! Locks in a whole host: the sample guest, the sample plugin, the command, and what is refused in which words.

use crate::{
    case,
    command::check,
    crash::{Process, run},
};
use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use host_tests::{Answer, MEMORY, Project, Running, client, guest, request};
use http::Method;
use libtest_mimic::Trial;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use wythe_blocks::{Call, Kind};

const APP: &str = "\
  - appID: lock
    guest: lock_sample.wasm
    ingress: /
    grants: { lock: [locks], state: [statestore] }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("lock::a_lock_is_taken_and_given_back", || {
            taken(locks("memory", ""))
        }),
        case("lock::a_plugin_grants_locks_too", || taken(locksmith())),
        case("lock::one_at_a_time_counts", || counts(locks("redb", ""))),
        case("lock::one_at_a_time_counts_with_a_plugin", || {
            counts(locksmith())
        }),
        case("lock::who_waits_gets_it_when_it_is_given_back", waits),
        case("lock::a_grant_outlives_the_host", restart),
        case("lock::a_superseded_holder_is_fenced_off", fenced),
        case("lock::a_driver_without_fences_says_so", fenceless),
        case("lock::bad_input_is_named", bad_input),
        case("lock::a_component_that_is_not_granted_is_denied", denied),
        case("lock::an_import_that_is_not_granted_is_refused", refused),
        case("lock::a_plugin_that_lies_is_found_out", violations),
        case("lock::a_token_is_of_no_use_to_another_app", stolen),
        case("lock::the_command_tells_and_ends_a_grant", command),
        case("lock::the_samples_own_manifest_is_good", manifest),
    ]
}

fn locks(driver: &str, metadata: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: locks }}\nspec: {{ type: lock.{driver}, version: v1, metadata: [{metadata}] }}\n"
    )
}

fn plugin(block: &str, name: &str, file: &str) -> String {
    let path = format!("{{ name: path, value: {} }}", guest(file).display());
    let locks = locks("wasm", &path).replace("name: locks", &format!("name: {name}"));
    locks.replace("lock.wasm", &format!("{block}.wasm"))
}

fn locksmith() -> String {
    plugin("lock", "locks", "locksmith")
}

async fn start(locks: &str) -> Result<Running> {
    let project = Project::new(APP).with("memory", MEMORY);
    project.with("locks", locks).start().await
}

async fn post(running: &Running, path: &str) -> Result<Answer> {
    running.send(Method::POST, path, &[], "").await
}

/// The token of a grant of the lock `route`.
async fn take(running: &Running, ttl: u64) -> Result<u64> {
    let path = format!("/take?name=door&ttl={ttl}&wait=10000");
    token(&post(running, &path).await?)
}

fn token(answer: &Answer) -> Result<u64> {
    ensure!(answer.status == 200, "{answer:?}");
    answer.json()["token"].as_u64().context("a token")
}

async fn reported(running: &Running, path: &str, status: u16, message: &str) -> Result<()> {
    let answer = post(running, path).await?;
    let (found, text) = (answer.status, answer.message());
    ensure!(
        (found, text.as_str()) == (status, message),
        "{path}: {answer:?}"
    );
    Ok(())
}

async fn taken(locks: String) -> Result<()> {
    let running = start(&locks).await?;
    let first = take(&running, 60_000).await?;
    let again = "/take?name=door&ttl=60000";
    reported(&running, again, 409, "somebody holds `door`").await?;
    ensure!(
        post(&running, "/take?name=window&ttl=60000").await?.status == 200,
        "each name is a lock of its own"
    );
    let answer = post(&running, &format!("/give?name=door&token={first}")).await?;
    ensure!(answer.text() == "given back\n", "{answer:?}");
    let second = take(&running, 60_000).await?;
    ensure!(second > first, "{second} after {first}");
    let over = format!("the grant of `door` with token {first} is over; acquire it again");
    let give = format!("/give?name=door&token={first}");
    reported(&running, &give, 409, &over).await?;
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// Each reads, adds one and writes; without the lock two of them would read the same.
async fn counts(locks: String) -> Result<()> {
    const CALLERS: u64 = 16;
    let running = start(&locks).await?;
    let calls = (0..CALLERS).map(|_| post(&running, "/count?key=n"));
    let mut found = BTreeSet::new();
    for answer in try_join_all(calls).await? {
        ensure!(answer.status == 200, "{answer:?}");
        found.insert(answer.json().as_u64().context("a number")?);
    }
    ensure!(found == (1..=CALLERS).collect(), "{found:?}");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn waits() -> Result<()> {
    let running = start(&locks("memory", "")).await?;
    let first = take(&running, 60_000).await?;
    let give = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        post(&running, &format!("/give?name=door&token={first}")).await
    };
    let (second, given) = tokio::join!(take(&running, 60_000), give);
    ensure!(given?.status == 200);
    let second = second?;
    ensure!(second > first, "{second} after {first}");
    Ok(())
}

async fn restart() -> Result<()> {
    let project = Project::new(APP).with("memory", MEMORY);
    let project = project.with("locks", &locks("redb", ""));
    let running = project.start().await?;
    let first = take(&running, 3_600_000).await?;
    ensure!(running.stop().await, "not everything finished");
    let running = project.start().await?;
    let again = "/take?name=door&ttl=60000";
    reported(&running, again, 409, "somebody holds `door`").await?;
    let answer = post(&running, &format!("/give?name=door&token={first}")).await?;
    ensure!(answer.status == 200, "{answer:?}");
    let second = take(&running, 60_000).await?;
    ensure!(second > first, "{second} after {first}");
    Ok(())
}

async fn fenced() -> Result<()> {
    let running = start(&locks("memory", "")).await?;
    let sleeper = take(&running, 50).await?;
    // It sleeps past its time; somebody else comes, and writes.
    let next = take(&running, 60_000).await?;
    let write = |token: u64, value: &str| format!("/write?key=a&token={token}&value={value}");
    let answer = post(&running, &write(next, "new")).await?;
    ensure!(answer.text() == "written\n", "{answer:?}");
    let late =
        format!("`a` was written with fence {next}; expected at least that, found {sleeper}");
    reported(&running, &write(sleeper, "old"), 409, &late).await?;
    let answer = post(&running, &write(next, "newer")).await?;
    ensure!(answer.text() == "written\n", "{answer:?}");
    Ok(())
}

async fn fenceless() -> Result<()> {
    let store = plugin("state", "statestore", "bad");
    let project = Project::new(APP).with("store", &store);
    let running = project.with("locks", &locks("memory", "")).start().await?;
    let message = "state component `statestore` has no fence; its features say so";
    reported(&running, "/write?key=a&token=1&value=b", 501, message).await
}

/// Path, status and message.
const BAD: &[(&str, u16, &str)] = &[
    (
        "/take?name=door&ttl=0",
        400,
        "a ttl of 0 ms; expected 1 ms to 24 h",
    ),
    (
        "/take?name=door&ttl=31536000000",
        400,
        "a ttl of 31536000000 ms; expected 1 ms to 24 h",
    ),
    (
        "/take?name=door&ttl=18446744073709551615&wait=18446744073709551615",
        400,
        "a ttl of 18446744073709551615 ms; expected 1 ms to 24 h",
    ),
    (
        "/take?name=&ttl=1000",
        400,
        "the name of a lock has 0 bytes; expected 1 to 256",
    ),
    (
        "/take?name=a%7C%7Cb&ttl=1000",
        400,
        "the name `a||b` has `||`, which separates an app's name from its locks; use another separator",
    ),
    (
        "/take?name=a%00b&ttl=1000",
        400,
        "the name of a lock has a NUL character; expected text without NUL",
    ),
    (
        "/give?name=door&token=7",
        409,
        "the grant of `door` with token 7 is over; acquire it again",
    ),
];

/// Two apps share the names; one of them knows the token that the other was granted.
async fn stolen() -> Result<()> {
    let shared = "{ name: keyPrefix, value: name }";
    let with_prefix = locksmith().replace("metadata: [", &format!("metadata: [{shared}, "));
    for locks in [locks("memory", shared), locks("redb", shared), with_prefix] {
        let running = start(&locks).await?;
        let lock = &running.booted.tenant.lock;
        let (owner, thief) = (operator("owner")?, operator("thief")?);
        let (ttl, wait) = (Duration::from_secs(60), Duration::ZERO);
        let lease = lock.acquire(&owner, "locks", "door", ttl, wait).await?;
        let token = lease.context("a grant")?.token();
        let stolen = lock.resume(&thief, "locks", "door", token).await;
        let error = stolen.err().context("the other app resumed it")?;
        ensure!(error.kind() == Kind::Conflict, "{error}");
        lock.resume(&owner, "locks", "door", token).await?;
        running.stop().await;
    }
    Ok(())
}

fn operator(app: &str) -> Result<Call> {
    let deadline = Instant::now() + Duration::from_secs(60);
    Ok(Call::operator("default".parse()?, app.parse()?, deadline))
}

async fn bad_input() -> Result<()> {
    let running = start(&locks("memory", "")).await?;
    for (path, status, message) in BAD {
        reported(&running, path, *status, message).await?;
    }
    let long = format!("/take?ttl=1&name={}", "x".repeat(257));
    let message = "the name of a lock has 257 bytes; expected 1 to 256";
    reported(&running, &long, 400, message).await
}

async fn denied() -> Result<()> {
    let apps = APP.replace("lock: [locks]", "lock: [other]");
    let project = Project::new(&apps).with("memory", MEMORY);
    let other = locks("memory", "").replace("name: locks", "name: other");
    let project = project.with("locks", &locks("memory", ""));
    let running = project.with("other", &other).start().await?;
    let message = "app `lock` is not granted lock component `locks`; add it to `grants: { lock: [locks] }` at wythe.yaml:4";
    for path in ["/take?name=a&ttl=1000", "/give?name=a&token=1"] {
        reported(&running, path, 403, message).await?;
    }
    Ok(())
}

async fn refused() -> Result<()> {
    let apps = APP.replace("lock: [locks], ", "");
    let problems = Project::new(&apps).with("memory", MEMORY).problems().await;
    ensure!(
        problems
            == [
                "app `lock` imports `wythe:blocks/lock@0.1.0`, which is not granted; add `grants: { lock: [lockstore] }` at wythe.yaml:4"
            ],
        "{problems:?}"
    );
    Ok(())
}

async fn violations() -> Result<()> {
    let running = start(&locksmith()).await?;
    let cases = [
        (
            "/take?name=a!thief&ttl=1000",
            500,
            "plugin `locks` granted a lock to another than who asked for it",
        ),
        (
            "/take?name=a!never&ttl=1000",
            500,
            "plugin `locks` answered with a grant that ends later than any may",
        ),
    ];
    for (path, status, message) in cases {
        reported(&running, path, status, message).await?;
    }
    // Nobody knows whether it was granted before it fell.
    let answer = post(&running, "/take?name=a!trap&ttl=1000").await?;
    ensure!(answer.status == 503, "{answer:?}");
    ensure!(
        answer.json()["error"] == "unknown-outcome" && answer.message().contains("`locks` trapped"),
        "{answer:?}"
    );
    // The next instance serves, with higher tokens.
    take(&running, 1_000).await.map(drop)
}

async fn command() -> Result<()> {
    let project = Project::new(APP).with("memory", MEMORY);
    let project = project.with("locks", &locks("redb", ""));
    let path = project.path();
    let holder = "lock holder locks door";
    check(path, (holder, 0, "nobody holds it\n", ""))?;
    let Process { mut child, url } = run(&project, &[])?;
    let take = format!("{url}/take?name=door&ttl=3600000");
    let answer = request(&client(), Method::POST, &take, &[], "").await;
    let steps = answer.and_then(|answer| {
        let token = token(&answer)?;
        let held = format!("`lock` holds it with token {token} for …");
        check(path, (holder, 0, &held, ""))?;
        let json = "{\"holder\":{…";
        check(path, ("-o json lock holder locks door", 0, json, ""))?;
        let released = format!("released; `lock` held it with token {token}\n");
        check(path, ("lock release locks door", 0, &released, ""))?;
        check(
            path,
            ("lock release locks door", 0, "nobody holds it\n", ""),
        )?;
        check(
            path,
            (
                "lock holder locks door --app lock",
                0,
                "nobody holds it\n",
                "",
            ),
        )
    });
    child.kill()?;
    child.wait()?;
    steps?;
    check(
        path,
        (
            "lock holder others door",
            1,
            "",
            "error: no lock component `others` for app `lock`\n",
        ),
    )
}

async fn manifest() -> Result<()> {
    let plan = wythe::boot::plan(&host_tests::sample("lock"));
    let (plan, problems) = plan.map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    ensure!(problems.is_empty(), "{problems:?}");
    ensure!(plan.manifest.apps.len() == 1);
    Ok(())
}
