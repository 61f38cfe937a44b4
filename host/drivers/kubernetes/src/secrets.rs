//! Secrets of a namespace, each with its keys.

use crate::{
    access::Access,
    client::{Asked, Client, JSON, NAMES, Reply},
    failure::odd,
    object::{List, Metadata},
    settings::{Parsed, is_namespace},
};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use wythe_blocks::{
    Error, Result, Site,
    secrets::{Driver, Features, Found, Value},
};
use wythe_client::encode;
use wythe_manifest::Secret;

/// Names of one namespace, those of one answer, and times that a list begins anew whose rest the server has forgotten.
const MOST: usize = 100_000;
const PAGE: usize = 100;
const AGAIN: usize = 3;
/// Characters of a name.
const LONGEST: usize = 253;

pub(crate) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let access = Access::of(&parsed, &site)?;
    let namespace = namespace(&parsed, &access, &site)?;
    let client = Client::new(access, parsed.timeout)?;
    let version = client
        .version()
        .await
        .map_err(|error| client.named(error))?;
    Ok(Arc::new(Store {
        client,
        namespace,
        version,
        is_closed: AtomicBool::new(false),
    }))
}

/// The namespace of what names none: as it is written, of the variable `NAMESPACE`, or of the account.
pub(crate) fn namespace(parsed: &Parsed, access: &Access, site: &Site) -> Result<String> {
    let variable = site.environment.get("NAMESPACE").map(Secret::reveal);
    let variable = variable.filter(|name| !name.is_empty());
    let written = parsed.namespace.as_deref().or(variable);
    let found = written.or(access.namespace.as_deref());
    let missing = || {
        let setting = parsed.setting;
        Error::invalid(format!(
            "{setting}: expected it, for neither the variable `NAMESPACE` nor the account has a namespace"
        ))
    };
    let found = found.filter(|name| is_namespace(name));
    found.map(str::to_owned).ok_or_else(missing)
}

/// A secret as the server has it, its values in base64.
#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    data: Option<BTreeMap<String, String>>,
}

/// The end of a page of names.
enum Page {
    /// The next page begins there.
    Next(String),
    Last,
    /// The list was so long under way that the server has forgotten what it began with.
    Forgotten,
}

struct Store {
    client: Client,
    namespace: String,
    version: String,
    is_closed: AtomicBool,
}

impl Store {
    fn client(&self) -> Result<&Client> {
        match self.is_closed.load(Relaxed) {
            false => Ok(&self.client),
            true => Err(Error::unavailable("the store is closed")),
        }
    }

    /// Reads a page of the names that begins there.
    async fn page(&self, from: &str, names: &mut Vec<String>) -> Result<Page> {
        let about = format!("the names of secrets in namespace `{}`", self.namespace);
        let next = match from {
            "" => String::new(),
            from => format!("&continue={}", encode(from, "")),
        };
        let path = format!(
            "/api/v1/namespaces/{}/secrets?limit={PAGE}{next}",
            self.namespace
        );
        let asked = Asked {
            path: &path,
            accept: NAMES,
            verb: "list",
            about: &about,
        };
        let list: List = match self.client()?.reply(&asked).await? {
            Reply::Is(list) => list,
            Reply::Missing => return Err(odd(&about)),
            Reply::Forgotten => return Ok(Page::Forgotten),
        };
        for item in list.items {
            names.push(item.metadata.name.ok_or_else(|| odd(&about))?);
        }
        Ok(match list.metadata.next.filter(|next| !next.is_empty()) {
            Some(next) => Page::Next(next),
            None => Page::Last,
        })
    }
}

/// Returns whether a text can be asked for as a name: whatever it is, it stays one part of a path.
fn is_one_part(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len())
        && ![".", ".."].contains(&name)
        && !name.contains(|c: char| "/%".contains(c) || c.is_control())
}

#[async_trait]
impl Driver for Store {
    fn features(&self) -> Features {
        Features {
            multiple_values: true,
            names: true,
        }
    }

    async fn get(&self, name: &str, metadata: &[(String, String)]) -> Result<Option<Found>> {
        if !is_one_part(name) {
            return Ok(None);
        }
        let written = metadata.iter().find(|(known, _)| known == "namespace");
        let namespace = match written.map(|(_, value)| value.as_str()) {
            None | Some("") => &self.namespace,
            Some(written) if is_namespace(written) => written,
            Some(_) => {
                return Err(Error::invalid(
                    "expected metadata `namespace` to be the name of a namespace",
                ));
            }
        };
        let about = format!("the secret `{name}` in namespace `{namespace}`");
        let path = format!(
            "/api/v1/namespaces/{namespace}/secrets/{}",
            encode(name, "")
        );
        let asked = Asked {
            path: &path,
            accept: JSON,
            verb: "get",
            about: &about,
        };
        let secret: Option<Object> = self.client()?.ask(&asked).await?;
        let Some(secret) = secret else {
            return Ok(None);
        };
        let values = values(secret.data.unwrap_or_default());
        Ok(Some(Found {
            values: values.ok_or_else(|| odd(&about))?,
            version: secret.metadata.resource_version,
        }))
    }

    async fn names(&self) -> Result<Vec<String>> {
        let (mut names, mut from, mut left) = (Vec::new(), String::new(), AGAIN);
        loop {
            let page = self.page(&from, &mut names).await?;
            if names.len() > MOST {
                return Err(Error::exhausted(format!(
                    "namespace `{}` has more than {MOST} secrets",
                    self.namespace
                )));
            }
            match page {
                // A server that does not get on would be asked for ever.
                Page::Next(next) if next != from && !names.is_empty() => from = next,
                Page::Next(_) => return Err(odd("the names of secrets")),
                Page::Last => break,
                Page::Forgotten if left == 0 => {
                    return Err(Error::unavailable(format!(
                        "the server forgot a list of names under way, {AGAIN} times (410)"
                    )));
                }
                Page::Forgotten => {
                    left -= 1;
                    (names, from) = (Vec::new(), String::new());
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn describe(&self) -> Option<String> {
        let (version, host, namespace) = (&self.version, self.client.host(), &self.namespace);
        Some(format!(
            "Kubernetes {version} at {host}, secrets of namespace `{namespace}`"
        ))
    }

    async fn health(&self) -> Result<()> {
        self.client()?.version().await.map(drop)
    }

    async fn close(&self) -> Result<()> {
        self.is_closed.store(true, Relaxed);
        self.client.close();
        Ok(())
    }
}

/// The values of a secret's data, each in base64.
fn values(data: BTreeMap<String, String>) -> Option<BTreeMap<String, Value>> {
    let pairs = data.into_iter().map(|(key, value)| {
        let bytes = STANDARD.decode(value).ok()?;
        Some((key, Value::new(bytes)))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_bytes() {
        let of = |data| {
            let secret = serde_json::from_value::<Object>(json!({ "metadata": {}, "data": data }));
            values(secret.ok()?.data.unwrap_or_default())
        };
        let found = of(json!({ "a": "AP8=", "b": "" })).unwrap();
        assert_eq!(found["a"].reveal(), [0, 255]);
        assert_eq!(found["b"].reveal(), b"");
        assert!(of(json!(null)).unwrap().is_empty());
        for odd in [json!({ "a": "?" }), json!({ "a": 1 }), json!([])] {
            assert!(of(odd).is_none());
        }
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        assert!(is_one_part("db") && is_one_part("A b"));
        for name in ["", ".", "..", "a/b", "a%2fb", "a\n", &"a".repeat(254)] {
            assert!(!is_one_part(name), "{name:?}");
        }
    }
}
