//! The bindings that `wit-bindgen` makes of `wit/`: one world of imports for all, and one world with a macro for each
//! optional export.

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
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
            "wythe:blocks/pubsub@0.1.0": crate::contract::app::wythe::blocks::pubsub,
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
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
            "wythe:blocks/invocation@0.1.0": crate::contract::app::wythe::blocks::invocation,
        },
        pub_export_macro: true,
        export_macro_name: "export_invocation_handler",
    });
}

/// Exported by an app that hears of changes of its configuration.
pub mod configured {
    wit_bindgen::generate!({
        path: "../wit",
        world: "configured",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "configured",
        with: {
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
            "wythe:blocks/configuration@0.1.0": crate::contract::app::wythe::blocks::configuration,
        },
        pub_export_macro: true,
        export_macro_name: "export_configuration_listener",
    });
}

/// Exported by an app that hears from outside systems.
pub mod listens {
    wit_bindgen::generate!({
        path: "../wit",
        world: "listens",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "listens",
        with: {
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
        },
        pub_export_macro: true,
        export_macro_name: "export_binding_listener",
    });
}

/// Exported by an app that has jobs to run.
pub mod runs_jobs {
    wit_bindgen::generate!({
        path: "../wit",
        world: "runs-jobs",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "runs-jobs",
        with: {
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
        },
        pub_export_macro: true,
        export_macro_name: "export_job_runner",
    });
}

/// Exported by an app that does the work of workflows.
pub mod does_activities {
    wit_bindgen::generate!({
        path: "../wit",
        world: "does-activities",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "does-activities",
        pub_export_macro: true,
        export_macro_name: "export_activity_handler",
    });
}

/// Exported by a component of workflows, with what their code may call.
pub mod workflows {
    wit_bindgen::generate!({
        path: "../wit",
        world: "workflows",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "workflows",
        with: {
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
            "wythe:blocks/logging@0.1.0": crate::contract::app::wythe::blocks::logging,
        },
        pub_export_macro: true,
        export_macro_name: "export_workflow_handler",
    });
}

/// Exported by an app that has actors.
pub mod acts {
    wit_bindgen::generate!({
        path: "../wit",
        world: "acts",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "acts",
        with: {
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
            "wythe:blocks/pubsub@0.1.0": crate::contract::app::wythe::blocks::pubsub,
        },
        pub_export_macro: true,
        export_macro_name: "export_actor_handler",
    });
}

// The plugin worlds of the contract all export `lifecycle`, whose macro can be generated only once in a crate. So each
// interface is a world of its own here; the linker joins those that a plugin uses into the world of the contract.

/// Exported by every plugin.
pub mod lifecycle {
    wit_bindgen::generate!({
        path: ["../wit", "../wit/plugin"],
        inline: "package wythe:sdk; world lifecycle { export wythe:plugin/lifecycle@0.1.0; }",
        world: "wythe:sdk/lifecycle",
        runtime_path: "::wit_bindgen::rt",
        type_section_suffix: "lifecycle",
        with: { "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types },
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
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
            "wythe:blocks/state@0.1.0": crate::contract::app::wythe::blocks::state,
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
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
            "wythe:blocks/pubsub@0.1.0": crate::contract::app::wythe::blocks::pubsub,
        },
        pub_export_macro: true,
        export_macro_name: "export_pubsub_driver",
    });
}

/// Exported by a plugin that keeps configuration.
pub mod configuration_driver {
    wit_bindgen::generate!({
        path: ["../wit", "../wit/plugin"],
        inline: "package wythe:sdk; world configuration-driver { export wythe:plugin/configuration-driver@0.1.0; }",
        world: "wythe:sdk/configuration-driver",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "configuration-driver",
        with: {
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
            "wythe:blocks/configuration@0.1.0": crate::contract::app::wythe::blocks::configuration,
        },
        pub_export_macro: true,
        export_macro_name: "export_configuration_driver",
    });
}

/// Exported by a plugin that keeps keys.
pub mod crypto_driver {
    wit_bindgen::generate!({
        path: ["../wit", "../wit/plugin"],
        inline: "package wythe:sdk; world crypto-driver { export wythe:plugin/crypto-driver@0.1.0; }",
        world: "wythe:sdk/crypto-driver",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "crypto-driver",
        with: {
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
            "wythe:blocks/crypto@0.1.0": crate::contract::app::wythe::blocks::crypto,
        },
        pub_export_macro: true,
        export_macro_name: "export_crypto_driver",
    });
}

/// Exported by a plugin that calls apps.
pub mod input_binding_driver {
    wit_bindgen::generate!({
        path: ["../wit", "../wit/plugin"],
        inline: "package wythe:sdk; world input-binding-driver { export wythe:plugin/input-binding-driver@0.1.0; }",
        world: "wythe:sdk/input-binding-driver",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "input-binding-driver",
        with: {
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
        },
        pub_export_macro: true,
        export_macro_name: "export_input_binding_driver",
    });
}

/// Exported by a plugin that keeps jobs.
pub mod jobs_driver {
    wit_bindgen::generate!({
        path: ["../wit", "../wit/plugin"],
        inline: "package wythe:sdk; world jobs-driver { export wythe:plugin/jobs-driver@0.1.0; }",
        world: "wythe:sdk/jobs-driver",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "jobs-driver",
        with: {
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
            "wythe:blocks/jobs@0.1.0": crate::contract::app::wythe::blocks::jobs,
        },
        pub_export_macro: true,
        export_macro_name: "export_jobs_driver",
    });
}

/// Exported by a plugin that grants locks.
pub mod lock_driver {
    wit_bindgen::generate!({
        path: ["../wit", "../wit/plugin"],
        inline: "package wythe:sdk; world lock-driver { export wythe:plugin/lock-driver@0.1.0; }",
        world: "wythe:sdk/lock-driver",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "lock-driver",
        with: {
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
        },
        pub_export_macro: true,
        export_macro_name: "export_lock_driver",
    });
}

/// Exported by a plugin that apps call.
pub mod output_binding_driver {
    wit_bindgen::generate!({
        path: ["../wit", "../wit/plugin"],
        inline: "package wythe:sdk; world output-binding-driver { export wythe:plugin/output-binding-driver@0.1.0; }",
        world: "wythe:sdk/output-binding-driver",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "output-binding-driver",
        with: {
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
            "wythe:blocks/bindings@0.1.0": crate::contract::app::wythe::blocks::bindings,
        },
        pub_export_macro: true,
        export_macro_name: "export_output_binding_driver",
    });
}

/// Exported by a plugin that keeps secrets.
pub mod secrets_driver {
    wit_bindgen::generate!({
        path: ["../wit", "../wit/plugin"],
        inline: "package wythe:sdk; world secrets-driver { export wythe:plugin/secrets-driver@0.1.0; }",
        world: "wythe:sdk/secrets-driver",
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [Clone, PartialEq],
        type_section_suffix: "secrets-driver",
        with: {
            "wythe:blocks/types@0.1.0": crate::contract::app::wythe::blocks::types,
        },
        pub_export_macro: true,
        export_macro_name: "export_secrets_driver",
    });
}
