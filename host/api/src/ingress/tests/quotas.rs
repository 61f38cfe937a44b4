//! What a tenant's quotas refuse at the front door.

use super::{ingress, said_until_closed};
use std::{fs, sync::Arc, time::Duration};
use wythe_blocks::{
    Host, Ready, Registry, Settings, Tenant,
    bindings::{Driver, Features, Webhook},
};
use wythe_manifest::{HOST_FILE, Metered, Terms, load_host_file, parse_resources};

/// A webhook at `/hook` that takes everything.
struct Hook;

impl Driver for Hook {
    fn features(&self) -> Features {
        Features {
            input: true,
            ..Features::default()
        }
    }

    fn webhook(&self) -> Option<Webhook> {
        Some(Webhook {
            path: "/hook".into(),
            methods: vec!["POST".into()],
            max_body: 1_000,
        })
    }
}

fn terms(quotas: &str) -> Terms {
    let directory = tempfile::tempdir().expect("a directory");
    let document =
        format!("apiVersion: wythe/v1\nkind: Tenant\nspec: {{ quotas: {{ {quotas} }} }}\n");
    fs::write(directory.path().join(HOST_FILE), document).expect("a file");
    let file = load_host_file(directory.path()).0;
    file.terms(&"shop".parse().expect("a name"))
}

/// A tenant with a webhook that nobody listens to.
async fn tenant(host: &Host, quotas: &str) -> Arc<Tenant> {
    let mut registry = Registry::default();
    registry.bindings.add_raw("hook", |_, _| async {
        Ok(Ready::new(|| async {
            let driver: Arc<dyn Driver> = Arc::new(Hook);
            Ok(driver)
        }))
    });
    let settings = Settings {
        terms: Some(Arc::new(terms(quotas))),
        ..Settings::new("shop".parse().expect("a name"), "")
    };
    let tenant = host.open(settings).expect("a new tenant");
    let text = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: hook }\nspec: { type: bindings.hook, version: v1 }\n";
    let (resources, problems) = parse_resources(text, "hook.yaml".as_ref());
    assert!(problems.is_empty(), "{problems}");
    let opened = tenant.open(&registry, &resources.components).await;
    opened.expect("it opens");
    tenant
}

#[tokio::test(start_paused = true)]
async fn webhooks_draw_from_the_requests_of_their_tenant() {
    let (address, host) = ingress().await;
    let tenant = tenant(&host, "requestsPerSecond: 1").await;
    let request = "POST /hook HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}";
    let said = said_until_closed(address, request.repeat(50).as_bytes()).await;
    // Nobody listens; what is over the rate is not even looked at.
    assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
    assert_eq!(said.matches("HTTP/1.1 ").count(), 50, "{said}");
    let refused = said.matches("HTTP/1.1 429 ").count();
    assert!(refused > 0 && said.contains("retry-after: 1\r\n"), "{said}");
    let readings = tenant.ledger.readings();
    let counted = readings[Metered::Requests as usize].refused;
    assert_eq!(counted, refused as u64);
    assert!(host.close(Duration::from_secs(60)).await);
}
