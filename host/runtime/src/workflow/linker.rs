//! The imports that a workflow may have, and no more: no files, no sockets, no HTTP, no block.

use crate::{bindings::workflows::Workflows, ctx::Ctx};
use wasmtime::{
    Engine, Result, StoreContextMut,
    component::{HasSelf, Linker, Resource},
};
use wasmtime_wasi::{
    WasiView as _,
    cli::{WasiCli, WasiCliView as _},
    p2::{
        self, DynPollable,
        bindings::{cli, random},
    },
    random::WasiRandom,
};
use wythe_blocks::Error;

pub fn linker(engine: &Engine) -> Result<Linker<Ctx>> {
    let mut linker = Linker::new(engine);
    p2::add_to_linker_proxy_interfaces_async(&mut linker)?;
    let l = &mut linker;
    cli::environment::add_to_linker::<Ctx, WasiCli>(l, Ctx::cli)?;
    cli::exit::add_to_linker::<Ctx, WasiCli>(l, Ctx::cli)?;
    cli::terminal_input::add_to_linker::<Ctx, WasiCli>(l, Ctx::cli)?;
    cli::terminal_output::add_to_linker::<Ctx, WasiCli>(l, Ctx::cli)?;
    cli::terminal_stdin::add_to_linker::<Ctx, WasiCli>(l, Ctx::cli)?;
    cli::terminal_stdout::add_to_linker::<Ctx, WasiCli>(l, Ctx::cli)?;
    cli::terminal_stderr::add_to_linker::<Ctx, WasiCli>(l, Ctx::cli)?;
    random::insecure::add_to_linker::<Ctx, WasiRandom>(l, |ctx| ctx.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<Ctx, WasiRandom>(l, |ctx| ctx.ctx().ctx.random())?;
    Workflows::add_to_linker::<_, HasSelf<Ctx>>(l, |ctx| ctx)?;
    refuse_sleep(l)?;
    Ok(linker)
}

/// WASI's own sleep would hold an instance in memory, and end with its host.
fn refuse_sleep(linker: &mut Linker<Ctx>) -> Result<()> {
    linker.allow_shadowing(true);
    let mut clock = linker.instance("wasi:clocks/monotonic-clock@0.2.12")?;
    for name in ["subscribe-duration", "subscribe-instant"] {
        clock.func_wrap(name, |_: StoreContextMut<'_, Ctx>, (_,): (u64,)| {
            let refused: Result<(Resource<DynPollable>,)> = Err(Error::unsupported(
                "a workflow does not sleep by its clock; use `ctx.sleep`, which outlasts the host",
            )
            .into());
            refused
        })?;
    }
    linker.allow_shadowing(false);
    Ok(())
}
