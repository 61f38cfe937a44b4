//! The steps that the cases do again and again: ask, and expect.

use bytes::Bytes;
use serde_json::Value;
use wythe_blocks::{
    Kind, Result,
    bindings::{Driver, Outcome, Request},
};

/// Bytes that an answer may have.
const MAX_BYTES: u64 = 16 << 20;

/// Asks the outside system, as an app does.
pub async fn ask(
    driver: &dyn Driver,
    operation: &str,
    data: &[u8],
    metadata: &[(&str, &str)],
) -> Result<Outcome> {
    let pairs = metadata.iter();
    let metadata: Vec<_> = pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let request = Request {
        operation,
        data: &Bytes::copy_from_slice(data),
        metadata: &metadata,
        max_bytes: MAX_BYTES,
        trace: wythe_blocks::Trace::start(),
        account: None,
    };
    driver.invoke(request).await
}

/// Creates a record without a name, and returns the key of its name, and the name.
pub(super) async fn create(driver: &dyn Driver, data: &[u8]) -> (String, String) {
    let created = ask(driver, "create", data, &[]).await;
    let created = created.expect("it is created");
    let mut metadata = created.metadata.into_iter();
    metadata.next().expect("the answer names the record")
}

/// The key under which the driver takes a record's name.
pub(super) async fn key(driver: &dyn Driver) -> String {
    let (key, name) = create(driver, b"to learn the key").await;
    let deleted = ask(driver, "delete", b"", &[(&key, &name)]).await;
    deleted.expect("it is deleted");
    key
}

pub(super) async fn put(driver: &dyn Driver, key: &str, name: &str, data: &[u8]) {
    let created = ask(driver, "create", data, &[(key, name)]).await;
    created.unwrap_or_else(|error| panic!("`{name}` is created: {}", error.chain()));
}

/// Gets a record; absent where there is no such record.
pub(super) async fn get(driver: &dyn Driver, key: &str, name: &str) -> Option<Bytes> {
    match ask(driver, "get", b"", &[(key, name)]).await {
        Ok(outcome) => Some(outcome.data),
        Err(error) if error.kind() == Kind::NotFound => None,
        Err(error) => panic!("`{name}` is got: {}", error.chain()),
    }
}

pub(super) async fn remove(driver: &dyn Driver, key: &str, name: &str) {
    let deleted = ask(driver, "delete", b"", &[(key, name)]).await;
    deleted.unwrap_or_else(|error| panic!("`{name}` is deleted: {}", error.chain()));
}

/// The names, as JSON: an answer is a list of them, a list of objects that have each its `Name`, or an object whose
/// `Contents` have each its `Key`.
pub(super) async fn list(driver: &dyn Driver) -> String {
    let listed = ask(driver, "list", b"", &[]).await;
    let listed = listed.expect("the names are listed").data;
    let value: Value = serde_json::from_slice(&listed).expect("it is JSON");
    let (objects, name) = match value {
        Value::Array(objects) if objects.iter().all(Value::is_object) => (objects, "Name"),
        Value::Object(mut object) => match object["Contents"].take() {
            Value::Array(objects) => (objects, "Key"),
            _ => (Vec::new(), "Key"),
        },
        _ => return String::from_utf8(listed.into()).expect("JSON is text"),
    };
    let names: Vec<_> = objects.iter().map(|object| &object[name]).collect();
    serde_json::to_string(&names).expect("texts are JSON")
}
