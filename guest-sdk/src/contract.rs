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

/// Declares a module for each export: its world, the name of its macro, and the interfaces whose types are those of [`app`].
///
/// The plugin worlds of the contract all export `lifecycle`, whose macro can be generated only once in a crate. So each of
/// their interfaces is a world of its own here; the linker joins those that a plugin uses into the world of the contract.
macro_rules! exports {
    ($(
        $(#[$about:meta])+
        $module:ident: $world:tt, $macro:tt, { $($interface:tt: $same:ident),* };
    )+) => {$(
        $(#[$about])+
        pub mod $module {
            wit_bindgen::generate!({
                path: ["../wit", "../wit/plugin"],
                inline: "
                    package wythe:sdk;
                    world lifecycle { export wythe:plugin/lifecycle@0.1.0; }
                    world configuration-driver { export wythe:plugin/configuration-driver@0.1.0; }
                    world crypto-driver { export wythe:plugin/crypto-driver@0.1.0; }
                    world input-binding-driver { export wythe:plugin/input-binding-driver@0.1.0; }
                    world jobs-driver { export wythe:plugin/jobs-driver@0.1.0; }
                    world lock-driver { export wythe:plugin/lock-driver@0.1.0; }
                    world output-binding-driver { export wythe:plugin/output-binding-driver@0.1.0; }
                    world pubsub-driver { export wythe:plugin/pubsub-driver@0.1.0; }
                    world secrets-driver { export wythe:plugin/secrets-driver@0.1.0; }
                    world state-driver { export wythe:plugin/state-driver@0.1.0; }
                ",
                world: $world,
                runtime_path: "::wit_bindgen::rt",
                additional_derives: [Clone, PartialEq],
                type_section_suffix: $world,
                with: { $($interface: crate::contract::app::wythe::blocks::$same),* },
                pub_export_macro: true,
                export_macro_name: $macro,
            });
        }
    )+};
}

exports! {
    /// Exported by an app that receives events.
    subscribes: "wythe:blocks/subscribes", "export_subscriber", {
        "wythe:blocks/types@0.1.0": types, "wythe:blocks/pubsub@0.1.0": pubsub
    };
    /// Exported by an app that is called without HTTP.
    invocable: "wythe:blocks/invocable", "export_invocation_handler", {
        "wythe:blocks/types@0.1.0": types, "wythe:blocks/invocation@0.1.0": invocation
    };
    /// Exported by an app that hears of changes of its configuration.
    configured: "wythe:blocks/configured", "export_configuration_listener", {
        "wythe:blocks/types@0.1.0": types, "wythe:blocks/configuration@0.1.0": configuration
    };
    /// Exported by an app that hears from outside systems.
    listens: "wythe:blocks/listens", "export_binding_listener", {
        "wythe:blocks/types@0.1.0": types
    };
    /// Exported by an app that has jobs to run.
    runs_jobs: "wythe:blocks/runs-jobs", "export_job_runner", {
        "wythe:blocks/types@0.1.0": types
    };
    /// Exported by an app that does the work of workflows.
    does_activities: "wythe:blocks/does-activities", "export_activity_handler", {};
    /// Exported by a component of workflows, with what their code may call.
    workflows: "wythe:blocks/workflows", "export_workflow_handler", {
        "wythe:blocks/types@0.1.0": types, "wythe:blocks/logging@0.1.0": logging
    };
    /// Exported by an app that has actors.
    acts: "wythe:blocks/acts", "export_actor_handler", {
        "wythe:blocks/types@0.1.0": types, "wythe:blocks/pubsub@0.1.0": pubsub
    };
    /// Exported by every plugin.
    lifecycle: "wythe:sdk/lifecycle", "export_lifecycle", {
        "wythe:blocks/types@0.1.0": types
    };
    /// Exported by a plugin that keeps state.
    state_driver: "wythe:sdk/state-driver", "export_state_driver", {
        "wythe:blocks/types@0.1.0": types, "wythe:blocks/state@0.1.0": state
    };
    /// Exported by a plugin that carries events.
    pubsub_driver: "wythe:sdk/pubsub-driver", "export_pubsub_driver", {
        "wythe:blocks/types@0.1.0": types, "wythe:blocks/pubsub@0.1.0": pubsub
    };
    /// Exported by a plugin that keeps configuration.
    configuration_driver: "wythe:sdk/configuration-driver", "export_configuration_driver", {
        "wythe:blocks/types@0.1.0": types, "wythe:blocks/configuration@0.1.0": configuration
    };
    /// Exported by a plugin that keeps keys.
    crypto_driver: "wythe:sdk/crypto-driver", "export_crypto_driver", {
        "wythe:blocks/types@0.1.0": types, "wythe:blocks/crypto@0.1.0": crypto
    };
    /// Exported by a plugin that calls apps.
    input_binding_driver: "wythe:sdk/input-binding-driver", "export_input_binding_driver", {
        "wythe:blocks/types@0.1.0": types
    };
    /// Exported by a plugin that keeps jobs.
    jobs_driver: "wythe:sdk/jobs-driver", "export_jobs_driver", {
        "wythe:blocks/types@0.1.0": types, "wythe:blocks/jobs@0.1.0": jobs
    };
    /// Exported by a plugin that grants locks.
    lock_driver: "wythe:sdk/lock-driver", "export_lock_driver", {
        "wythe:blocks/types@0.1.0": types
    };
    /// Exported by a plugin that apps call.
    output_binding_driver: "wythe:sdk/output-binding-driver", "export_output_binding_driver", {
        "wythe:blocks/types@0.1.0": types, "wythe:blocks/bindings@0.1.0": bindings
    };
    /// Exported by a plugin that keeps secrets.
    secrets_driver: "wythe:sdk/secrets-driver", "export_secrets_driver", {
        "wythe:blocks/types@0.1.0": types
    };
}
