//! The bindings that `bindgen!` makes of `wit/`: the imports of apps, their optional exports, and the worlds of
//! plugins.

/// The imports of every app.
pub mod app {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "app",
        imports: { default: async | trappable },
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

/// An app that receives events.
pub mod subscribes {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "subscribes",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/pubsub": super::app::wythe::blocks::pubsub,
        },
        require_store_data_send: true,
    });
}

/// An app that is called without HTTP.
pub mod invocable {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "invocable",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/invocation": super::app::wythe::blocks::invocation,
        },
        require_store_data_send: true,
    });
}

/// An app that hears of changes of its configuration.
pub mod configured {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "configured",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/configuration": super::app::wythe::blocks::configuration,
        },
        require_store_data_send: true,
    });
}

/// An app that hears from outside systems.
pub mod listens {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "listens",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
        },
        require_store_data_send: true,
    });
}

/// An app that has jobs to run.
pub mod runs_jobs {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "runs-jobs",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
        },
        require_store_data_send: true,
    });
}

/// An app that has actors.
pub mod acts {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "acts",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/pubsub": super::app::wythe::blocks::pubsub,
        },
        require_store_data_send: true,
    });
}

/// An app that does the work of workflows.
pub mod does_activities {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "does-activities",
        imports: { default: async | trappable },
        exports: { default: async },
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

/// A plugin that keeps state.
pub mod state_plugin {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../wit/plugin"],
        world: "wythe:plugin/state-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/state": super::app::wythe::blocks::state,
            "wythe:blocks/logging": super::app::wythe::blocks::logging,
        },
        require_store_data_send: true,
    });
}

/// A plugin that is a broker.
pub mod pubsub_plugin {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../wit/plugin"],
        world: "wythe:plugin/pubsub-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/pubsub": super::app::wythe::blocks::pubsub,
            "wythe:blocks/logging": super::app::wythe::blocks::logging,
        },
        require_store_data_send: true,
    });
}

/// A plugin that keeps configuration.
pub mod configuration_plugin {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../wit/plugin"],
        world: "wythe:plugin/configuration-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/configuration": super::app::wythe::blocks::configuration,
            "wythe:blocks/logging": super::app::wythe::blocks::logging,
        },
        require_store_data_send: true,
    });
}

/// A plugin that keeps keys.
pub mod crypto_plugin {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../wit/plugin"],
        world: "wythe:plugin/crypto-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/crypto": super::app::wythe::blocks::crypto,
            "wythe:blocks/logging": super::app::wythe::blocks::logging,
        },
        require_store_data_send: true,
    });
}

/// A plugin that calls apps.
pub mod input_binding_plugin {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../wit/plugin"],
        world: "wythe:plugin/input-binding-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/logging": super::app::wythe::blocks::logging,
        },
        require_store_data_send: true,
    });
}

/// A plugin that keeps jobs.
pub mod jobs_plugin {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../wit/plugin"],
        world: "wythe:plugin/jobs-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/jobs": super::app::wythe::blocks::jobs,
            "wythe:blocks/logging": super::app::wythe::blocks::logging,
        },
        require_store_data_send: true,
    });
}

/// A plugin that grants locks.
pub mod lock_plugin {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../wit/plugin"],
        world: "wythe:plugin/lock-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/logging": super::app::wythe::blocks::logging,
        },
        require_store_data_send: true,
    });
}

/// A plugin that apps call.
pub mod output_binding_plugin {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../wit/plugin"],
        world: "wythe:plugin/output-binding-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/bindings": super::app::wythe::blocks::bindings,
            "wythe:blocks/logging": super::app::wythe::blocks::logging,
        },
        require_store_data_send: true,
    });
}

/// A plugin that keeps secrets.
pub mod secrets_plugin {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../wit/plugin"],
        world: "wythe:plugin/secrets-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wythe:blocks/types": super::app::wythe::blocks::types,
            "wythe:blocks/logging": super::app::wythe::blocks::logging,
        },
        require_store_data_send: true,
    });
}
