//! The way from the contract to a function and back, for workflows.
use std::string::ToString;

use serde::{Serialize, de::DeserializeOwned};

use super::{Context, value};
use crate::Result;

/// Runs a workflow that is a function, with JSON in and out.
pub fn run<I: DeserializeOwned, O: Serialize>(
    code: impl FnOnce(&Context, I) -> Result<O>,
    input: &[u8],
) -> std::result::Result<Vec<u8>, String> {
    let context = Context::new();
    let answer = value(input).and_then(|input| code(&context, input));
    if context.has_continued() {
        return Ok(Vec::new());
    }
    let answer = answer.and_then(|output| Ok(serde_json::to_vec(&output)?));
    answer.map_err(|error| error.to_string())
}

/// Exports `wythe:blocks/workflow-handler` for functions `fn(&Context, I) -> Result<O>`, each under its own name, with
/// `I` and `O` as JSON.
#[macro_export]
macro_rules! workflows {
    ($($workflow:ident),+ $(,)?) => {
        const _: () = {
            struct Workflows;

            impl $crate::contract::workflows::exports::wythe::blocks::workflow_handler::Guest for Workflows {
                fn workflows() -> ::std::vec::Vec<::std::string::String> {
                    ::std::vec![$(::std::string::String::from(::std::stringify!($workflow))),+]
                }

                fn run(
                    name: ::std::string::String,
                    input: ::std::vec::Vec<u8>,
                ) -> ::std::result::Result<::std::vec::Vec<u8>, ::std::string::String> {
                    match name.as_str() {
                        $(::std::stringify!($workflow) => $crate::workflow::run($workflow, &input),)+
                        other => ::std::result::Result::Err(::std::format!("there is no workflow `{other}` here")),
                    }
                }
            }

            $crate::contract::workflows::export_workflow_handler!(Workflows with_types_in $crate::contract::workflows);
        };
    };
}
