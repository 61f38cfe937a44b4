//! The suite of the crypto block over the sample plugin, which holds some of its keys.

use super::{component, opener};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use conformance::crypto::{self, STORED};
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    let keys = [
        setting("aes-256", "aes", "k"),
        setting("ed25519", "ed25519", "d"),
    ];
    let component = component("crypto", "keyring", &keys.join("\n    - "));
    let open = opener(|registry| &registry.crypto, component);
    crypto::trials("plugins::crypto::keyring", open)
}

/// A key of the suite as the plugin wants it: its secret part, in plain base64.
fn setting(name: &str, kind: &str, part: &str) -> String {
    let stored = STORED.iter().find(|stored| stored.name == name);
    let jwk: serde_json::Value =
        serde_json::from_str(stored.expect("a key of the suite").jwk).expect("a JWK");
    let secret = URL_SAFE_NO_PAD.decode(jwk[part].as_str().expect("the part"));
    let secret = STANDARD.encode(secret.expect("base64"));
    format!("{{ name: {name}, value: \"{kind}:{secret}\" }}")
}
