//! etcd.

use crate::{Missing, Program, Site, find};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

/// `etcd`, alone in its cluster, which syncs each write to disk before it answers.
#[derive(Clone, Debug, Default)]
pub struct Etcd {
    /// More of its arguments, such as `--max-txn-ops=256`.
    pub arguments: Vec<String>,
    pub has_tls: bool,
}

impl Etcd {
    #[must_use]
    pub fn with(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Speaks TLS alone, with a certificate and its key in files.
    #[must_use]
    pub fn with_tls(mut self, certificate: &str, key: &str) -> Self {
        self.has_tls = true;
        self.with(format!("--cert-file={certificate}"))
            .with(format!("--key-file={key}"))
    }

    /// Asks the gateway of a server without TLS, and returns its answer.
    ///
    /// # Panics
    ///
    /// Where the server gives no answer.
    pub fn ask(address: SocketAddr, token: &str, path: &str, body: &str) -> String {
        let answer = exchange(address, token, path, body);
        answer.expect("an answer of etcd")
    }

    /// Lets nobody in who has no password: `root` has `kept-secret`, and may do all.
    pub fn lock_up(address: SocketAddr) {
        for (path, body) in [
            ("user/add", r#"{"name":"root","password":"kept-secret"}"#),
            ("role/add", r#"{"name":"root"}"#),
            ("user/grant", r#"{"user":"root","role":"root"}"#),
            ("enable", "{}"),
        ] {
            let answer = Self::ask(address, "", &format!("/v3/auth/{path}"), body);
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        }
    }
}

fn exchange(address: SocketAddr, token: &str, path: &str, body: &str) -> std::io::Result<String> {
    let limit = Duration::from_secs(10);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    let length = body.len();
    let login = match token {
        "" => String::new(),
        token => format!("authorization: {token}\r\n"),
    };
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\n{login}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

impl Program for Etcd {
    fn command(&self, site: &Site) -> Result<Command, Missing> {
        let mut command = Command::new(find("etcd")?);
        let scheme = if self.has_tls { "https" } else { "http" };
        let url = format!("{scheme}://{}", site.address());
        let directory = site.directory.display();
        // Nobody else is in the cluster: its own port is any that is free.
        let nobody = "http://127.0.0.1:1";
        command.arg(format!("--data-dir={directory}/data"));
        command.arg(format!("--listen-client-urls={url}"));
        command.arg(format!("--advertise-client-urls={url}"));
        command.arg("--listen-peer-urls=http://127.0.0.1:0");
        command.arg(format!("--initial-advertise-peer-urls={nobody}"));
        command.arg(format!("--initial-cluster=default={nobody}"));
        command.args(["--heartbeat-interval=20", "--election-timeout=200"]);
        command.args(["--logger=zap", "--log-level=error"]);
        command.arg(format!("--log-outputs={directory}/log"));
        command.args(&self.arguments);
        Ok(command)
    }

    /// It has a leader: a read waits for one. Who wants a login answers, too.
    fn is_ready(&self, site: &Site) -> bool {
        if self.has_tls {
            // What there is to ask by TLS, whoever uses the server asks.
            return TcpStream::connect(site.address()).is_ok();
        }
        let answer = exchange(site.address(), "", "/v3/kv/range", r#"{"key":"YQ=="}"#);
        answer.is_ok_and(|answer| {
            answer.starts_with("HTTP/1.1 200") || answer.contains("user name is empty")
        })
    }
}
