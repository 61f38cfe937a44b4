//! Mail by SMTP, as Dapr's `smtp`: each request is one mail over a connection of its own, and each step has its own
//! failure.

use super::{
    letter::Defaults,
    session::{Failure, Session},
};
use async_trait::async_trait;
use lettre::{
    Message,
    transport::smtp::{
        authentication::Credentials,
        commands::{Data, Mail, Rcpt, Starttls},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo},
        response::Severity,
    },
};
use serde::Deserialize;
use std::{io, net::IpAddr, sync::Arc, time::Duration};
use tokio::net::{TcpStream, lookup_host};
use wythe_blocks::{
    Error, Kind, Result, Site, Wrong,
    bindings::{Driver, Features, Outcome, Request},
};
use wythe_manifest::Secret;
use wythe_net::{Proof, Secure};

/// Time to reach one address of the server.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for all that comes before the mail itself: until then nothing is done.
const PRELUDE: Duration = Duration::from_secs(20);
/// Time for the whole call.
const PATIENCE: Duration = Duration::from_secs(30);
/// The port on which TLS comes first.
const IMPLICIT: u16 = 465;
const DONE: Severity = Severity::PositiveCompletion;
const LATER: Severity = Severity::TransientNegativeCompletion;
const GO_ON: Severity = Severity::PositiveIntermediate;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    host: String,
    port: u16,
    user: Option<Secret>,
    password: Option<Secret>,
    /// Take any certificate; default false.
    #[serde(rename = "skipTLSVerify")]
    skip_tls_verify: Option<bool>,
    /// Default `starttls`, and `implicit` on port 465.
    tls: Option<Security>,
    email_from: Option<String>,
    email_to: Option<String>,
    #[serde(rename = "emailCC")]
    email_cc: Option<String>,
    #[serde(rename = "emailBCC")]
    email_bcc: Option<String>,
    subject: Option<String>,
    /// 1 (highest) to 5 (lowest).
    priority: Option<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Security {
    None,
    StartTls,
    Implicit,
}

pub(super) fn parse(config: Config) -> Result<Parsed, Wrong> {
    let usual = match config.port {
        IMPLICIT => Security::Implicit,
        _ => Security::StartTls,
    };
    let credentials = match (&config.user, &config.password) {
        (Some(user), Some(password)) => Some(Credentials::new(
            user.reveal().to_owned(),
            password.reveal().to_owned(),
        )),
        (None, None) => None,
        (user, _) => {
            let error = Error::invalid("`user` or `password` alone; expected both or neither");
            let alone = if user.is_some() { "user" } else { "password" };
            return Err(Wrong::new(alone, error));
        }
    };
    let any = config.skip_tls_verify.unwrap_or(false);
    let proof = match any {
        true => Proof::Any,
        false => Proof::Full,
    };
    let secure = || {
        let secure = Secure::new(&config.host, proof, None);
        secure.map_err(|error| Wrong::new("host", error))
    };
    let way = match config.tls.unwrap_or(usual) {
        Security::None => Way::Plain,
        Security::StartTls => Way::StartTls(secure()?),
        Security::Implicit => Way::Implicit(secure()?),
    };
    Ok(Parsed {
        server: (config.host, config.port),
        any,
        way,
        credentials,
        defaults: Defaults {
            from: config.email_from,
            to: config.email_to,
            cc: config.email_cc,
            bcc: config.email_bcc,
            subject: config.subject,
            priority: config.priority,
        },
    })
}

/// Way in which the conversation is kept from others.
enum Way {
    Plain,
    StartTls(Secure),
    Implicit(Secure),
}

/// A config that was found good.
pub(super) struct Parsed {
    server: (String, u16),
    /// Any certificate is taken.
    any: bool,
    way: Way,
    credentials: Option<Credentials>,
    defaults: Defaults,
}

/// A password that somebody between here and the server can read. On this machine nobody is between.
pub(super) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    let host = &parsed.server.0;
    if parsed.credentials.is_none() || is_here(host) {
        return Vec::new();
    }
    let (setting, why) = match (&parsed.way, parsed.any) {
        (Way::Plain, _) => (
            "tls",
            "`tls: none` sends `user` and `password` in clear: whoever is on the way to",
        ),
        (_, true) => (
            "skipTLSVerify",
            "`skipTLSVerify` gives `user` and `password` to any certificate: whoever is on the way to",
        ),
        (_, false) => return Vec::new(),
    };
    let error = Error::invalid(format!("{why} `{host}` can read them"));
    vec![Wrong::new(setting, error)]
}

fn is_here(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

pub(super) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Post {
        // A component may have `_` in its name, and a host may not.
        hello: ClientId::Domain(site.component.replace('_', "-")),
        parsed,
    }))
}

struct Post {
    hello: ClientId,
    parsed: Parsed,
}

#[async_trait]
impl Driver for Post {
    fn features(&self) -> Features {
        Features {
            operations: vec!["create".into()],
            input: false,
            redelivers: false,
            secrets: false,
        }
    }

    fn patience(&self) -> Option<Duration> {
        Some(PATIENCE)
    }

    /// A server that is not there, or that says "later", is not there a tenth of a second later either.
    fn retries(&self) -> Option<u32> {
        Some(0)
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        let lookup = |name: &str| request.get(name).map(str::to_owned);
        let mail = self.parsed.defaults.write(&lookup, request.data.to_vec())?;
        let text = mail.formatted();
        let ready = tokio::time::timeout(PRELUDE, self.ready(&mail, &text)).await;
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the server does not go on");
        let mut session = ready.unwrap_or_else(|_| Err(self.unreached(late().into())))?;
        let given = session.give(&text).await;
        // Whatever came of it: a server that is told good-bye closes in order.
        session.leave().await;
        match given {
            Ok(()) => Ok(Outcome::default()),
            Err(failure @ Failure::Refused(_)) => Err(self.refused("the mail", failure)),
            Err(failure @ Failure::Broken(_)) => Err(Error::unknown_outcome(format!(
                "`{}` may have taken the mail: it broke off before it said so",
                self.parsed.server.0
            ))
            .with_source(failure)),
        }
    }
}

impl Post {
    /// A session in which the server waits for the mail's text.
    async fn ready(&self, mail: &Message, text: &[u8]) -> Result<Session> {
        let (mut session, server) = self.connect().await?;
        match self.offer(&mut session, &server, mail, text).await {
            Ok(()) => Ok(session),
            Err(error) => {
                session.leave().await;
                Err(error)
            }
        }
    }

    /// A session in which a mail may begin, and what the server said in it that it can do.
    async fn connect(&self) -> Result<(Session, ServerInfo)> {
        let stream = dial(&self.parsed.server).await;
        let stream = stream.map_err(|error| self.unreached(Failure::Broken(error)))?;
        let (mut session, server) = self.begin(Session::new(stream)).await?;
        if let Some(credentials) = &self.parsed.credentials {
            let entered = session.log_in(credentials, &server).await;
            entered.map_err(|failure| match failure {
                Failure::Refused(answer) if answer.code().severity != LATER => {
                    Error::denied(format!("`{}` refused the user", self.parsed.server.0))
                }
                failure => self.unreached(failure),
            })?;
        }
        Ok((session, server))
    }

    async fn begin(&self, mut session: Session) -> Result<(Session, ServerInfo)> {
        let unreached = |failure| self.unreached(failure);
        if let Way::Implicit(tls) = &self.parsed.way {
            session = session.secure(tls).await.map_err(unreached)?;
        }
        session.greeting().await.map_err(unreached)?;
        let server = session.hello(&self.hello).await.map_err(unreached)?;
        let Way::StartTls(tls) = &self.parsed.way else {
            return Ok((session, server));
        };
        if !server.supports_feature(Extension::StartTls) {
            return Err(Error::unavailable(format!(
                "`{}` offers no TLS; see `tls`, which may be `none` for a server of your own",
                self.parsed.server.0
            )));
        }
        session.ask(Starttls, DONE).await.map_err(unreached)?;
        let mut session = session.secure(tls).await.map_err(unreached)?;
        // What it said of itself in clear may be somebody else's word.
        let server = session.hello(&self.hello).await.map_err(unreached)?;
        Ok((session, server))
    }

    /// Offers the mail; its data is not sent before the server has taken every recipient.
    async fn offer(
        &self,
        session: &mut Session,
        server: &ServerInfo,
        mail: &Message,
        text: &[u8],
    ) -> Result<()> {
        let envelope = mail.envelope();
        let parameters = self.parameters(server, mail, text)?;
        let from = Mail::new(envelope.from().cloned(), parameters);
        let refused = |what: String| move |failure| self.refused(&what, failure);
        let sender = session.ask(from, DONE).await;
        sender.map_err(refused("the sender".into()))?;
        for recipient in envelope.to() {
            let to = Rcpt::new(recipient.clone(), Vec::new());
            let taken = session.ask(to, DONE).await;
            taken.map_err(refused(format!("the recipient `{recipient}`")))?;
        }
        let begun = session.ask(Data, GO_ON).await;
        begun.map(drop).map_err(refused("the mail".into()))
    }

    fn parameters(
        &self,
        server: &ServerInfo,
        mail: &Message,
        text: &[u8],
    ) -> Result<Vec<MailParameter>> {
        let has = |ability| server.supports_feature(ability);
        let addresses = mail.envelope().to().iter().chain(mail.envelope().from());
        let mut parameters = Vec::new();
        for (wanted, ability, parameter, what) in [
            (
                addresses
                    .into_iter()
                    .any(|address| !address.to_string().is_ascii()),
                Extension::SmtpUtfEight,
                MailParameter::SmtpUtfEight,
                "addresses that are not ASCII",
            ),
            (
                !text.is_ascii(),
                Extension::EightBitMime,
                MailParameter::Body(MailBodyParameter::EightBitMime),
                "a mail that is not ASCII",
            ),
        ] {
            if wanted && !has(ability) {
                let host = &self.parsed.server.0;
                return Err(Error::invalid(format!("`{host}` does not take {what}")));
            }
            parameters.extend(wanted.then_some(parameter));
        }
        Ok(parameters)
    }

    fn unreached(&self, failure: Failure) -> Error {
        let (host, port) = &self.parsed.server;
        Error::unavailable(format!("the mail server `{host}:{port}` cannot be reached"))
            .with_source(failure)
    }

    /// The error of a refusal before the data, when nothing is done yet; a permanent answer will not change, a temporary
    /// one may.
    fn refused(&self, what: &str, failure: Failure) -> Error {
        let Failure::Refused(answer) = &failure else {
            return self.unreached(failure);
        };
        let kind = match answer.code().severity {
            LATER => Kind::Unavailable,
            _ => Kind::Invalid,
        };
        let (host, code) = (&self.parsed.server.0, answer.code());
        Error::new(kind, format!("`{host}` refused {what} with {code}")).with_source(failure)
    }
}

/// The first of the server's addresses that answers.
async fn dial((host, port): &(String, u16)) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((host.as_str(), *port)).await? {
        let connected = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await;
        match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests;
