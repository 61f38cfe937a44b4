//! The command as the host's compiler: started again with a hidden verb, it compiles one component within limits of its own.

use rustix::process::{Resource, Rlimit};
use std::{
    ffi::OsString,
    io::{self, Read, Write},
    path::PathBuf,
    process::ExitCode,
    sync::OnceLock,
};
use wythe_manifest::Duration;
use wythe_runtime::{Compiler, Work};

/// The first argument of a process that compiles.
const VERB: &str = "compile-component";
/// The niceness of such a process, so that requests come first.
const NICE: i32 = 10;

/// A program and its variables.
type Again = (PathBuf, &'static [(OsString, OsString)]);

/// The variables by which this program is started again as the command; not set where it cannot be.
static AGAIN: OnceLock<Vec<(OsString, OsString)>> = OnceLock::new();

/// Says that this program, started again with these variables set, is the command `wythe`. Hosts of this process then
/// compile in processes of their own; without it they compile in this one.
pub fn is_the_command(variables: &[(&str, &str)]) {
    let variables = variables.iter();
    let owned = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    // The first word stands: what a program is does not change.
    let _ = AGAIN.set(owned.collect());
}

/// The compiler of this process's hosts. `WYTHE_COMPILE_MEMORY` and `WYTHE_COMPILE_TIME` change its limits.
pub fn compiler() -> anyhow::Result<Option<Compiler>> {
    let Some((program, variables)) = again()? else {
        return Ok(None);
    };
    Ok(Some(Compiler {
        program,
        arguments: vec![VERB.into()],
        variables: variables.to_vec(),
        memory: setting("WYTHE_COMPILE_MEMORY")?.unwrap_or(Compiler::MEMORY),
        time: setting::<Duration>("WYTHE_COMPILE_TIME")?.map_or(Compiler::TIME, |time| time.0),
    }))
}

/// This program, and the variables by which it is the command when it is started again; none where it cannot be.
pub fn again() -> std::io::Result<Option<Again>> {
    let Some(variables) = AGAIN.get() else {
        return Ok(None);
    };
    // The file that runs, even where another has taken its name since.
    let own = PathBuf::from("/proc/self/exe");
    let program = match own.exists() {
        true => own,
        false => std::env::current_exe()?,
    };
    Ok(Some((program, variables)))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command reads the environment"
)]
fn setting<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str) -> anyhow::Result<Option<T>> {
    let text = match std::env::var(name) {
        Ok(text) => text,
        Err(std::env::VarError::NotPresent) => return Ok(None),
        Err(error) => anyhow::bail!("{name}: {error}"),
    };
    let value = text.parse();
    value
        .map(Some)
        .map_err(|error| anyhow::anyhow!("{name}: {error}"))
}

/// Compiles, where that is what this process was started for.
#[expect(clippy::disallowed_methods, reason = "the command reads its arguments")]
pub fn work() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next()? != VERB {
        return None;
    }
    let (work, memory) = (arguments.next(), arguments.next());
    Some(match compile(work.as_deref(), memory.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, words)) => {
            crate::report::note(&words);
            ExitCode::from(code)
        }
    })
}

fn compile(work: Option<&str>, memory: Option<&str>) -> Result<(), (u8, String)> {
    let failed = |error: io::Error| (1, error.to_string());
    let work = Work::ALL
        .into_iter()
        .find(|known| Some(known.as_str()) == work);
    let memory = memory.and_then(|memory| memory.parse().ok());
    let (Some(work), Some(memory)) = (work, memory) else {
        return Err((2, "this verb is for the host alone".into()));
    };
    limit_to(memory).map_err(failed)?;
    let component = component().map_err(failed)?;
    end_with_the_host().map_err(failed)?;
    let code = work.run(&component).map_err(|error| {
        let code = match error.kind() {
            wythe_blocks::Kind::Invalid => Compiler::INVALID,
            _ => 1,
        };
        (code, error.message().to_owned())
    })?;
    io::stdout().lock().write_all(&code).map_err(failed)
}

/// Sets the limits of this process: its own writable memory, no core file, and every other process first.
fn limit_to(memory: u64) -> io::Result<()> {
    let limit = |bytes| Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    rustix::process::setrlimit(Resource::Data, limit(memory))?;
    rustix::process::setrlimit(Resource::Core, limit(0))?;
    // A system that does not let it be nice compiles all the same.
    let _ = rustix::process::nice(NICE);
    Ok(())
}

fn component() -> io::Result<Vec<u8>> {
    let mut input = io::stdin().lock();
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let length = u64::from_be_bytes(length).min(wythe_runtime::MAX_COMPONENT);
    let mut component = Vec::new();
    input.take(length).read_to_end(&mut component)?;
    Ok(component)
}

/// The host keeps the input open for as long as it wants the answer.
#[expect(
    clippy::disallowed_methods,
    reason = "this process has one thing to do, and nobody wants it"
)]
fn end_with_the_host() -> io::Result<()> {
    let watch = || {
        let mut rest = [0; 1];
        let _ = io::stdin().lock().read(&mut rest);
        std::process::exit(1);
    };
    let thread = std::thread::Builder::new().name("host-watch".into());
    thread.spawn(watch).map(drop)
}
