//! The suite of the crypto block over the sample plugin, which holds some of its keys.

use super::{component, registry, site};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use conformance::{
    Open,
    crypto::{self, KEPT},
};
use futures::FutureExt as _;
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::crypto::Driver;

pub fn trials() -> Vec<Trial> {
    crypto::trials("plugins::crypto::keyring", Arc::new(open))
}

/// A key of the suite as the plugin wants it: its secret part, in plain base64.
fn setting(name: &str, kind: &str, part: &str) -> String {
    let kept = KEPT.iter().find(|kept| kept.name == name);
    let jwk: serde_json::Value =
        serde_json::from_str(kept.expect("a key of the suite").jwk).expect("a JWK");
    let secret = URL_SAFE_NO_PAD.decode(jwk[part].as_str().expect("the part"));
    let secret = STANDARD.encode(secret.expect("base64"));
    format!("{{ name: {name}, value: \"{kind}:{secret}\" }}")
}

fn open(directory: &Path) -> Open<dyn Driver> {
    let site = site(directory);
    Arc::new(move || {
        let site = site.clone();
        async move {
            let (registry, _host) = registry()?;
            let keys = [
                setting("aes-256", "aes", "k"),
                setting("ed25519", "ed25519", "d"),
            ];
            let component = component("crypto", "keyring", &keys.join("\n    - "));
            registry.crypto.open(&component, site).await
        }
        .boxed()
    })
}
