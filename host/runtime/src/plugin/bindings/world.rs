//! The face of a plugin that exports one of the binding drivers, or both of them.

use crate::{
    bindings::{
        app::wythe::blocks::types::Metadata,
        input_binding_plugin::{InputBindingPlugin, InputBindingPluginIndices},
        output_binding_plugin::{OutputBindingPlugin, OutputBindingPluginIndices},
    },
    ctx::Ctx,
    plugin::plugged::World,
};
use wasmtime::{
    Store,
    component::{Instance, InstancePre},
};
use wythe_blocks::{Error, Result};

pub struct BindingWorld;

/// The indices of the two exports, at least one of them.
pub struct Indices {
    input: Option<InputBindingPluginIndices>,
    output: Option<OutputBindingPluginIndices>,
}

/// The two exports, at least one of them; both have the same `lifecycle`.
pub struct Guest {
    pub input: Option<InputBindingPlugin>,
    pub output: Option<OutputBindingPlugin>,
}

impl World for BindingWorld {
    type Indices = Indices;
    type Guest = Guest;
    const INTERFACE: &'static str =
        "wythe:plugin/input-binding-plugin@0.1.0 or wythe:plugin/output-binding-plugin@0.1.0";

    fn indices(pre: &InstancePre<Ctx>) -> wasmtime::Result<Indices> {
        let input = InputBindingPluginIndices::new(pre);
        let output = OutputBindingPluginIndices::new(pre);
        match (input, output) {
            (Err(error), Err(_)) => Err(error),
            (input, output) => Ok(Indices {
                input: input.ok(),
                output: output.ok(),
            }),
        }
    }

    fn load(
        indices: &Indices,
        store: &mut Store<Ctx>,
        instance: &Instance,
    ) -> wasmtime::Result<Guest> {
        let input = indices.input.as_ref();
        let output = indices.output.as_ref();
        Ok(Guest {
            input: input.map(|i| i.load(&mut *store, instance)).transpose()?,
            output: output.map(|i| i.load(&mut *store, instance)).transpose()?,
        })
    }

    async fn init(
        guest: &Guest,
        store: &mut Store<Ctx>,
        component: &str,
        metadata: &Metadata,
    ) -> wasmtime::Result<Result<()>> {
        let answer = match (&guest.input, &guest.output) {
            (Some(input), _) => {
                let lifecycle = input.wythe_plugin_lifecycle();
                lifecycle.call_init(store, component, metadata).await?
            }
            (None, Some(output)) => {
                let lifecycle = output.wythe_plugin_lifecycle();
                lifecycle.call_init(store, component, metadata).await?
            }
            (None, None) => Ok(()),
        };
        Ok(answer.map_err(Error::from))
    }

    async fn ping(guest: &Guest, store: &mut Store<Ctx>) -> wasmtime::Result<Result<()>> {
        let answer = match (&guest.input, &guest.output) {
            (Some(input), _) => input.wythe_plugin_lifecycle().call_ping(store).await?,
            (None, Some(output)) => output.wythe_plugin_lifecycle().call_ping(store).await?,
            (None, None) => Ok(()),
        };
        Ok(answer.map_err(Error::from))
    }
}
