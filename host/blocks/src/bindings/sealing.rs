//! Calls with metadata that an app may use and not see: the secrets go to the driver, and into no error and no log.

use super::{Bindings, Outcome};
use crate::{Call, Error, Result, secrets::Value};
use bytes::Bytes;

/// The treatment of a call's errors.
pub(super) enum Sealed {
    /// The call took no secret along, so the driver's own words may be shown.
    No,
    Yes,
}

impl Sealed {
    /// The error that the app reads and the log keeps. With a secret in the call it has the same words whatever the
    /// secret is: a driver or a peer may say any part of it in any form (escaped, encoded, cut), so its words and its
    /// cause are dropped, and the kind and the time to wait are left.
    pub fn cover(&self, component: &str, operation: &str, error: Error) -> Error {
        match self {
            Sealed::No => error,
            Sealed::Yes => error.duplicate().map_message(|_| {
                format!(
                    "operation `{operation}` of bindings component `{component}` failed; the call carried a secret, \
                     so no more is told: try it with a value that is none"
                )
            }),
        }
    }
}

impl Bindings {
    /// Does what `invoke` does; each secret becomes one more entry of the metadata, under the name beside it.
    pub async fn invoke_sealed(
        &self,
        caller: &Call,
        component: &str,
        operation: &str,
        data: Bytes,
        mut metadata: Vec<(String, String)>,
        secrets: Vec<(String, Value)>,
    ) -> Result<Outcome> {
        let found = self.find(caller, component, operation, data.len()).await?;
        if !secrets.is_empty() && !found.driver().takes_secrets {
            return Err(Error::unsupported(format!(
                "bindings component `{component}` takes no secrets, for what it is given can come back to an app"
            )));
        }
        for (name, value) in &secrets {
            if metadata
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                return Err(Error::invalid(format!(
                    "the metadata has `{name}` twice; expected it once, as a value or as a secret"
                )));
            }
            let text = std::str::from_utf8(value.reveal()).map_err(|_| {
                Error::invalid(format!(
                    "the secret for `{name}` is no text; expected one that is UTF-8"
                ))
            })?;
            metadata.push((name.clone(), text.to_owned()));
        }
        let sealed = match secrets.is_empty() {
            true => Sealed::No,
            false => Sealed::Yes,
        };
        self.ask(caller, &found, operation, &data, &metadata, &sealed)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_sealed_call_says_the_same_whatever_the_secret_is() {
        for words in ["`hunter2` is no header", "`hunter\\u{22}3` is no header"] {
            let error = Error::invalid(words).with_source(words.to_uppercase());
            let covered = Sealed::Yes.cover("web", "get", error);
            assert_eq!(covered.kind(), crate::Kind::Invalid);
            assert_eq!(
                covered.chain(),
                "operation `get` of bindings component `web` failed; the call carried a secret, so no more is told: \
                 try it with a value that is none"
            );
        }
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        let error = Sealed::No.cover("web", "get", Error::invalid("no").with_source("why"));
        assert_eq!(error.chain(), "no: why");
    }
}
