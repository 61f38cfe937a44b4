//! A made-up API server of Kubernetes that answers in the shapes which its documentation records, for there is no server to
//! be had in a package: secrets, config maps and watches of two namespaces, and accounts that may all, little or nothing.

use conformance::{
    configuration::HELD,
    secrets::{EMPTY, SEVERAL, STORED},
};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

/// The token of an account that may all, and of one that may look at the version alone.
pub(crate) const TOKEN: &str = "t.kept-token";
pub(crate) const POOR: &str = "t.poor-token";

/// The one of the suite.
pub(crate) static CLUSTER: LazyLock<Cluster> = LazyLock::new(Cluster::start);

/// Writes the file of `kubectl` for a cluster.
pub(crate) fn kubeconfig(directory: &Path, address: SocketAddr, user: &str) {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         contexts: [{{ name: test, context: {{ cluster: test, user: test }} }}]\n\
         clusters: [{{ name: test, cluster: {{ server: 'http://{address}' }} }}]\n\
         users: [{{ name: test, user: {{ {user} }} }}]\n"
    );
    std::fs::write(directory.join("kubeconfig"), text).expect("a file");
}

/// An API server, and what a test makes of it.
pub(crate) struct Cluster {
    pub address: SocketAddr,
    pub state: Arc<State>,
}

pub(crate) struct State {
    /// The config map `items`, with its version; none where somebody deleted it.
    map: Mutex<(u64, Option<Value>)>,
    /// The token that is taken.
    token: Mutex<String>,
    /// Watches are answered by 410, so many more times.
    pub forgets: AtomicUsize,
    /// Watches that were answered so, at their beginnings or on their way.
    pub forgotten: AtomicUsize,
    /// Watches end without a word.
    pub ends: AtomicBool,
    /// The answer to each request in place of its own, with its status.
    pub instead: Mutex<Option<(&'static str, Vec<u8>)>>,
}

impl Cluster {
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            map: Mutex::new((7, Some(held()))),
            token: Mutex::new(TOKEN.to_owned()),
            forgets: AtomicUsize::new(0),
            forgotten: AtomicUsize::new(0),
            ends: AtomicBool::new(false),
            instead: Mutex::new(None),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                thread::spawn(move || serve(stream, &state));
            }
        });
        Cluster { address, state }
    }
}

impl State {
    /// Makes the config map another one.
    pub fn change(&self, data: Option<Value>) {
        let mut map = self.map.lock();
        // Others write, too.
        map.0 += 5;
        map.1 = data;
    }

    pub fn rotate(&self, token: &str) {
        *self.token.lock() = token.to_owned();
    }

    /// The version of all that is stored, and the config map.
    fn items(&self) -> (u64, Option<Value>) {
        let (version, data) = self.map.lock().clone();
        let object = data.map(|mut object| {
            object["apiVersion"] = "v1".into();
            object["kind"] = "ConfigMap".into();
            object["metadata"] = json!({
                "name": "items", "namespace": "suite", "resourceVersion": version.to_string(),
            });
            object
        });
        // The whole is newer than the map, which is older than all that a server remembers.
        (version + 1_000, object)
    }
}

fn held() -> Value {
    let data = HELD.map(|(key, value)| (key.to_owned(), value.into()));
    json!({ "data": Value::Object(Map::from_iter(data)) })
}

/// The secrets of both namespaces: name and data, in base64.
static SECRETS: LazyLock<BTreeMap<(&str, String), Value>> = LazyLock::new(|| {
    let encoded = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(key, value)| {
            let encoded = base64(value.as_bytes());
            ((*key).to_owned(), encoded.into())
        });
        Value::Object(pairs.collect())
    };
    let stored = STORED.into_iter().chain([(EMPTY, "")]);
    let mut all: BTreeMap<_, _> = stored
        .map(|(name, value)| (("suite", name.to_owned()), encoded(&[(name, value)])))
        .collect();
    all.insert(("suite", SEVERAL.0.to_owned()), encoded(&SEVERAL.1));
    all.insert(("other", "db".to_owned()), encoded(&[("user", "ada")]));
    all.insert(("other", "none".to_owned()), Value::Null);
    for number in 0..250 {
        all.insert(("many", format!("secret-{number}")), Value::Null);
    }
    all
});

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for piece in bytes.chunks(3) {
        let mut word = 0;
        for place in 0..3 {
            word = word << 8 | u32::from(piece.get(place).copied().unwrap_or(0));
        }
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place)) as usize & 63];
            let is_there = place <= piece.len();
            text.push(if is_there { char::from(letter) } else { '=' });
        }
    }
    text
}

/// A failure as a server words it.
fn status(code: u16, reason: &str, message: &str) -> (&'static str, Value) {
    let line = match code {
        401 => "401 Unauthorized",
        403 => "403 Forbidden",
        404 => "404 Not Found",
        410 => "410 Gone",
        _ => "400 Bad Request",
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    (line, body)
}

fn serve(mut stream: TcpStream, state: &State) {
    let (mut request, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut piece) {
                Ok(count @ 1..) => request.extend_from_slice(&piece[..count]),
                _ => return,
            }
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        request.clear();
        let target = text.split(' ').nth(1).unwrap_or("");
        let instead = state.instead.lock().clone();
        let answered = match instead {
            Some((status, body)) => answer(&mut stream, status, &body),
            None => match refusal(&text, target, state) {
                Some((status, body)) => answer(&mut stream, status, body.to_string().as_bytes()),
                None if target.contains("watch=true") => watch(&mut stream, target, state),
                None => {
                    let (status, body) = found(target, state);
                    answer(&mut stream, status, body.to_string().as_bytes())
                }
            },
        };
        if answered.is_err() {
            return;
        }
    }
}

fn answer(stream: &mut TcpStream, status: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())
}

/// Says who may not.
fn refusal(request: &str, target: &str, state: &State) -> Option<(&'static str, Value)> {
    let token = request
        .lines()
        .find_map(|line| line.strip_prefix("authorization: Bearer "));
    match token {
        Some(POOR) if target != "/version" => {
            let message = "secrets is forbidden: User \"poor\" cannot get resource \"secrets\"";
            Some(status(403, "Forbidden", message))
        }
        Some(POOR) => None,
        token if token == Some(&state.token.lock()) => None,
        _ => Some(status(401, "Unauthorized", "Unauthorized")),
    }
}

fn found(target: &str, state: &State) -> (&'static str, Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parts: Vec<_> = path.split('/').skip(1).collect();
    let (version, map) = state.items();
    match parts[..] {
        ["version"] => ("200 OK", json!({ "major": "1", "gitVersion": "v1.33.1" })),
        ["api", "v1", "namespaces", namespace, "secrets"] => list(namespace, query),
        ["api", "v1", "namespaces", namespace, "secrets", name] => {
            let name = name.replace("%20", " ");
            let Some(((namespace, name), data)) = SECRETS
                .iter()
                .find(|((at, known), _)| *at == namespace && *known == name)
            else {
                let message = format!("secrets \"{name}\" not found");
                return status(404, "NotFound", &message);
            };
            let metadata = json!({ "name": name, "namespace": namespace, "resourceVersion": "42" });
            let mut secret = json!({ "kind": "Secret", "apiVersion": "v1", "metadata": metadata });
            if !data.is_null() {
                secret["data"] = data.clone();
            }
            ("200 OK", secret)
        }
        ["api", "v1", "namespaces", "suite", "configmaps"] => {
            let items: Vec<_> = map.into_iter().collect();
            let metadata = json!({ "resourceVersion": version.to_string() });
            (
                "200 OK",
                json!({ "kind": "ConfigMapList", "metadata": metadata, "items": items }),
            )
        }
        ["api", "v1", "namespaces", "suite", "configmaps", "items"] => match map {
            Some(map) => ("200 OK", map),
            None => status(404, "NotFound", "configmaps \"items\" not found"),
        },
        _ => status(404, "NotFound", "the server could not find it"),
    }
}

/// A page of names, as `PartialObjectMetadataList` has them.
fn list(namespace: &str, query: &str) -> (&'static str, Value) {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.to_owned())
    };
    let limit = value("limit")
        .and_then(|text| text.parse().ok())
        .unwrap_or(usize::MAX);
    let from = value("continue")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let all = SECRETS.keys().filter(|(at, _)| *at == namespace);
    let all: Vec<_> = all.map(|(_, name)| name).collect();
    let end = all.len().min(from + limit);
    let items = all[from..end]
        .iter()
        .map(|name| json!({ "metadata": { "name": name } }));
    let next = if end < all.len() {
        end.to_string()
    } else {
        String::new()
    };
    let body = json!({
        "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
        "metadata": { "resourceVersion": "42", "continue": next }, "items": items.collect::<Vec<_>>(),
    });
    ("200 OK", body)
}

/// Tells changes in pieces until the time that was asked for is over.
fn watch(stream: &mut TcpStream, target: &str, state: &State) -> std::io::Result<()> {
    let number = |name: &str| {
        let (_, rest) = target.split_once(name).unwrap_or(("", ""));
        let text = rest.split('&').next().unwrap_or("");
        text.parse::<u64>().unwrap_or(0)
    };
    let (from, seconds) = (number("resourceVersion="), number("timeoutSeconds="));
    let gone = status(410, "Expired", "too old resource version");
    let takes_one = |left: usize| left.checked_sub(1);
    let left = state.forgets.fetch_update(SeqCst, SeqCst, takes_one);
    // Half of them are told at once, as a server does whose cache is new, the others as an event.
    if left.is_ok_and(|left| left % 2 == 0) || from < 1_000 {
        state.forgotten.fetch_add(1, SeqCst);
        return answer(stream, gone.0, gone.1.to_string().as_bytes());
    }
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    let mut tell = |event: Value| {
        let line = event.to_string() + "\n";
        let (first, second) = line.as_bytes().split_at(line.len() / 2);
        for piece in [first, second] {
            stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
            stream.write_all(&[piece, b"\r\n"].concat())?;
        }
        Ok::<_, std::io::Error>(())
    };
    if left.is_ok() {
        state.forgotten.fetch_add(1, SeqCst);
        tell(json!({ "type": "ERROR", "object": gone.1 }))?;
    }
    let (end, mut known) = (Instant::now() + Duration::from_secs(seconds), from);
    while left.is_err() && Instant::now() < end && !state.ends.load(SeqCst) {
        let (version, map) = state.items();
        if version != known {
            known = version;
            let gone = json!({ "metadata": { "name": "items" } });
            let kind = if map.is_some() { "MODIFIED" } else { "DELETED" };
            tell(json!({ "type": kind, "object": map.unwrap_or(gone) }))?;
        }
        thread::sleep(Duration::from_millis(5));
    }
    stream.write_all(b"0\r\n\r\n")
}
