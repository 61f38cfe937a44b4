//! Secrets and config maps of Kubernetes, asked for at its API server.

mod access;
mod client;
mod configuration;
mod failure;
mod kubeconfig;
mod lines;
mod object;
mod secrets;
mod settings;
mod watch;

use wythe_blocks::Registry;

/// Registers the secret store and the configuration store, which reach for a server outside of the host.
pub fn register(registry: &mut Registry) {
    registry
        .secrets
        .add_parsed("kubernetes", settings::parse_secrets, secrets::open);
    registry.configuration.add_parsed(
        "kubernetes",
        settings::parse_configuration,
        configuration::open,
    );
    registry.secrets.reaches_out("kubernetes");
    registry.configuration.reaches_out("kubernetes");
}
