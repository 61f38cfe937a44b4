//! Secret stores, one file for each service.

pub(crate) mod manager;
pub(crate) mod parameters;

use crate::{
    client::{Operation, Session, Shared, shared},
    fault::Fault,
    settings::Target,
};
use serde_json::{Value, json};
use std::time::Duration;
use wythe_blocks::{Error, Result, Site};
use wythe_client::Effect;

/// Names of one store, and pages of them.
const NAMES: usize = 100_000;
const PAGES: usize = 10_000;

/// A service of secrets, and how it is asked.
struct Api {
    /// The service's part in signatures, and the name before those of its operations.
    service: &'static str,
    prefix: &'static str,
    /// The operation that lists names.
    list: &'static str,
    /// The service's name for people.
    shown: &'static str,
}

/// A store of secrets as one component has it.
struct Store {
    session: Session,
    api: &'static Api,
}

impl Store {
    /// The store of a target, once it has answered.
    async fn open(
        api: &'static Api,
        clients: &Shared,
        target: &Target,
        site: &Site,
    ) -> Result<Self> {
        let client = shared(clients, target, site);
        let session = Session::new(client.clone(), api.shown.to_owned());
        let store = Store { session, api };
        store.health().await.map_err(|error| client.named(error))?;
        Ok(store)
    }

    async fn ask(&self, name: &str, body: &Value) -> Result<Result<Value, Fault>> {
        let operation = Operation {
            service: self.api.service,
            prefix: self.api.prefix,
            version: "1.1",
            name,
            effect: Effect::Read,
            extra: Duration::ZERO,
        };
        Ok(self.session.client()?.json(operation, body).await)
    }

    /// All names, which `listed` reads from each page that `body` asks for.
    async fn names(
        &self,
        body: &Value,
        listed: impl Fn(&Value) -> Option<Vec<String>>,
    ) -> Result<Vec<String>> {
        let mut names = Names::default();
        loop {
            let page = self.ask(self.api.list, &names.body(body.clone())).await?;
            let page = page.map_err(|fault| fault.of_read("the names of the secrets"))?;
            if !names.add(&page, listed(&page))? {
                return Ok(names.whole());
            }
        }
    }

    /// Asks for one name. A key that may not is good enough: it may read a secret.
    async fn health(&self) -> Result<()> {
        match self.ask(self.api.list, &json!({ "MaxResults": 1 })).await? {
            Err(fault) if !fault.is_about_rights() => Err(fault.of_read("the store")),
            _ => Ok(()),
        }
    }
}

/// The names of a store, which come in pages.
#[derive(Default)]
struct Names {
    found: Vec<String>,
    pages: usize,
    /// The token of the next page.
    token: Option<String>,
}

impl Names {
    /// The request for the next page.
    fn body(&self, mut body: Value) -> Value {
        if let Some(token) = &self.token {
            body["NextToken"] = token.as_str().into();
        }
        body
    }

    /// Adds the names of a page, and says whether there is another one.
    fn add(&mut self, page: &Value, names: Option<Vec<String>>) -> Result<bool> {
        let odd = || Fault::Odd("no list of names".to_owned()).of_read("the names");
        self.found.extend(names.ok_or_else(odd)?);
        self.pages += 1;
        let next = page.get("NextToken").and_then(Value::as_str);
        self.token = next.filter(|next| !next.is_empty()).map(str::to_owned);
        let is_over = self.token.is_none();
        if self.found.len() > NAMES || (self.pages >= PAGES && !is_over) {
            return Err(Error::exhausted(format!(
                "the store has more than {NAMES} names, or does not come to their end; give the component a narrower one"
            )));
        }
        Ok(!is_over)
    }

    /// All names, in order.
    fn whole(mut self) -> Vec<String> {
        self.found.sort_unstable();
        self.found.dedup();
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_to_their_end() {
        let mut names = Names::default();
        let page = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let more = names.add(&json!({ "NextToken": "t" }), page(&["b"]));
        assert!(more.unwrap());
        assert_eq!(names.body(json!({}))["NextToken"], "t");
        assert!(!names.add(&json!({}), page(&["a", "b"])).unwrap());
        assert_eq!(names.whole(), ["a", "b"]);
        assert!(Names::default().add(&json!({}), None).is_err());
        let mut endless = Names::default();
        let again = json!({ "NextToken": "t" });
        let last = (0..PAGES).map(|_| endless.add(&again, page(&[]))).last();
        assert!(last.unwrap().is_err());
    }
}
