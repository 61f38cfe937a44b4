//! The types of component that Dapr has and no build of Wythe has, so that a file which names one is answered plainly.

use wythe_blocks::{Missing, Registry};

const TYPES: &[&str] = &[
    "bindings.alicloud.dingtalk.webhook",
    "bindings.alicloud.oss",
    "bindings.alicloud.sls",
    "bindings.alicloud.tablestore",
    "bindings.apns",
    "bindings.aws.dynamodb",
    "bindings.aws.kinesis",
    "bindings.aws.ses",
    "bindings.azure.cosmosdb",
    "bindings.azure.cosmosdb.gremlinapi",
    "bindings.azure.eventgrid",
    "bindings.azure.eventhubs",
    "bindings.azure.openai",
    "bindings.azure.servicebus.queues",
    "bindings.azure.servicebusqueues",
    "bindings.azure.signalr",
    "bindings.cloudflare.queues",
    "bindings.commercetools",
    "bindings.dubbo",
    "bindings.gcp.bucket",
    "bindings.gcp.pubsub",
    "bindings.graphql",
    "bindings.huawei.obs",
    "bindings.influx",
    "bindings.kitex",
    "bindings.kubemq",
    "bindings.kubernetes",
    "bindings.postmark",
    "bindings.rethinkdb.statechange",
    "bindings.rocketmq",
    "bindings.sftp",
    "bindings.sqlserver",
    "bindings.twilio.sendgrid",
    "bindings.twilio.sms",
    "bindings.zeebe.command",
    "bindings.zeebe.jobworker",
    "configuration.azure.appconfig",
    "crypto.azure.keyvault",
    "crypto.dapr.kubernetes.secrets",
    "pubsub.amqp",
    "pubsub.azure.eventhubs",
    "pubsub.azure.servicebus",
    "pubsub.azure.servicebus.queues",
    "pubsub.azure.servicebus.topics",
    "pubsub.gcp.pubsub",
    "pubsub.kubemq",
    "pubsub.pulsar",
    "pubsub.rocketmq",
    "pubsub.solace.amqp",
    "secretstores.alicloud.parameterstore",
    "secretstores.azure.keyvault",
    "secretstores.gcp.secretmanager",
    "secretstores.huaweicloud.csms",
    "secretstores.tencentcloud.ssm",
    "state.aerospike",
    "state.alicloud.tablestore",
    "state.azure.cosmosdb",
    "state.azure.tablestorage",
    "state.cassandra",
    "state.cloudflare.workerskv",
    "state.cockroachdb",
    "state.coherence",
    "state.consul",
    "state.couchbase",
    "state.gcp.firestore",
    "state.hazelcast",
    "state.mongodb",
    "state.oci.objectstorage",
    "state.oracledatabase",
    "state.ravendb",
    "state.rethinkdb",
    "state.sqlserver",
    "state.zookeeper",
];

/// Middleware of Dapr's for which there is something else to write.
const INSTEAD: [(&str, &str); 2] = [
    (
        "http.opa",
        "write `middleware.http.routerchecker` for paths, `middleware.http.bearer` for who asks, and the rest into a guest of `middleware.http.wasm`",
    ),
    (
        "http.sentinel",
        "write `middleware.http.ratelimit` for rates, `limits.concurrency` of the app for calls at once, and a circuit breaker in `Resiliency`",
    ),
];

/// Says of each of them that Dapr has it, and of some what to write instead.
pub(super) fn register(registry: &mut Registry) {
    let parts = TYPES.iter().filter_map(|kind| kind.split_once('.'));
    for (block, name) in parts {
        registry.lacks(block, name, Missing::OfDapr);
    }
    for (name, words) in INSTEAD {
        registry.lacks("middleware", name, Missing::Instead(words));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_type_is_here_and_missing() {
        let registry = crate::registry();
        let blocks = [
            ("bindings", registry.bindings.names().collect::<Vec<_>>()),
            ("configuration", registry.configuration.names().collect()),
            ("crypto", registry.crypto.names().collect()),
            ("lock", registry.lock.names().collect()),
            ("middleware", registry.middleware.names().collect()),
            ("pubsub", registry.pubsub.names().collect()),
            ("secretstores", registry.secrets.names().collect()),
            ("state", registry.state.names().collect()),
        ];
        for (block, names) in blocks {
            assert!(!names.is_empty());
            let kinds = names.iter().map(|name| format!("{block}.{name}"));
            let both: Vec<_> = kinds
                .filter(|kind| TYPES.contains(&kind.as_str()))
                .collect();
            assert!(both.is_empty(), "{both:?}");
        }
        assert!(TYPES.is_sorted(), "keep the list in order");
    }
}
