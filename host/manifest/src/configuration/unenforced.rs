//! Keys that would forbid or secure something and are not enforced here: what is written there would be believed.

use crate::reader::{At, Fields};
use crate::yaml::Content;

const KEYS: [(&str, &str); 4] = [
    (
        "mtls",
        "calls between the apps of a host leave no process and have no certificates; leave it out; TLS for requests from outside is `tls` of `wythe-host.yaml`",
    ),
    (
        "nameResolution",
        "apps are found by their ids in the host alone; leave it out",
    ),
    (
        "wasm",
        "a guest has the clock and the random numbers of the host; leave it out",
    ),
    (
        "workflow",
        "it limits no workflow here; leave it out; `limits` of an app and the quotas of a tenant do",
    ),
];

/// Refuses each of the keys that says something.
pub(super) fn refuse(spec: &Fields) {
    for (key, why) in KEYS {
        for (position, at) in spec.each_of(&[key]) {
            if !is_idle(&at) {
                let message = format!("not enforced: {why}");
                at.report.error(position, at.key, &message, None);
            }
        }
    }
}

/// Says whether there is nothing, a key without entries, or one that is switched off, and nothing beside it.
pub(super) fn is_idle(at: &At) -> bool {
    match &at.node.content {
        _ if at.node.is_null() => true,
        Content::List(items) => items.is_empty(),
        Content::Map(_) => at.entries().unwrap_or_default().iter().all(|(entry, at)| {
            let is_switch = ["enabled", "strictSandbox"].contains(&entry.key.as_str());
            match &at.node.content {
                Content::Scalar { text, .. } => is_switch && text.eq_ignore_ascii_case("false"),
                Content::List(_) | Content::Map(_) => is_idle(at),
            }
        }),
        Content::Scalar { .. } => false,
    }
}
