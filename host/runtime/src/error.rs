//! The one place where wasmtime's errors become the host's.

use crate::{
    bindings::app::wythe::blocks::types::Error as WitError, cpu::CpuExhausted, engine::STACK,
    export::http::HttpCall,
};
use wasmtime::{Trap, WasmBacktrace, component::ResourceTableError};
use wasmtime_wasi_http::handler::{ExpirationError, InstantiationError, TrapOrPanicError};
use wythe_blocks::{Cause, Error};
use wythe_manifest::ByteSize;

/// The failure of a call between the host and a guest: an answer for the caller, or a trap.
#[derive(Debug)]
pub enum Failure {
    Answer(Error),
    Trap(wasmtime::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Answer(error)
    }
}

impl From<WitError> for Failure {
    fn from(error: WitError) -> Self {
        Failure::Answer(error.into())
    }
}

impl From<wasmtime::Error> for Failure {
    fn from(error: wasmtime::Error) -> Self {
        Failure::Trap(error)
    }
}

/// A handle that is not in the table was made up.
impl From<ResourceTableError> for Failure {
    fn from(error: ResourceTableError) -> Self {
        Failure::Trap(error.into())
    }
}

/// The error of a call into a guest that gave no answer. The backtrace is for the log alone.
pub fn of_call(app: &str, error: wasmtime::Error) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(error) => return error,
        Err(error) => error,
    };
    if let Some(inner) = error.downcast_ref::<InstantiationError<HttpCall>>() {
        return describe(app, &inner.error, inner.error.to_string());
    }
    let cause = format!("{error:#}");
    describe(app, &error, cause)
}

/// The cause of a trap; absent where the error is none, or says no more than that the instance is gone, which is counted where
/// it ended.
pub fn cause(error: &wasmtime::Error) -> Option<Cause> {
    if error.is::<Error>() || error.is::<ExpirationError>() || error.is::<TrapOrPanicError>() {
        return None;
    }
    if error.is::<CpuExhausted>() {
        return Some(Cause::Cpu);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Some(Cause::Fuel),
        Some(Trap::StackOverflow) => Some(Cause::Stack),
        Some(Trap::UnreachableCodeReached) => Some(Cause::Unreachable),
        Some(_) => Some(Cause::Other),
        None => error.is::<WasmBacktrace>().then_some(Cause::Other),
    }
}

fn describe(app: &str, error: &wasmtime::Error, cause: String) -> Error {
    if let Some(known) = error.downcast_ref::<Error>() {
        return known.duplicate();
    }
    let message = if let Some(exhausted) = error.downcast_ref::<CpuExhausted>() {
        return Error::timeout(format!("`{app}` {exhausted}; see `limits.cpuTime`"))
            .with_source(cause);
    } else if error.is::<ExpirationError>() {
        return expired(app);
    } else if error.is::<TrapOrPanicError>() {
        format!("`{app}` trapped")
    } else if let Some(Trap::OutOfFuel) = error.downcast_ref::<Trap>() {
        format!(
            "`{app}` used the fuel of a step between two waits: compute in an activity, or see `limits.stepFuel`"
        )
    } else if let Some(trap @ Trap::StackOverflow) = error.downcast_ref::<Trap>() {
        let stack = ByteSize(STACK as u64);
        format!(
            "`{app}` trapped: {trap}; its stack of {stack} is used up, most often by a recursion that does not end: the frames are in the log"
        )
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        format!("`{app}` trapped: {trap}")
    } else if error.is::<WasmBacktrace>() {
        format!("`{app}` trapped: {}", error.root_cause())
    } else {
        format!("`{app}` failed: {}", error.root_cause())
    };
    Error::internal(message).with_source(cause)
}

/// The guest did not answer within its wall time, or its caller's.
pub fn expired(app: &str) -> Error {
    Error::timeout(format!(
        "`{app}` did not answer in time; see `limits.wallTime`"
    ))
}
