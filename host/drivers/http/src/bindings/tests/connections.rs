//! Connections: how many there are, how long they live, and what becomes of those that never come about.

use super::*;
use parking_lot::{Condvar, Mutex};
use std::{
    error::Error as _,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::{net::TcpSocket, task::JoinSet};
use wythe_blocks::{Call, Registry, Settings, Shared, Tenant, time};
use wythe_client::{CONNECT, IDLE, IDLE_FOR};

/// Answers each request with this; counts connections, and tells of each that ends.
fn counted(answer: String) -> (String, Arc<AtomicUsize>, mpsc::Receiver<()>) {
    let (sender, ended) = mpsc::channel();
    let count = Arc::new(AtomicUsize::new(0));
    let connections = count.clone();
    let url = listen(move |mut stream| {
        connections.fetch_add(1, Relaxed);
        while read(&mut stream).is_some() {
            stream.write_all(answer.as_bytes()).unwrap();
        }
        let _ = sender.send(());
    });
    (url, count, ended)
}

fn keep_alive(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn a_connection_is_used_again_until_it_was_idle_for_a_minute() {
    let (url, connections, ended) = counted(keep_alive("well"));
    let web = web(&url, true, Some(PATIENCE));
    for _ in 0..5 {
        assert_eq!(ask(&web, "post", "a", &[]).await.unwrap().data, "well");
    }
    assert_eq!((connections.load(Relaxed), web.pool.idle()), (1, 1));
    tokio::time::pause();
    tokio::time::sleep(IDLE_FOR - Duration::from_secs(1)).await;
    assert_eq!(web.pool.idle(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(web.pool.idle(), 0);
    ended.recv_timeout(PATIENCE).unwrap();
}

#[tokio::test]
async fn few_connections_wait_and_none_after_the_end() {
    let (url, connections, ended) = counted(keep_alive(""));
    let web = Arc::new(web(&url, true, Some(PATIENCE)));
    let mut calls = JoinSet::new();
    for _ in 0..3 * IDLE {
        let web = web.clone();
        calls.spawn(async move { ask(&*web, "get", "", &[]).await.map(drop) });
    }
    for call in calls.join_all().await {
        call.unwrap();
    }
    assert!(web.pool.idle() <= IDLE, "{}", web.pool.idle());
    web.close().await.unwrap();
    assert_eq!(web.pool.idle(), 0);
    drop(web);
    for _ in 0..connections.load(Relaxed) {
        ended.recv_timeout(PATIENCE).unwrap();
    }
}

/// Closed by the server while it waited: nothing was sent, so it is sent by another one.
#[tokio::test]
async fn a_connection_that_ended_meanwhile_is_passed_over() {
    let (sender, ended) = mpsc::channel();
    let url = listen(move |mut stream| {
        read(&mut stream).unwrap();
        stream.write_all(keep_alive("").as_bytes()).unwrap();
        drop(stream);
        sender.send(()).unwrap();
    });
    let driver = driver(&url, true, Some(PATIENCE)).await;
    for _ in 0..5 {
        ask(&*driver, "post", "a", &[]).await.unwrap();
        ended.recv_timeout(PATIENCE).unwrap();
        // So that the runtime hears of the end, too.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The server answers and does not read what it was sent: its connection would hold that.
#[tokio::test]
async fn a_connection_that_still_sends_does_not_wait() {
    let streams = Arc::new(Mutex::new(Vec::new()));
    let unread = streams.clone();
    let url = listen(move |mut stream| {
        stream.write_all(keep_alive("").as_bytes()).unwrap();
        unread.lock().push(stream);
    });
    let web = web(&url, true, Some(PATIENCE));
    let request = Request {
        operation: "post",
        data: &Bytes::from(vec![0; 32 << 20]),
        metadata: &[],
        max_bytes: 100,
        trace: wythe_blocks::Trace::start(),
        account: None,
    };
    let _ = web.invoke(request).await;
    assert_eq!(web.pool.idle(), 0);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test drops it")]
async fn a_call_that_is_dropped_takes_its_connection_along() {
    let (begun, begins) = mpsc::channel();
    let (sender, ended) = mpsc::channel();
    let url = listen(move |mut stream| {
        read(&mut stream).unwrap();
        begun.send(()).unwrap();
        let _ = stream.read(&mut [0]);
        sender.send(()).unwrap();
    });
    let driver = driver(&url, true, Some(PATIENCE * 2)).await;
    let call = tokio::spawn(async move { ask(&*driver, "get", "", &[]).await.map(drop) });
    let begins = tokio::task::spawn_blocking(move || begins.recv_timeout(PATIENCE));
    begins.await.unwrap().unwrap();
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    ended.recv_timeout(PATIENCE).unwrap();
}

async fn unreachable(url: &str) {
    let driver = driver(url, true, Some(PATIENCE)).await;
    let begin = Instant::now();
    let error = ask(&*driver, "post", "", &[]).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Unavailable, "`127.0.0.1` cannot be reached")
    );
    let took = begin.elapsed();
    assert!(
        took >= CONNECT && took < CONNECT * 2,
        "{took:?}: {}",
        error.chain()
    );
    assert!(error.source().is_some());
}

/// The clock stands still but for what the driver waits for.
#[tokio::test(start_paused = true)]
async fn a_port_that_accepts_nobody_is_given_up() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let _listener = socket.listen(1).unwrap();
    let mut waiting = JoinSet::new();
    for _ in 0..8 {
        waiting.spawn(tokio::net::TcpStream::connect(address));
    }
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    unreachable(&format!("http://{address}")).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_of_tls_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    unreachable(&format!("https://127.0.0.1:{port}")).await;
}

/// Holds every request until it is opened; knows how many there were at once.
#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Default)]
struct State {
    is_open: bool,
    inside: usize,
    peak: usize,
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock();
        state.inside += 1;
        state.peak = state.peak.max(state.inside);
        let closed = |state: &mut State| !state.is_open;
        self.opened.wait_while_for(&mut state, closed, PATIENCE);
        state.inside -= 1;
    }

    fn open(&self) {
        self.state.lock().is_open = true;
        self.opened.notify_all();
    }

    fn peak(&self) -> usize {
        self.state.lock().peak
    }

    /// Waits for so many, and gives more of them every chance to come.
    async fn fill(&self, count: usize) {
        while self.peak() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
    }
}

fn settings(directory: &Path) -> Settings {
    Settings::new("default".parse().unwrap(), directory.to_owned())
}

/// A host with the component `web`, whose server has the gate before it.
async fn full(gate: &Arc<Gate>) -> Arc<Tenant> {
    let held = gate.clone();
    let url = listen(move |mut stream| {
        while read(&mut stream).is_some() {
            held.pass();
            stream.write_all(keep_alive("").as_bytes()).unwrap();
        }
    });
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: web }}\nspec:\n  type: bindings.http\n  \
         metadata: [{{ name: url, value: \"{url}\" }}, {{ name: responseTimeout, value: 120s }}]\n"
    );
    let (resources, problems) = wythe_manifest::parse_resources(&text, Path::new("web.yaml"));
    assert!(problems.is_empty(), "{problems}");
    let directory = tempfile::tempdir().unwrap();
    let (mut registry, settings) = (Registry::default(), settings(directory.path()));
    crate::register(&mut registry);
    let host = Tenant::new(settings, &Shared::default());
    let opened = host.open(&registry, &resources.components);
    opened.await.unwrap();
    host
}

async fn call(host: Arc<Tenant>, app: &str, patience: Duration) -> Result<()> {
    let (tenant, app) = ("default".parse().unwrap(), app.parse().unwrap());
    let caller = Call::operator(tenant, app, time::deadline(patience));
    let (data, metadata) = (Bytes::new(), Vec::new());
    let asked = host.bindings.invoke(&caller, "web", "get", data, metadata);
    asked.await.map(drop)
}

#[tokio::test]
async fn a_component_has_so_many_connections_and_an_app_never_all_of_them() {
    let gate = Arc::new(Gate::default());
    let (host, mut calls) = (full(&gate).await, JoinSet::new());
    for number in 0..3 * PERMITS {
        let app = ["one", "two", "three"][number % 3];
        calls.spawn(call(host.clone(), app, PATIENCE));
    }
    gate.fill(PERMITS).await;
    assert_eq!(gate.peak(), PERMITS);
    gate.open();
    for call in calls.join_all().await {
        call.unwrap();
    }
    assert_eq!(gate.peak(), PERMITS);
    assert!(host.close(PATIENCE).await);
}

#[tokio::test]
async fn who_finds_no_place_until_the_deadline_is_told_so() {
    let gate = Arc::new(Gate::default());
    let (host, mut calls) = (full(&gate).await, JoinSet::new());
    for _ in 0..PERMITS {
        calls.spawn(call(host.clone(), "one", PATIENCE));
    }
    gate.fill(PERMITS / 4 * 3).await;
    let error = call(host.clone(), "one", Duration::from_millis(1)).await;
    assert_eq!(error.unwrap_err().kind(), Kind::Exhausted);
    assert_eq!(gate.peak(), PERMITS / 4 * 3);
    gate.open();
    call(host, "two", PATIENCE).await.unwrap();
    for call in calls.join_all().await {
        call.unwrap();
    }
}
