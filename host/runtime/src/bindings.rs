//! What `bindgen!` makes of `wit/`: the imports of apps, their optional exports, and the worlds of plugins.

/// The imports of every app.
pub mod app {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "app",
        imports: { default: async | trappable },
        with: {
            "wythe:blocks/state.store": wythe_blocks::state::Store,
            "wythe:blocks/pubsub.topic": wythe_blocks::pubsub::Topic,
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
