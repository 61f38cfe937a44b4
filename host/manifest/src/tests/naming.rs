//! Grants and subscriptions that name nothing.

use super::{manifest, resources};
use crate::check_names;

const STORES: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.test }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: order_pub_sub }
spec: { type: pubsub.test }
scopes: [other]
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: elsewhere, namespace: theirs }
spec: { type: lock.test }
---
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: { name: s }
spec: { pubsubname: order_pub_sup, topic: a, routes: { default: /a } }
scopes: [cart, crat]
";

#[test]
fn each_is_told_with_the_nearest() {
    let manifest = manifest(
        "version: 1\nname: shop\napps:\n  - appID: cart\n    guest: a.wasm\n    grants:\n      \
         state: [statstore, \"*\"]\n      publish: [order_pub_sub/a, statestore]\n      \
         lock: [elsewhere]\n      invoke: [catr, cart]\n      listen: [clock]\n",
    );
    let problems = check_names(&manifest, &resources(STORES));
    let expected = "
resources/a.yaml:20:21: spec.pubsubname: no pubsub component is called `order_pub_sup`; did you mean `order_pub_sub`?
resources/a.yaml:21:16: warning: scopes: no app of this project is called `crat`; did you mean `cart`?
wythe.yaml:7:15: apps[0].grants.state[0]: no state component is called `statstore`; did you mean `statestore`?
wythe.yaml:8:17: warning: apps[0].grants.publish[0]: app `cart` is not in the `scopes` of `order_pub_sub` at resources/a.yaml:6
wythe.yaml:8:34: apps[0].grants.publish[1]: `statestore` is a component of state; expected one of pubsub
wythe.yaml:9:14: apps[0].grants.lock[0]: no lock component is called `elsewhere`
wythe.yaml:10:16: warning: apps[0].grants.invoke[0]: no app of this project is called `catr`; did you mean `cart`?
wythe.yaml:11:16: apps[0].grants.listen[0]: no bindings component is called `clock`";
    assert_eq!(problems.to_string(), expected.trim());
}
