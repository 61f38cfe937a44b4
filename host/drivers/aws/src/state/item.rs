//! An entry as an item of the table, as Dapr lays it out, and the expressions by which it is read and written.

use super::plan::{self, Effect, Write};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::time::SystemTime;
use wythe_blocks::{
    Error,
    state::{Condition, Entry},
    time::{self, Clock as _, Timestamp},
};

/// The etag of an item that has none: a daprd wrote it.
const NO_ETAG: &str = "0";

/// The names that differ from table to table.
pub(super) struct Names {
    pub table: String,
    pub key: String,
    /// The attribute by which the service itself removes items whose time is over.
    pub ttl: Option<String>,
}

/// An item as it was found.
pub(super) struct Item {
    pub entry: Entry,
    pub fence: Option<u64>,
    /// True where its time is over, though the service has not removed it yet.
    pub is_dead: bool,
    /// The etag as it is stored, if it is.
    etag: Option<String>,
}

/// A request for one item, while its parts come together.
struct Request {
    names: Map<String, Value>,
    values: Map<String, Value>,
    conditions: Vec<String>,
}

impl Names {
    pub fn key(&self, key: &str) -> Value {
        json!({ &self.key: { "S": key } })
    }

    /// Reads an item; an error is in words for the log.
    pub fn read(&self, item: &Value, now: Timestamp) -> Result<Item, String> {
        let text = |name: &str| item.get(name)?.get("S")?.as_str();
        let number = |name: &str| -> Result<Option<u64>, String> {
            let Some(text) = item.get(name).and_then(|one| one.get("N")?.as_str()) else {
                return Ok(None);
            };
            let number = text.parse().map(Some);
            number.map_err(|_| format!("`{name}` is no number"))
        };
        let stored = item.get("value").ok_or("an item without `value`")?;
        let value = match (stored.get("S"), stored.get("B")) {
            (Some(Value::String(text)), _) => Bytes::copy_from_slice(text.as_bytes()),
            (_, Some(Value::String(text))) => {
                let bytes = STANDARD.decode(text);
                bytes.map_err(|_| "a value that is no base64")?.into()
            }
            _ => return Err("a value of another type".to_owned()),
        };
        let seconds = match &self.ttl {
            Some(name) => number(name)?.map(|seconds| seconds.saturating_mul(1_000)),
            None => None,
        };
        let end = number("wythe_expires")?
            .or(seconds)
            .filter(|_| self.ttl.is_some());
        let etag = text("etag").map(str::to_owned);
        Ok(Item {
            entry: Entry {
                value,
                etag: etag.clone().unwrap_or_else(|| NO_ETAG.to_owned()),
                content_type: text("wythe_content_type").map(str::to_owned),
                expires: end.and_then(time::time),
            },
            fence: number("wythe_fence")?,
            is_dead: end.is_some_and(|end| end <= now),
            etag,
        })
    }

    /// The name of the operation and its request for a write, as it stands alone.
    pub fn write(&self, write: &Write<'_>, now: Timestamp) -> (&'static str, Value) {
        let mut request = Request::new();
        self.expect(write, now, &mut request);
        let mut body = json!({ "TableName": self.table });
        let name = match &write.effect {
            Effect::Delete => {
                body["Key"] = self.key(write.key.whole());
                "Delete"
            }
            Effect::Put { replaces: true, .. } => {
                body["Item"] = self.item(write);
                "Put"
            }
            Effect::Put { .. } => {
                body["Key"] = self.key(write.key.whole());
                body["UpdateExpression"] = self.change(write, &mut request).into();
                "Update"
            }
        };
        request.finish(&mut body);
        (name, body)
    }

    /// The request that removes an item whose time is over, if it is still the same.
    pub fn reap(&self, key: &str, item: &Item) -> Value {
        let mut request = Request::new();
        request.expect_etag(item.etag.as_deref());
        let mut body = json!({ "TableName": self.table, "Key": self.key(key) });
        request.finish(&mut body);
        body
    }

    /// Expects of the stored row what the write wants: never one whose time is over, which is removed first.
    fn expect(&self, write: &Write<'_>, now: Timestamp, request: &mut Request) {
        match &write.condition {
            Condition::Always => {}
            Condition::Absent => {
                request.name("#k", &self.key);
                request
                    .conditions
                    .push("attribute_not_exists(#k)".to_owned());
            }
            Condition::Matches(etag) => {
                request.expect_etag(Some(etag.as_str()).filter(|etag| *etag != NO_ETAG));
                request.name("#k", &self.key);
                request.conditions.push("attribute_exists(#k)".to_owned());
            }
        }
        if let Some(fence) = write.fence {
            request.name("#f", "wythe_fence");
            request.value(":f", json!({ "N": fence.to_string() }));
            let condition = "(attribute_not_exists(#f) OR #f <= :f)";
            request.conditions.push(condition.to_owned());
        }
        if let (Some(ttl), false) = (&self.ttl, write.condition == Condition::Absent) {
            request.name("#x", "wythe_expires");
            request.name("#t", ttl);
            request.value(":now", json!({ "N": now.to_string() }));
            request.value(":seconds", json!({ "N": (now / 1_000).to_string() }));
            let exact = "(attribute_not_exists(#x) OR #x > :now)";
            let whole = "(attribute_exists(#x) OR attribute_not_exists(#t) OR #t > :seconds)";
            request.conditions.push(format!("{exact} AND {whole}"));
        }
    }

    /// The attributes of what is put, beside the key.
    fn attributes(&self, write: &Write<'_>) -> Vec<(String, Value)> {
        let Effect::Put {
            put, etag, fence, ..
        } = &write.effect
        else {
            return Vec::new();
        };
        let value = match std::str::from_utf8(&put.value) {
            Ok(text) => json!({ "S": text }),
            Err(_) => json!({ "B": STANDARD.encode(&put.value) }),
        };
        let own = |name: &str, value: Value| (name.to_owned(), value);
        let mut all = vec![own("value", value), own("etag", json!({ "S": etag }))];
        if let Some(kind) = &put.options.content_type {
            all.push(own("wythe_content_type", json!({ "S": kind })));
        }
        if let Some(fence) = fence {
            all.push(own("wythe_fence", json!({ "N": fence.to_string() })));
        }
        if let (Some(name), Some(ttl)) =
            (&self.ttl, put.options.ttl.filter(|ttl| *ttl < time::NEVER))
        {
            let end = time::timestamp(SystemTime::now().after(ttl));
            all.push(own("wythe_expires", json!({ "N": end.to_string() })));
            all.push(own(name, json!({ "N": end.div_ceil(1_000).to_string() })));
        }
        all
    }

    fn item(&self, write: &Write<'_>) -> Value {
        let mut item = self.key(write.key.whole());
        for (name, value) in self.attributes(write) {
            item[name] = value;
        }
        item
    }

    /// The expression that sets what is given and removes what is not; a mark that is not given stays.
    fn change(&self, write: &Write<'_>, request: &mut Request) -> String {
        let attributes = self.attributes(write);
        let own = ["wythe_content_type", "wythe_expires"].map(str::to_owned);
        let gone = own.into_iter().chain(self.ttl.clone());
        let gone = gone.filter(|name| attributes.iter().all(|(known, _)| known != name));
        let gone: Vec<_> = gone.collect();
        let mut set = Vec::new();
        for (number, (name, value)) in attributes.into_iter().enumerate() {
            request.name(&format!("#a{number}"), &name);
            request.value(&format!(":a{number}"), value);
            set.push(format!("#a{number} = :a{number}"));
        }
        let mut removed = Vec::new();
        for (number, name) in gone.iter().enumerate() {
            request.name(&format!("#r{number}"), name);
            removed.push(format!("#r{number}"));
        }
        match removed.is_empty() {
            true => format!("SET {}", set.join(", ")),
            false => format!("SET {} REMOVE {}", set.join(", "), removed.join(", ")),
        }
    }
}

impl Request {
    fn new() -> Self {
        Request {
            names: Map::new(),
            values: Map::new(),
            conditions: Vec::new(),
        }
    }

    fn name(&mut self, place: &str, name: &str) {
        self.names.insert(place.to_owned(), name.into());
    }

    fn value(&mut self, place: &str, value: Value) {
        self.values.insert(place.to_owned(), value);
    }

    fn expect_etag(&mut self, etag: Option<&str>) {
        self.name("#e", "etag");
        let condition = match etag {
            None => "attribute_not_exists(#e)",
            Some(etag) => {
                self.value(":e", json!({ "S": etag }));
                "#e = :e"
            }
        };
        self.conditions.push(condition.to_owned());
    }

    fn finish(self, body: &mut Value) {
        if !self.conditions.is_empty() {
            body["ConditionExpression"] = self.conditions.join(" AND ").into();
        }
        if !self.names.is_empty() {
            body["ExpressionAttributeNames"] = self.names.into();
        }
        if !self.values.is_empty() {
            body["ExpressionAttributeValues"] = self.values.into();
        }
    }
}

/// The reason why a write does not fit the item that is there, if it does not.
pub(super) fn conflict(write: &Write<'_>, item: Option<&Item>) -> Option<Error> {
    let shown = write.key.shown();
    match (&write.condition, item) {
        (Condition::Absent, Some(_)) => return Some(plan::exists(shown)),
        (Condition::Matches(_), None) => return Some(plan::missing(shown)),
        (Condition::Matches(etag), Some(item)) if item.entry.etag != *etag => {
            return Some(plan::changed(shown));
        }
        _ => {}
    }
    let mark = item.and_then(|item| item.fence);
    match (mark, write.fence) {
        (Some(mark), Some(fence)) if fence < mark => Some(plan::fenced(shown, mark, fence)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(ttl: Option<&str>) -> Names {
        Names {
            table: "t".to_owned(),
            key: "key".to_owned(),
            ttl: ttl.map(str::to_owned),
        }
    }

    #[test]
    fn an_item_of_dapr_is_an_entry() {
        let item = json!({ "key": { "S": "app||k" }, "value": { "S": "{}" }, "end": { "N": "5" } });
        let read = names(Some("end")).read(&item, 5_000).unwrap();
        assert_eq!(
            (&read.entry.value[..], &*read.entry.etag),
            (&b"{}"[..], NO_ETAG)
        );
        assert!(
            read.is_dead
                && names(None)
                    .read(&item, 5_000)
                    .is_ok_and(|item| !item.is_dead)
        );
        assert!(!names(Some("end")).read(&item, 4_999).unwrap().is_dead);
    }

    #[test]
    fn what_is_no_item_says_so() {
        for item in [
            json!({}),
            json!({ "value": { "N": "1" } }),
            json!({ "value": { "B": "?" } }),
            json!({ "value": { "S": "" }, "wythe_fence": { "N": "x" } }),
        ] {
            assert!(names(None).read(&item, 0).is_err(), "{item}");
        }
    }
}
