//! The face of a plugin that exports one of the binding drivers, or both of them.

use crate::{
    bindings::plugin::exports::wythe::plugin::{input_binding_driver, output_binding_driver},
    ctx::Ctx,
    plugin::plugged::World,
};
use wasmtime::{
    Store,
    component::{Instance, InstancePre},
};

pub struct BindingWorld;

/// The indices of the two exports, at least one of them.
pub struct Indices {
    input: Option<input_binding_driver::GuestIndices>,
    output: Option<output_binding_driver::GuestIndices>,
}

/// The two exports, at least one of them.
pub struct BindingDrivers {
    pub input: Option<input_binding_driver::Guest>,
    pub output: Option<output_binding_driver::Guest>,
}

impl World for BindingWorld {
    type Indices = Indices;
    type Driver = BindingDrivers;
    const INTERFACE: &'static str =
        "wythe:plugin/input-binding-plugin@0.1.0 or wythe:plugin/output-binding-plugin@0.1.0";

    fn indices(pre: &InstancePre<Ctx>) -> wasmtime::Result<Indices> {
        let input = input_binding_driver::GuestIndices::new(pre);
        let output = output_binding_driver::GuestIndices::new(pre);
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
    ) -> wasmtime::Result<BindingDrivers> {
        let input = indices.input.as_ref();
        let output = indices.output.as_ref();
        Ok(BindingDrivers {
            input: input.map(|i| i.load(&mut *store, instance)).transpose()?,
            output: output.map(|i| i.load(&mut *store, instance)).transpose()?,
        })
    }
}
