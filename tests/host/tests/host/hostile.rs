//! A guest that attacks: each attack is a typed error, the host lives, and the neighbour does not notice.

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, Running};
use http::Method;
use libtest_mimic::Trial;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const APPS: &str = "\
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/open], invoke: [hostile], http: [\"api.example.com\"] }
    limits: { wallTime: 3s, cpuTime: 500ms }
    env: { GREETING: hello }
  - appID: neighbour
    guest: hello.wasm
    ingress: /neighbour
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";

/// Path, status, and what the answer says.
const ATTACKS: &[(&str, &str, u16, &str)] = &[
    (
        "spins",
        "/spin",
        504,
        "`hostile` used its 500ms of CPU time; see `limits.cpuTime`",
    ),
    (
        "sleeps",
        "/sleep?ms=60000",
        504,
        "`hostile` did not answer in time; see `limits.wallTime`",
    ),
    ("allocates", "/alloc?mib=4096", 200, "allocated "),
    (
        "recurses",
        "/recurse",
        502,
        "`hostile` trapped: wasm trap: call stack exhausted; its stack of 512KiB is used up",
    ),
    (
        "traps",
        "/trap",
        502,
        "`hostile` trapped: wasm trap: wasm `unreachable` instruction executed",
    ),
    (
        "leaks_handles_of_the_host",
        "/leak-handles?kind=statestore&count=1000000",
        502,
        "`hostile` ",
    ),
    (
        "leaks_handles_of_wasi",
        "/leak-handles?kind=fields&count=1000000",
        502,
        "`hostile` ",
    ),
    ("floods_the_log", "/log-flood?mib=8", 200, "logged 8 MiB"),
    ("floods_stdout", "/stdout-flood?mib=4", 200, "wrote 4 MiB"),
    (
        "passes_a_huge_string",
        "/big-string?mib=16",
        502,
        "`hostile` ",
    ),
    (
        "asks_for_much_randomness",
        "/random?mib=64",
        502,
        "`hostile` ",
    ),
    ("opens_files", "/files", 200, "/etc/passwd: refused: "),
    ("reads_the_environment", "/env", 200, "GREETING=hello"),
    (
        "connects_to_a_socket",
        "/connect?to=127.0.0.1:22",
        200,
        "refused: ",
    ),
    (
        "resolves_a_name",
        "/connect?to=localhost:22",
        200,
        "refused: ",
    ),
    (
        "fetches_from_this_machine",
        "/fetch?url=http://127.0.0.1:1/",
        200,
        "refused: ",
    ),
    (
        "fetches_metadata_of_the_cloud",
        "/fetch?url=http://169.254.169.254/latest",
        200,
        "refused: ",
    ),
    (
        "fetches_what_is_not_granted",
        "/fetch?url=https://evil.example.com/",
        200,
        "refused: ",
    ),
    (
        "reads_a_store_that_is_not_granted",
        "/get?component=other&key=a",
        200,
        "refused: denied: app `hostile` is not granted state component `other`; add it to `grants: { state: [other] }` at ",
    ),
    (
        "publishes_where_it_may_not",
        "/publish?component=pubsub&topic=closed",
        200,
        "refused: denied: app `hostile` is not granted to publish to `pubsub/closed`",
    ),
    (
        "forges_a_source",
        "/forge?component=pubsub&topic=open",
        200,
        "refused: invalid: the attribute `source` is the host's; remove it",
    ),
    (
        "calls_who_is_not_granted",
        "/invoke?app=neighbour&path=/",
        200,
        "refused: denied: app `hostile` is not granted to invoke `neighbour`; add it to `grants: { invoke: [neighbour] }` at ",
    ),
    (
        "hides_a_path",
        "/invoke?app=hostile&path=/a/%252e%252e/b",
        200,
        "refused: invalid: the path `/a/%2e%2e/b` has an encoded slash, backslash, dot or NUL; expected them plain or not at all",
    ),
    (
        "uses_a_foreign_key",
        "/get?component=statestore&key=neighbour||visits",
        200,
        "refused: invalid: the key `neighbour||visits` has `||`",
    ),
    (
        "uses_a_key_with_nul",
        "/get?component=statestore&key=a%00b",
        200,
        "refused: invalid: the key has a NUL character; expected text without NUL",
    ),
    (
        "puts_a_large_value",
        "/put?component=statestore&key=a&bytes=5000000",
        200,
        "refused: invalid: the value of `a` has 5000000 bytes; state component `statestore` takes at most 4194304",
    ),
];

pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<_> = ATTACKS
        .iter()
        .map(|(name, path, status, text)| {
            let name = format!("hostile::{name}");
            Trial::test(name, move || {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(2)
                    .enable_all()
                    .build()?;
                runtime
                    .block_on(attack(path, *status, text))
                    .map_err(|error| format!("{error:#}").into())
            })
        })
        .collect();
    trials.push(case(
        "hostile::allocates_no_more_than_its_memory",
        allocates,
    ));
    trials.push(case(
        "hostile::neighbours_are_served_while_many_spin",
        spinners,
    ));
    trials.push(case("hostile::reaches_a_host_that_is_granted", granted));
    trials.push(case("hostile::sends_as_much_as_it_may", body));
    trials
}

async fn start() -> Result<Running> {
    Project::new(APPS).with("memory", MEMORY).start().await
}

async fn neighbour_is_well(running: &Running) -> Result<()> {
    let answer = running.get("/neighbour").await?;
    ensure!(answer.text().starts_with("hello, visitor "), "{answer:?}");
    Ok(())
}

async fn attack(path: &str, status: u16, text: &str) -> Result<()> {
    let running = start().await?;
    let answer = running.get(path).await?;
    let reported = match answer.status {
        200 => answer.text(),
        _ => answer.message(),
    };
    ensure!(
        answer.status == status && reported.contains(text),
        "{} {reported}",
        answer.status
    );
    neighbour_is_well(&running).await?;
    // And the attacker itself is served again.
    let again = running.get("/env").await?;
    ensure!(again.status == 200, "{again:?}");
    running.stop().await;
    Ok(())
}

async fn allocates() -> Result<()> {
    let running = start().await?;
    let text = running.get("/alloc?mib=4096").await?.text();
    let got: u64 = text
        .split(' ')
        .nth(1)
        .and_then(|number| number.parse().ok())
        .unwrap_or(u64::MAX);
    ensure!((32..64).contains(&got), "{text}");
    Ok(())
}

/// Calls spin, as many as may run at once; the neighbour still answers each request.
async fn spinners() -> Result<()> {
    let running = std::sync::Arc::new(start().await?);
    let spinners: Vec<_> = (0..32)
        .map(|_| {
            let running = running.clone();
            tokio::spawn(async move { running.get("/spin").await.map(|answer| answer.status) })
        })
        .collect();
    for _ in 0..20 {
        neighbour_is_well(&running).await?;
    }
    for spinner in spinners {
        let status = spinner.await??;
        ensure!(status == 504, "{status}");
    }
    Ok(())
}

/// A body over the limit is refused before it is read; see `ingress` for what the sender hears.
async fn body() -> Result<()> {
    let running = start().await?;
    let fits = running
        .send(Method::POST, "/read-body", &[], vec![b'x'; 4 << 20])
        .await?;
    ensure!(fits.text() == "read 4194304 bytes", "{fits:?}");
    neighbour_is_well(&running).await
}

/// A private address is reached only where it is written out.
async fn granted() -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
            let _ = stream.write_all(answer).await;
        }
    });
    let host = format!("http://127.0.0.1:{port}");
    let running = Project::new(&APPS.replace("api.example.com", &host))
        .with("memory", MEMORY)
        .start()
        .await?;
    let answer = running.get(&format!("/fetch?url={host}/")).await?;
    ensure!(answer.text() == "200 hello", "{answer:?}");
    // The same place by a name that is not granted.
    let named = format!("/fetch?url=http://localhost:{port}/");
    let denied = running.get(&named).await?.text();
    ensure!(denied.starts_with("refused: denied: "), "{denied}");
    serving.abort();
    Ok(())
}
