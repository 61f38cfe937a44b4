//! moto of PyPI, which answers as the services of Amazon do, from memory: what it had is gone with its process.

use crate::{Missing, Program, Site, find, http::exchange};
use std::{net::SocketAddr, path::PathBuf, process::Command};

/// moto, which takes any region for one of its own; requests go through `moto.py`, one at a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moto {
    /// Requests after which signatures are checked; none are by default.
    pub checks_after: Option<u32>,
}

impl Program for Moto {
    fn command(&self, site: &Site) -> Result<Command, Missing> {
        let mut command = Command::new("sh");
        // It tells of each request.
        command.args(["-c", "exec \"$@\" 2>/dev/null", "sh"]);
        command.arg(python()?);
        command.args(["-c", include_str!("moto.py"), &site.port.to_string()]);
        command.env("MOTO_ALLOW_NONEXISTENT_REGION", "true");
        if let Some(count) = self.checks_after {
            command.env("INITIAL_NO_AUTH_ACTION_COUNT", count.to_string());
        }
        command.current_dir(&site.directory);
        Ok(command)
    }

    fn is_ready(&self, site: &Site) -> bool {
        let answer = exchange(site.address(), "GET", "/moto-api/", &[], "");
        answer.is_ok_and(|(status, _)| status == 200)
    }
}

/// The interpreter that has the library: beside the command, or in the directory of `WYTHE_MOTO`.
fn python() -> Result<PathBuf, Missing> {
    let Some(directory) = std::env::var_os("WYTHE_MOTO") else {
        return Ok(find("moto_server")?.with_file_name("python3"));
    };
    let python = PathBuf::from(directory).join("python3");
    let missing = || Missing(format!("WYTHE_MOTO has no {}", python.display()));
    python.is_file().then(|| python.clone()).ok_or_else(missing)
}

impl Moto {
    /// Asks a server for an operation of a service that speaks JSON; panics where it refuses.
    pub fn json(
        server: SocketAddr,
        (service, region): (&str, &str),
        target: &str,
        body: &str,
    ) -> String {
        let headers = [
            ("authorization", &*authorization(service, region)),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
        ];
        checked(target, exchange(server, "POST", "/", &headers, body))
    }

    /// Makes a bucket.
    pub fn bucket(server: SocketAddr, name: &str) {
        let headers = [("authorization", &*authorization("s3", "us-east-1"))];
        checked(
            name,
            exchange(server, "PUT", &format!("/{name}"), &headers, ""),
        );
    }

    /// Asks for an operation of a service that takes forms; panics where it refuses.
    pub fn form(server: SocketAddr, (service, region): (&str, &str), body: &str) -> String {
        let headers = [
            ("authorization", &*authorization(service, region)),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        checked(body, exchange(server, "POST", "/", &headers, body))
    }
}

/// A signature that nobody checks, by which the server knows what is asked.
fn authorization(service: &str, region: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

fn checked(what: &str, answer: std::io::Result<(u16, String)>) -> String {
    let (status, body) = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(status, 200, "{what}: {body}");
    body
}
