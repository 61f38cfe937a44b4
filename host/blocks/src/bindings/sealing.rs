//! Calls with metadata that an app may use and not see: the secrets go to the driver, and into no error and no log.

use super::{Bindings, Outcome};
use crate::{Caller, Error, Result, secrets::Value};
use bytes::Bytes;

/// What stands in an error where a secret would.
const HIDDEN: &str = "(secret)";

/// The secrets of one call, each with its text.
pub(super) struct Sealed(Vec<Value>);

impl Sealed {
    pub fn none() -> Self {
        Sealed(Vec::new())
    }

    /// The error without the secrets. A cause that has one of them goes, too: it would be logged.
    pub fn scrub(&self, error: Error) -> Error {
        let texts: Vec<&str> = self.texts().collect();
        let chain = error.chain();
        if !texts.iter().any(|text| chain.contains(text)) {
            return error;
        }
        let clean = |text: String| texts.iter().fold(text, |all, one| all.replace(one, HIDDEN));
        let scrubbed = error.duplicate().map_message(clean);
        match std::error::Error::source(&error) {
            Some(_) => scrubbed.with_source(clean(chain)),
            None => scrubbed,
        }
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = self.0.iter();
        let texts = texts.filter_map(|value| std::str::from_utf8(value.reveal()).ok());
        texts.filter(|text| !text.is_empty())
    }
}

impl Bindings {
    /// As `invoke`; each secret becomes one more entry of the metadata, under the name beside it.
    pub async fn invoke_sealed(
        &self,
        caller: &Caller,
        component: &str,
        operation: &str,
        data: Bytes,
        mut metadata: Vec<(String, String)>,
        secrets: Vec<(String, Value)>,
    ) -> Result<Outcome> {
        let found = self.find(caller, component, operation, data.len())?;
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
        let sealed = Sealed(secrets.into_iter().map(|(_, value)| value).collect());
        self.ask(caller, &found, operation, &data, &metadata, &sealed)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_in_no_error_and_in_no_cause() {
        let sealed = Sealed(vec![Value::new(*b"hunter2"), Value::new(*b"")]);
        let error = Error::invalid("`hunter2` is no header").with_source("at hunter2, byte 3");
        let scrubbed = sealed.scrub(error);
        assert_eq!(scrubbed.message(), "`(secret)` is no header");
        assert!(
            !scrubbed.chain().contains("hunter2"),
            "{}",
            scrubbed.chain()
        );
        assert!(scrubbed.chain().contains("at (secret), byte 3"));
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        let sealed = Sealed(vec![Value::new(*b"hunter2")]);
        let error = sealed.scrub(Error::invalid("no").with_source("why"));
        assert_eq!(error.chain(), "no: why");
    }
}
