//! The dashboard of a host: the token and the names by which it is reached, the way to the host, and its process, where the
//! host starts it.

mod process;
#[cfg(test)]
mod tests;

pub use process::start;

use crate::{
    args::Dashboard,
    control, project,
    report::{Failure, Outcome, Problem},
};
use futures::future::BoxFuture;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tokio::sync::Semaphore;
use wythe_api::{
    admin::{Answer, Command},
    dashboard::Ask,
};
use wythe_blocks::{Error, Kind, Result, random};
use wythe_manifest::OpenFile;

/// The variable with the token.
const VARIABLE: &str = "WYTHE_DASHBOARD_TOKEN";
/// Characters of a token that somebody chose.
const CHARACTERS: std::ops::RangeInclusive<usize> = 16..=256;
/// Bytes of its file.
const FILE: u64 = 1 << 10;
/// Commands at once: a quarter of what the socket takes, so that the commands of `wythe` are answered meanwhile.
const COMMANDS: usize = 4;

/// The secret that opens the dashboard.
pub struct Token {
    text: String,
    is_given: bool,
}

impl Token {
    /// The token of the file, else of the variable, else one that is made up.
    #[expect(
        clippy::disallowed_methods,
        reason = "the command reads the environment"
    )]
    pub fn find(file: Option<&Path>) -> Outcome<Self> {
        let found = match (file, std::env::var(VARIABLE)) {
            (Some(file), _) => Some((of_file(file)?, format!("`{}`", file.display()))),
            (None, Ok(text)) => Some((text, VARIABLE.to_owned())),
            (None, Err(std::env::VarError::NotPresent)) => None,
            (None, Err(error)) => return Err(Problem::new(format!("{VARIABLE}: {error}")).into()),
        };
        let Some((text, place)) = found else {
            let text = random::name()?;
            return Ok(Token {
                text,
                is_given: false,
            });
        };
        Ok(Self::given(&text, &place)?)
    }

    /// A token that somebody chose; `place` is where.
    fn given(text: &str, place: &str) -> Result<Self, Problem> {
        let text = text.trim_end_matches(['\r', '\n']);
        if !CHARACTERS.contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let (least, limit) = (CHARACTERS.start(), CHARACTERS.end());
            return Err(Problem::new(format!(
                "the token of the dashboard in {place}; expected {least} to {limit} letters, digits or signs of ASCII, as \
                 `openssl rand -hex 16` makes them"
            )));
        }
        Ok(Token {
            text: text.to_owned(),
            is_given: true,
        })
    }

    pub fn is_given(&self) -> bool {
        self.is_given
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL at the first of the names. A token that somebody chose is not in it.
    pub fn url(&self, names: &[String]) -> String {
        let name = names.first().map_or("localhost", String::as_str);
        match self.is_given {
            true => format!("http://{name}/"),
            false => format!("http://{name}/?token={}", self.text),
        }
    }
}

fn of_file(file: &Path) -> Result<String, Problem> {
    let read = OpenFile::open(None, file).and_then(|opened| opened.read(FILE));
    let read =
        read.map_err(|error| Problem::new(format!("`--token-file {}`: {error}", file.display())))?;
    Ok(String::from_utf8_lossy(&read).into_owned())
}

/// The names by which the dashboard may be asked.
pub struct Hosts {
    hosts: Vec<String>,
}

impl Hosts {
    /// Refuses an address beyond this machine that anybody could open, or that has no name.
    pub fn new(args: &Dashboard, is_token_given: bool) -> Result<Self, Problem> {
        let address = args.listen;
        if !address.ip().is_loopback() && !is_token_given {
            return Err(Problem::new(format!(
                "the dashboard at {address} is reached from other machines; give it a token of your own by {VARIABLE} or \
                 `--token-file`, or have it listen on 127.0.0.1"
            )));
        }
        if address.ip().is_unspecified() && args.hosts.is_empty() {
            return Err(Problem::new(format!(
                "the dashboard at {address} is reached by any name, so that a page of somebody else could ask by one of its \
                 own; say by `--host` of `wythe dashboard` which name browsers use"
            )));
        }
        let is_wrong = |host: &&String| {
            let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
            !(1..=253).contains(&host.len()) || !host.bytes().all(is_fit)
        };
        if let Some(wrong) = args.hosts.iter().find(is_wrong) {
            let wrong = wrong.escape_debug();
            return Err(Problem::new(format!(
                "`--host {wrong}`; expected a name such as `dashboard.example.com`"
            )));
        }
        Ok(Hosts {
            hosts: args.hosts.clone(),
        })
    }

    /// The values that `Host` may have: the first is the one of the URL.
    pub fn names(&self, address: SocketAddr) -> Vec<String> {
        let port = address.port();
        let mut names = Vec::new();
        for host in &self.hosts {
            names.push(format!("{host}:{port}"));
            names.push(host.clone());
        }
        let mut own = Vec::new();
        if !address.ip().is_unspecified() {
            own.push(address.to_string());
        }
        if address.ip().is_loopback() {
            own.extend(["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")));
        }
        // A browser leaves the port of HTTP out.
        let short = own.iter().filter(|_| port == 80);
        let short: Vec<_> = short
            .filter_map(|name| Some(name.strip_suffix(":80")?.to_owned()))
            .collect();
        names.extend(own);
        names.extend(short);
        names
    }
}

/// The control socket of a host.
pub struct Socket {
    data: PathBuf,
    commands: Semaphore,
}

impl Socket {
    pub fn new(data: PathBuf) -> Self {
        Socket {
            data,
            commands: Semaphore::new(COMMANDS),
        }
    }
}

impl Ask for Socket {
    fn ask(&self, tenant: Option<String>, command: Command) -> BoxFuture<'_, Result<Answer>> {
        Box::pin(async move {
            let _command = self.commands.acquire().await;
            let asked = control::ask_of(&self.data, tenant.as_deref(), &command).await;
            let found = asked.and_then(|found| found.ok_or_else(|| project::nobody(&self.data)));
            found.map_err(error)
        })
    }
}

/// The first problem of a failure.
fn error(failure: Failure) -> Error {
    let first = failure.0.into_iter().next();
    let first = first.unwrap_or_else(|| Problem::new("the host did not answer"));
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == first.kind);
    // What breaks between the two processes has no kind of the host's.
    Error::new(kind.unwrap_or(Kind::Unavailable), first.message)
}
