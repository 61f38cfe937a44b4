//! Secret stores, one file for each service.

pub(crate) mod manager;
pub(crate) mod parameters;

use crate::fault::Fault;
use serde_json::Value;
use wythe_blocks::{Error, Result};

/// Names of one store, and pages of them.
const NAMES: usize = 100_000;
const PAGES: usize = 10_000;

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
    use serde_json::json;

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
