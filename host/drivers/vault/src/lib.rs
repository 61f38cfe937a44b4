//! Secrets of HashiCorp Vault, and of servers that speak like it, such as OpenBao.

mod client;
mod secrets;
mod settings;

use wythe_blocks::Registry;

/// Registers the secret store, which reaches for a server outside of the host.
pub fn register(registry: &mut Registry) {
    registry.secrets.add_warned(
        "hashicorp.vault",
        settings::parse,
        settings::warnings,
        secrets::open,
    );
    registry.secrets.reaches_out("hashicorp.vault");
}
