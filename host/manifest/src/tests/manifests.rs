//! Manifests that are right.

use std::path::Path;
use std::time::Duration;

use super::manifest;
use crate::{Limits, Reuse};

const SHOP: &str = "
version: 1
name: shop
tenant: acme
common:
  env: { REGION: eu, LEVEL: info }
apps:
  - appID: cart
    appDirPath: ./apps/cart/
    guest: target/cart.wasm
    build: cargo build --target wasm32-wasip2
    watch: [src, ../shared]
    ingress: /cart/
    env:
      LEVEL: debug
      RETRIES: 010
      EMPTY:
    grants: &shared
      state: [statestore]
      publish: [pubsub/orders, other]
    limits: { memory: 1Gi, wallTime: 1m30s, cpuTime: 0.5s, concurrency: 8, requestBody: 512k }
    reuse: { maxRequests: 100, maxConcurrent: 10, idle: 250ms }
  - appDirPath: apps/Order_Processor
    guest: /srv/orders.wasm
    grants:
      <<: *shared
      state: ['*']
";

#[test]
fn everything_is_read() {
    let shop = manifest(SHOP);
    assert_eq!((shop.name.as_str(), shop.tenant.as_str()), ("shop", "acme"));
    let [cart, orders] = shop.apps.as_slice() else {
        panic!("two apps")
    };
    assert_eq!(cart.id.as_str(), "cart");
    assert_eq!(cart.directory, Path::new("apps/cart"));
    assert_eq!(cart.guest, Path::new("apps/cart/target/cart.wasm"));
    assert_eq!(
        cart.build.as_deref(),
        Some("cargo build --target wasm32-wasip2")
    );
    assert_eq!(
        cart.watch,
        [Path::new("apps/cart/src"), Path::new("apps/cart/../shared")]
    );
    assert_eq!(cart.ingress.as_deref(), Some("/cart"));
    assert_eq!(cart.source.to_string(), "wythe.yaml:8");
    assert_eq!(orders.id.as_str(), "order-processor");
    assert_eq!(orders.guest, Path::new("/srv/orders.wasm"));
    assert_eq!(orders.watch, [Path::new("apps/Order_Processor")]);
}

#[test]
fn the_environment_of_an_app_wins() {
    let shop = manifest(SHOP);
    let pairs = |index: usize| -> Vec<String> {
        shop.apps[index]
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    };
    assert_eq!(
        pairs(0),
        ["EMPTY=", "LEVEL=debug", "REGION=eu", "RETRIES=010"]
    );
    assert_eq!(pairs(1), ["LEVEL=info", "REGION=eu"]);
}

#[test]
fn merged_keys_do_not_override() {
    let shop = manifest(SHOP);
    assert!(!shop.apps[0].grants.state("another"));
    assert!(shop.apps[1].grants.state("another"));
    assert!(shop.apps[1].grants.publish("pubsub", "orders"));
}

#[test]
fn limits_have_defaults() {
    let shop = manifest(SHOP);
    let expected = Limits {
        memory: 1 << 30,
        wall_time: Duration::from_secs(90),
        cpu_time: Duration::from_millis(500),
        concurrency: 8,
        request_body: 512_000,
        ..Limits::default()
    };
    assert_eq!(shop.apps[0].limits, expected);
    let reuse = Reuse {
        max_requests: 100,
        max_concurrent: 10,
        idle: Duration::from_millis(250),
    };
    assert_eq!(shop.apps[0].reuse, reuse);
    let default = (Limits::default(), Reuse::default());
    assert_eq!(
        (shop.apps[1].limits.clone(), shop.apps[1].reuse.clone()),
        default
    );
}

#[test]
fn little_needs_to_be_written() {
    let small = manifest("version: 1\napps:\n- guest: a.wasm\n");
    assert_eq!(
        (small.name.as_str(), small.tenant.as_str()),
        ("manifest", "default")
    );
    assert_eq!(small.apps[0].id.as_str(), "manifest");
    assert_eq!(small.apps[0].guest, Path::new("a.wasm"));
    assert_eq!(small.apps[0].ingress, None);
    assert!(small.resources_paths.is_empty());
}
