//! The keys that pub/sub and bindings have in common.

/// Makes the config of a component: the keys of a cluster and of how it is read and written, and those of its own.
macro_rules! config {
    (struct Config { $($(#[$said:meta])* $key:ident: $of:ty,)* }) => {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(crate) struct Config {
            /// `host:port` of brokers, with commas between them.
            pub brokers: String,
            /// The consumer group, in place of the app's name.
            pub consumer_group: Option<String>,
            /// The name of the connections in the broker's logs; default `wythe`.
            #[serde(rename = "clientID", alias = "clientId")]
            pub client_id: Option<String>,
            /// `none`, `password`, `mtls` or `certificate`; default `none`, or by `authRequired`.
            pub auth_type: Option<String>,
            /// Dapr's older word: true is `password`.
            pub auth_required: Option<bool>,
            pub sasl_username: Option<String>,
            pub sasl_password: Option<wythe_manifest::Secret>,
            /// `PLAINTEXT`, `SHA-256` or `SHA-512`; default `PLAINTEXT`.
            pub sasl_mechanism: Option<String>,
            /// The place at which a new group begins: `newest` or `oldest`; default `newest`.
            pub initial_offset: Option<String>,
            /// Bytes of a batch of records; default 1 MiB.
            pub max_message_bytes: Option<wythe_manifest::ByteSize>,
            /// The version of the brokers: the connection asks them, so that it is only looked at.
            pub version: Option<String>,
            /// Certificates in PEM that are believed in place of the web's authorities.
            pub ca_cert: Option<String>,
            /// A certificate in PEM by which the host proves itself, with its key.
            pub client_cert: Option<String>,
            pub client_key: Option<wythe_manifest::Secret>,
            /// May be false alone, which is the default: the broker's certificate is checked.
            pub skip_verify: Option<bool>,
            /// A login without TLS; default false.
            pub disable_tls: Option<bool>,
            /// The first pause after reading has failed; default 100ms.
            pub consume_retry_interval: Option<$crate::settings::Milliseconds>,
            /// May be true alone, which is the default: what an app refuses comes again.
            pub consume_retry_enabled: Option<bool>,
            /// The interval of signs of life of a member; at most a third of `sessionTimeout`; default 3s.
            pub heartbeat_interval: Option<$crate::settings::Milliseconds>,
            /// The time after which a member that is silent is gone; default 10s.
            pub session_timeout: Option<$crate::settings::Milliseconds>,
            /// Messages of a partition that a subscription has at once; default 256.
            pub channel_buffer_size: Option<usize>,
            /// `range` or `roundrobin`; default `range`.
            pub consumer_group_rebalance_strategy: Option<String>,
            /// `none`, `gzip`, `snappy`, `lz4` or `zstd`; default `none`.
            pub compression: Option<String>,
            /// Written before the names of topics and groups; default none.
            pub name_prefix: Option<String>,
            /// The time to connect, and that of one request; default 10s.
            pub timeout: Option<wythe_manifest::Duration>,
            $($(#[$said])* $key: $of,)*
        }
    };
}
pub(crate) use config;
