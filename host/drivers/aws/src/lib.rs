//! Services of Amazon Web Services, and servers that speak like them: requests by HTTP, signed with the component's own key.

mod bindings;
mod client;
mod fault;
mod pubsub;
mod queue;
mod secrets;
mod settings;
mod sign;
mod state;

use client::Shared;
use wythe_blocks::Registry;

/// Registers the drivers, which reach for services outside of the host.
pub fn register(registry: &mut Registry) {
    let clients = Shared::default();
    register_bindings(registry, &clients);
    register_secrets(registry, &clients);
    let shared = clients.clone();
    registry.pubsub.add_warned(
        "aws.snssqs",
        pubsub::settings::parse,
        pubsub::warnings,
        move |parsed, site| pubsub::open(shared.clone(), parsed, site),
    );
    registry.pubsub.reaches_out("aws.snssqs");
    registry.state.add_warned(
        "aws.dynamodb",
        state::parse,
        state::warnings,
        move |parsed, site| state::open(clients.clone(), parsed, site),
    );
    registry.state.reaches_out("aws.dynamodb");
}

fn register_bindings(registry: &mut Registry, clients: &Shared) {
    let shared = clients.clone();
    registry.bindings.add_warned(
        "aws.s3",
        bindings::s3::parse,
        bindings::s3::warnings,
        move |parsed, site| bindings::s3::open(shared.clone(), parsed, site),
    );
    registry.bindings.reaches_out("aws.s3");
    let shared = clients.clone();
    registry.bindings.add_warned(
        "aws.sns",
        bindings::sns::parse,
        bindings::sns::warnings,
        move |parsed, site| bindings::sns::open(shared.clone(), parsed, site),
    );
    registry.bindings.reaches_out("aws.sns");
    let shared = clients.clone();
    registry.bindings.add_warned(
        "aws.sqs",
        bindings::sqs::parse,
        bindings::sqs::warnings,
        move |parsed, site| bindings::sqs::open(shared.clone(), parsed, site),
    );
    registry.bindings.reaches_out("aws.sqs");
}

fn register_secrets(registry: &mut Registry, clients: &Shared) {
    for name in ["aws.secretmanager", "aws.secretsmanager"] {
        let shared = clients.clone();
        registry.secrets.add_warned(
            name,
            secrets::manager::parse,
            secrets::manager::warnings,
            move |parsed, site| secrets::manager::open(shared.clone(), parsed, site),
        );
        registry.secrets.reaches_out(name);
    }
    let shared = clients.clone();
    registry.secrets.add_warned(
        "aws.parameterstore",
        secrets::parameters::parse,
        secrets::parameters::warnings,
        move |parsed, site| secrets::parameters::open(shared.clone(), parsed, site),
    );
    registry.secrets.reaches_out("aws.parameterstore");
}
