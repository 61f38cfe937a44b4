//! The bindings that `bindgen!` makes of `wit/`: one world for all that an app may import or export, one for workflows, and
//! one for plugins. A guest exports some of the interfaces of its world, so each is found by `GuestIndices` of its own.

/// An app that is no workflow's.
pub mod app {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package wythe:host;
            world every-app {
                include wythe:blocks/app@0.1.0;
                include wythe:blocks/subscribes@0.1.0;
                include wythe:blocks/invocable@0.1.0;
                include wythe:blocks/configured@0.1.0;
                include wythe:blocks/listens@0.1.0;
                include wythe:blocks/runs-jobs@0.1.0;
                include wythe:blocks/acts@0.1.0;
                include wythe:blocks/does-activities@0.1.0;
            }
        ",
        world: "wythe:host/every-app",
        imports: { default: async | trappable },
        exports: { default: async },
        trappable_error_type: { "wythe:blocks/types.error" => crate::error::Failure },
        with: {
            "wythe:blocks/state.store": wythe_blocks::state::Store,
            "wythe:blocks/pubsub.topic": wythe_blocks::pubsub::Topic,
            "wythe:blocks/crypto.key": wythe_blocks::crypto::Key,
            "wythe:blocks/crypto.transform": wythe_blocks::crypto::Transform,
            "wythe:blocks/lock.lease": wythe_blocks::lock::Lease,
            "wythe:blocks/secrets.secret": wythe_blocks::secrets::Secret,
        },
        require_store_data_send: true,
    });
}

/// A component of workflows.
pub mod workflows {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "workflows",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/logging": super::app::wythe::blocks::logging,
        },
        require_store_data_send: true,
    });
}

/// A plugin; it is linked as an app is.
pub mod plugin {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../wit/plugin"],
        inline: "
            package wythe:host;
            world every-plugin {
                include wythe:plugin/configuration-plugin@0.1.0;
                include wythe:plugin/crypto-plugin@0.1.0;
                include wythe:plugin/input-binding-plugin@0.1.0;
                include wythe:plugin/jobs-plugin@0.1.0;
                include wythe:plugin/lock-plugin@0.1.0;
                include wythe:plugin/output-binding-plugin@0.1.0;
                include wythe:plugin/pubsub-plugin@0.1.0;
                include wythe:plugin/secrets-plugin@0.1.0;
                include wythe:plugin/state-plugin@0.1.0;
            }
        ",
        world: "wythe:host/every-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/bindings": super::app::wythe::blocks::bindings,
            "wythe:blocks/configuration": super::app::wythe::blocks::configuration,
            "wythe:blocks/crypto": super::app::wythe::blocks::crypto,
            "wythe:blocks/jobs": super::app::wythe::blocks::jobs,
            "wythe:blocks/logging": super::app::wythe::blocks::logging,
            "wythe:blocks/pubsub": super::app::wythe::blocks::pubsub,
            "wythe:blocks/state": super::app::wythe::blocks::state,
            "wythe:blocks/types": super::app::wythe::blocks::types,
        },
        require_store_data_send: true,
    });
}
