//! What `wit-bindgen` makes of `wit/`: one world of imports for all, and one world with a macro for each optional export.

/// The blocks an app calls. An import that a guest never uses does not reach its component.
pub mod app {
    wit_bindgen::generate!({
        path: "../wit",
        world: "app",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "app",
    });
}

/// Exported by an app that receives events.
pub mod subscribes {
    wit_bindgen::generate!({
        path: "../wit",
        world: "subscribes",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "subscribes",
        with: {
            "wythe:blocks/types@0.1.0": crate::bindings::app::wythe::blocks::types,
            "wythe:blocks/pubsub@0.1.0": crate::bindings::app::wythe::blocks::pubsub,
        },
        pub_export_macro: true,
        export_macro_name: "export_subscriber",
    });
}

/// Exported by an app that is called without HTTP.
pub mod invocable {
    wit_bindgen::generate!({
        path: "../wit",
        world: "invocable",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "invocable",
        with: {
            "wythe:blocks/types@0.1.0": crate::bindings::app::wythe::blocks::types,
            "wythe:blocks/invocation@0.1.0": crate::bindings::app::wythe::blocks::invocation,
        },
        pub_export_macro: true,
        export_macro_name: "export_invocation_handler",
    });
}

// The two plugin worlds of the contract both export `lifecycle`, whose macro can be generated only once in a crate. So each
// interface is a world of its own here; the linker joins those that a plugin uses into the world of the contract.

/// Exported by every plugin.
pub mod lifecycle {
    wit_bindgen::generate!({
        path: ["../wit", "../wit/plugin"],
        inline: "package wythe:sdk; world lifecycle { export wythe:plugin/lifecycle@0.1.0; }",
        world: "wythe:sdk/lifecycle",
        runtime_path: "::wit_bindgen::rt",
        type_section_suffix: "lifecycle",
        with: { "wythe:blocks/types@0.1.0": crate::bindings::app::wythe::blocks::types },
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
    });
}

/// Exported by a plugin that keeps state.
pub mod state_driver {
    wit_bindgen::generate!({
        path: ["../wit", "../wit/plugin"],
        inline: "package wythe:sdk; world state-driver { export wythe:plugin/state-driver@0.1.0; }",
        world: "wythe:sdk/state-driver",
        runtime_path: "::wit_bindgen::rt",
        type_section_suffix: "state-driver",
        with: {
            "wythe:blocks/types@0.1.0": crate::bindings::app::wythe::blocks::types,
            "wythe:blocks/state@0.1.0": crate::bindings::app::wythe::blocks::state,
        },
        pub_export_macro: true,
        export_macro_name: "export_state_driver",
    });
}

/// Exported by a plugin that carries events.
pub mod pubsub_driver {
    wit_bindgen::generate!({
        path: ["../wit", "../wit/plugin"],
        inline: "package wythe:sdk; world pubsub-driver { export wythe:plugin/pubsub-driver@0.1.0; }",
        world: "wythe:sdk/pubsub-driver",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "pubsub-driver",
        with: {
            "wythe:blocks/types@0.1.0": crate::bindings::app::wythe::blocks::types,
            "wythe:blocks/pubsub@0.1.0": crate::bindings::app::wythe::blocks::pubsub,
        },
        pub_export_macro: true,
        export_macro_name: "export_pubsub_driver",
    });
}
