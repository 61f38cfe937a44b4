//! Outside systems: call them, and be called by them.
use serde::{Serialize, de::DeserializeOwned};

use crate::contract::app::wythe::blocks::{bindings, sealed_bindings};
use crate::contract::listens::exports::wythe::blocks::binding_listener;
use crate::secrets::Secret;
use crate::{Error, Result};

#[doc(inline)]
pub use binding_listener::Input;
#[doc(inline)]
pub use bindings::Outcome;

/// Does one operation of a component. Data both ways have at most its `maxDataBytes`, 4 MiB unless it says otherwise.
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// use wythe_sdk::bindings;
///
/// let metadata = [("emailTo", "ada@example.com"), ("subject", "Your order")];
/// bindings::invoke("mail", "create", "Thank you.", &metadata)?;
/// let file = bindings::invoke("files", "get", "", &[("fileName", "plan.txt")])?.data;
/// # Ok(())
/// # }
/// ```
pub fn invoke(
    component: &str,
    operation: &str,
    data: impl AsRef<[u8]>,
    metadata: &[(&str, &str)],
) -> Result<Outcome> {
    let metadata = owned(metadata);
    Ok(bindings::invoke(
        component,
        operation,
        data.as_ref(),
        &metadata,
    )?)
}

/// Does what [`invoke`] does, with a value as JSON.
pub fn invoke_json<T: Serialize + ?Sized>(
    component: &str,
    operation: &str,
    value: &T,
    metadata: &[(&str, &str)],
) -> Result<Outcome> {
    invoke(component, operation, serde_json::to_vec(value)?, metadata)
}

/// Does what `invoke` does; each secret becomes one more entry of the metadata, under the name beside it. The app does
/// not see it.
pub fn invoke_sealed(
    component: &str,
    operation: &str,
    data: impl AsRef<[u8]>,
    metadata: &[(&str, &str)],
    secrets: &[(&str, &Secret)],
) -> Result<Outcome> {
    let secrets: Vec<_> = secrets
        .iter()
        .map(|(name, secret)| ((*name).to_owned(), secret.handle()))
        .collect();
    let metadata = owned(metadata);
    let data = data.as_ref();
    Ok(sealed_bindings::invoke(
        component, operation, data, &metadata, &secrets,
    )?)
}

/// Lists the operations that this app may ask [`invoke`] for, in alphabetic order.
pub fn operations(component: &str) -> Result<Vec<String>> {
    Ok(bindings::operations(component)?)
}

fn owned(metadata: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = metadata.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn find<'a>(metadata: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut pairs = metadata.iter();
    let found = pairs.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

impl Outcome {
    /// The value of a name, in any case.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        find(&self.metadata, name)
    }

    /// The data as text; `invalid` where it is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.data).map_err(|_| Error::invalid("the answer is not UTF-8"))
    }

    /// The data as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.data)?)
    }
}

impl Input {
    /// The value of a name, in any case.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        find(&self.metadata, name)
    }

    /// The data as text; `invalid` where it is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.data).map_err(|_| Error::invalid("the input is not UTF-8"))
    }

    /// The data as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.data)?)
    }
}

/// A trait that an app implements to hear from outside systems; `listen!` exports it.
pub trait Listener {
    /// The input components that it listens to; asked once when the app is loaded.
    fn components() -> Vec<String>;
    /// Ok acknowledges; the bytes are the answer where the source waits for one. An error or a panic does not.
    fn on_input(input: Input) -> Result<Vec<u8>>;
}

/// Exports `wythe:blocks/binding-listener` for a type that implements [`bindings::Listener`](Listener).
#[macro_export]
macro_rules! listen {
    ($app:ident) => {
        impl $crate::contract::listens::exports::wythe::blocks::binding_listener::Guest for $app {
            fn components() -> ::std::vec::Vec<::std::string::String> {
                <$app as $crate::bindings::Listener>::components()
            }

            fn on_input(input: $crate::bindings::Input) -> ::std::result::Result<::std::vec::Vec<u8>, ::std::string::String> {
                <$app as $crate::bindings::Listener>::on_input(input)
                    .map_err(|error| ::std::string::ToString::to_string(&error))
            }
        }
        $crate::contract::listens::export_binding_listener!($app with_types_in $crate::contract::listens);
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_found_in_any_case() {
        let outcome = Outcome {
            data: b"{\"a\":1}".to_vec(),
            metadata: owned(&[("statusCode", "200")]),
        };
        assert_eq!(outcome.metadata("StatusCode"), Some("200"));
        assert_eq!(outcome.metadata("status"), None);
        assert_eq!(outcome.json::<serde_json::Value>().unwrap()["a"], 1);
    }
}
