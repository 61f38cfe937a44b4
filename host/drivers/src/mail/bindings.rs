//! Mail by SMTP, as Dapr's `smtp`: each request is one mail over a connection of its own, and each step has its own failure.

use super::letter::Defaults;
use async_trait::async_trait;
use lettre::{
    Message,
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    },
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Kind, Result, Site, Wrong,
    bindings::{Driver, Features, Outcome, Request},
};
use wythe_manifest::Secret;

/// Of each read and write; the whole call has the component's limit.
const STEP: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(30);
/// The port on which TLS comes first.
const IMPLICIT: u16 = 465;

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
    let parameters = TlsParameters::builder(config.host.clone())
        .dangerous_accept_invalid_certs(config.skip_tls_verify.unwrap_or(false))
        .dangerous_accept_invalid_hostnames(config.skip_tls_verify.unwrap_or(false))
        .build_rustls()
        .map_err(|error| {
            let error = Error::invalid("`host` does not fit TLS").with_source(error);
            Wrong::new("host", error)
        })?;
    Ok(Parsed {
        server: (config.host, config.port),
        tls: config.tls.unwrap_or(usual),
        parameters,
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

/// A config that was found good.
pub(super) struct Parsed {
    server: (String, u16),
    tls: Security,
    parameters: TlsParameters,
    credentials: Option<Credentials>,
    defaults: Defaults,
}

pub(super) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Post {
        // A component may have `_` in its name, and a host may not.
        hello: ClientId::Domain(site.component.replace('_', "-")),
        server: parsed.server,
        tls: parsed.tls,
        parameters: parsed.parameters,
        credentials: parsed.credentials,
        defaults: parsed.defaults,
    }))
}

struct Post {
    server: (String, u16),
    hello: ClientId,
    tls: Security,
    parameters: TlsParameters,
    credentials: Option<Credentials>,
    defaults: Defaults,
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

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        let lookup = |name: &str| request.get(name).map(str::to_owned);
        let mail = self.defaults.write(&lookup, request.data.to_vec())?;
        let mut connection = self.connect().await?;
        let sent = self.send(&mut connection, &mail).await;
        // Whatever came of it: a server that is told good-bye closes in order.
        let _ = connection.quit().await;
        sent.map(|()| Outcome::default())
    }
}

impl Post {
    async fn connect(&self) -> Result<AsyncSmtpConnection> {
        let first = (self.tls == Security::Implicit).then(|| self.parameters.clone());
        let server = (self.server.0.as_str(), self.server.1);
        let connected =
            AsyncSmtpConnection::connect_tokio1(server, Some(STEP), &self.hello, first, None);
        let mut connection = connected.await.map_err(|error| self.unreached(error))?;
        if self.tls == Security::StartTls {
            if !connection.can_starttls() {
                return Err(Error::unavailable(format!(
                    "`{}` offers no TLS; see `tls`, which may be `none` for a server of your own",
                    self.server.0
                )));
            }
            let secured = connection.starttls(self.parameters.clone(), &self.hello);
            secured.await.map_err(|error| self.unreached(error))?;
        }
        if let Some(credentials) = &self.credentials {
            let entered = connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials);
            entered.await.map_err(|error| match error.is_permanent() {
                true => Error::denied(format!("`{}` refused the user", self.server.0)),
                false => self.unreached(error),
            })?;
        }
        Ok(connection)
    }

    /// Nothing is sent before the server has taken every recipient.
    async fn send(&self, connection: &mut AsyncSmtpConnection, mail: &Message) -> Result<()> {
        let (envelope, text) = (mail.envelope(), mail.formatted());
        let parameters = self.parameters(connection, mail, &text)?;
        let from = Mail::new(envelope.from().cloned(), parameters);
        let refused = |what: String| move |error| self.refused(&what, error);
        let sender = connection.command(from).await;
        sender.map_err(refused("the sender".into()))?;
        for recipient in envelope.to() {
            let taken = connection.command(Rcpt::new(recipient.clone(), Vec::new()));
            taken
                .await
                .map_err(refused(format!("the recipient `{recipient}`")))?;
        }
        connection
            .command(Data)
            .await
            .map_err(refused("the mail".into()))?;
        match connection.message(&text).await {
            Ok(_) => Ok(()),
            Err(error) if error.status().is_some() => Err(self.refused("the mail", error)),
            Err(error) => Err(Error::unknown_outcome(format!(
                "`{}` may have taken the mail: it broke off before it said so",
                self.server.0
            ))
            .with_source(error)),
        }
    }

    fn parameters(
        &self,
        connection: &AsyncSmtpConnection,
        mail: &Message,
        text: &[u8],
    ) -> Result<Vec<MailParameter>> {
        let has = |ability| connection.server_info().supports_feature(ability);
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
                let host = &self.server.0;
                return Err(Error::invalid(format!("`{host}` does not take {what}")));
            }
            parameters.extend(wanted.then_some(parameter));
        }
        Ok(parameters)
    }

    fn unreached(&self, error: SmtpError) -> Error {
        let (host, port) = &self.server;
        Error::unavailable(format!("the mail server `{host}:{port}` cannot be reached"))
            .with_source(error)
    }

    /// Before the data nothing is done; a permanent answer will not change, a temporary one may.
    fn refused(&self, what: &str, error: SmtpError) -> Error {
        let host = &self.server.0;
        let Some(code) = error.status() else {
            return self.unreached(error);
        };
        let kind = match error.is_permanent() {
            true => Kind::Invalid,
            false => Kind::Unavailable,
        };
        Error::new(kind, format!("`{host}` refused {what} with {code}")).with_source(error)
    }
}

#[cfg(test)]
mod tests;
