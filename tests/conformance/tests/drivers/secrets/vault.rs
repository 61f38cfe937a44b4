//! A made-up Vault: an engine of version 2 that answers in the shapes that its documentation records, for there is no server
//! to be had in a package.

use crate::faults::made_up;
use conformance::secrets::{EMPTY, SEVERAL, STORED};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::LazyLock,
};

/// The token that it takes.
pub(crate) const TOKEN: &str = "s.kept-token";

/// A token that may look at itself and do nothing else.
pub(crate) const OLD: &str = "s.old-token";

/// The one for the whole run.
pub(crate) static VAULT: LazyLock<SocketAddr> =
    LazyLock::new(|| made_up::serve(|stream, _| serve(stream)));

/// The versions of each secret, by its path below the engine; one that was deleted is none.
static SECRETS: LazyLock<BTreeMap<String, Vec<Option<Value>>>> = LazyLock::new(|| {
    let one = |name: &str, value: &str| {
        let data = Map::from_iter([(name.to_owned(), value.into())]);
        (format!("dapr/{name}"), vec![Some(Value::Object(data))])
    };
    let mut all: BTreeMap<_, _> = STORED
        .iter()
        .map(|(name, value)| one(name, value))
        .chain([one(EMPTY, "")])
        .collect();
    let several = SEVERAL.1.map(|(key, value)| (key.to_owned(), value.into()));
    let several = Value::Object(Map::from_iter(several));
    all.insert(format!("dapr/{}", SEVERAL.0), vec![Some(several)]);
    let versions = vec![
        Some(json!({ "password": "first" })),
        None,
        Some(json!({ "password": "third", "port": 5432 })),
    ];
    all.insert("team/db".to_owned(), versions);
    let deep = vec![Some(json!({ "a": "b" }))];
    all.insert("team/web/a b".to_owned(), deep.clone());
    all.insert("team/web/api/key".to_owned(), deep);
    all.insert("team/gone".to_owned(), vec![None]);
    all
});

fn serve(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut piece) {
                Ok(count @ 1..) => request.extend_from_slice(&piece[..count]),
                _ => return,
            }
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        request.clear();
        let (status, body) = answer(&text);
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn errors(errors: &[&str]) -> Value {
    json!({ "errors": errors })
}

fn answer(request: &str) -> (&'static str, Value) {
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let token = request
        .lines()
        .find_map(|line| line.strip_prefix("x-vault-token: "));
    let is_old = token == Some(OLD) && target.ends_with("/lookup-self");
    if token != Some(TOKEN) && !is_old {
        return ("403 Forbidden", errors(&["permission denied"]));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = decoded(path);
    match (method, path.as_str()) {
        ("GET", "/v1/auth/token/lookup-self") => ("200 OK", json!({ "data": { "ttl": 3600 } })),
        ("GET", path) if path.starts_with("/v1/secret/data/") => {
            let version = query
                .strip_prefix("version=")
                .and_then(|text| text.parse().ok());
            data(&path["/v1/secret/data/".len()..], version.unwrap_or(0))
        }
        ("LIST", path) if path.starts_with("/v1/secret/metadata/") => {
            keys(&path["/v1/secret/metadata/".len()..])
        }
        ("GET", path) if path.starts_with("/v1/sealed/") => {
            ("503 Service Unavailable", errors(&["Vault is sealed"]))
        }
        _ => ("404 Not Found", errors(&[])),
    }
}

fn data(path: &str, version: usize) -> (&'static str, Value) {
    let Some(versions) = SECRETS.get(path) else {
        return ("404 Not Found", errors(&[]));
    };
    let number = if version == 0 {
        versions.len()
    } else {
        version
    };
    let Some(found) = versions.get(number - 1) else {
        return ("404 Not Found", errors(&[]));
    };
    let deleted = match found {
        Some(_) => "",
        None => "2026-01-01T00:00:00Z",
    };
    let metadata = json!({
        "created_time": "2025-01-01T00:00:00Z", "custom_metadata": null, "deletion_time": deleted,
        "destroyed": false, "version": number,
    });
    let status = match found {
        Some(_) => "200 OK",
        None => "404 Not Found",
    };
    (
        status,
        json!({ "request_id": "r", "data": { "data": found, "metadata": metadata } }),
    )
}

fn keys(directory: &str) -> (&'static str, Value) {
    let below = SECRETS
        .keys()
        .filter_map(|path| path.strip_prefix(directory));
    let keys: BTreeSet<_> = below
        .map(|rest| match rest.split_once('/') {
            Some((directory, _)) => format!("{directory}/"),
            None => rest.to_owned(),
        })
        .collect();
    match keys.is_empty() {
        true => ("404 Not Found", errors(&[])),
        false => ("200 OK", json!({ "data": { "keys": keys } })),
    }
}

/// A path without its percent encoding.
fn decoded(path: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), path.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
