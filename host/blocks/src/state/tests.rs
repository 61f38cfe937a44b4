//! Errors of a driver that gets whole keys and names them, as a plugin does.

use super::{Delete, Driver, Entry, Etag, Features, Page, Put};
use crate::{Call, Error, Key, Ready, Registry, Result, Settings, Shared, Tenant, time};
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};
use wythe_manifest::Name;

struct Wordy;

#[async_trait]
impl Driver for Wordy {
    fn features(&self) -> Features {
        Features {
            transactions: false,
            ttl: false,
            list: true,
            increment: false,
            fence: false,
            durable: false,
            linearizable: false,
            counted: false,
            max_value_bytes: 100,
            max_operations: 1,
        }
    }

    async fn get(&self, _: &Key) -> Result<Option<Entry>> {
        Ok(None)
    }

    async fn put(&self, _: Put) -> Result<Etag> {
        Ok(Etag::new())
    }

    async fn delete(&self, _: Delete) -> Result<()> {
        Ok(())
    }

    async fn list(&self, prefix: &str, _: Option<&str>, _: u32) -> Result<Page> {
        Err(Error::invalid(format!("no entry begins with `{prefix}`")))
    }
}

#[tokio::test]
async fn an_error_of_a_list_names_the_prefix_without_the_keyspace() {
    let mut registry = Registry::default();
    registry.state.add_raw("wordy", |_, _| async {
        Ok(Ready::new(|| async {
            Ok(Arc::new(Wordy) as Arc<dyn Driver>)
        }))
    });
    let text = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: store }\nspec: { type: state.wordy }\n";
    let (resources, _) = wythe_manifest::parse_resources(text, "store.yaml".as_ref());
    let name = |text: &str| -> Name { text.parse().expect("a name") };
    let tenant = Tenant::new(Settings::new(name("t"), ""), &Shared::default());
    let opened = tenant.open(&registry, &resources.components).await;
    opened.expect("it opens");
    let caller = Call::operator(
        name("t"),
        name("cart"),
        time::deadline(Duration::from_secs(60)),
    );
    let store = tenant.state.open(&caller, "store").expect("the store");
    let listed = store.list(&caller, "order", None, None).await;
    let error = listed.expect_err("no list");
    assert_eq!(error.message(), "no entry begins with `order`");
}
