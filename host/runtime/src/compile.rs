//! The way from the bytes of a component to code: looked up in memory and in the cache, else made by the compiler.

mod child;
mod refused;

pub use child::Compiler;

use crate::{
    cache::Cache,
    component_file::Allowed,
    engine::{self, internal},
    inspect::{Inspection, Outline},
    workflow,
};
use blake3::Hash;
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use refused::Refused;
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use wasmtime::{Config, Engine, component::Component};
use wythe_blocks::{Error, Result};

/// A component with its digest.
pub struct Compiled {
    pub digest: Hash,
    pub component: Component,
    /// The time that the compiler took; none for code from the cache.
    pub took: Duration,
}

/// The work that the compiler is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// The imports and exports alone.
    Outline,
    App,
    /// Code whose steps end at the same instruction each time.
    Workflows,
}

impl Work {
    pub const ALL: [Work; 3] = [Work::Outline, Work::App, Work::Workflows];

    pub fn as_str(self) -> &'static str {
        match self {
            Work::Outline => "outline",
            Work::App => "app",
            Work::Workflows => "workflows",
        }
    }

    /// Does the work in this process, with no limit but what the process has. The error is what is wrong with the
    /// component; where the engine itself fails it is `internal`.
    pub fn run(self, bytes: &[u8]) -> Result<Vec<u8>> {
        match self {
            Work::Outline => {
                let outline = Outline::read(bytes).map_err(Error::invalid)?;
                serde_json::to_vec(&outline).map_err(|error| {
                    Error::internal("an outline cannot be written").with_source(error)
                })
            }
            Work::App => precompile(&engine::config(), bytes),
            Work::Workflows => precompile(&workflow::config(), bytes),
        }
    }
}

fn precompile(config: &Config, bytes: &[u8]) -> Result<Vec<u8>> {
    let engine = Engine::new(config);
    let engine = engine.map_err(|error| internal("the compiler cannot start", error))?;
    let code = engine.precompile_component(bytes);
    code.map_err(|error| {
        Error::invalid(error.root_cause().to_string()).with_source(format!("{error:#}"))
    })
}

/// Everything that is kept of compiled components.
pub struct Compiling {
    cache: Option<Arc<Cache>>,
    compiler: Option<Compiler>,
    /// Equal files are compiled and mapped once.
    compiled: Mutex<HashMap<(Hash, Work), Weak<Compiled>>>,
    /// Files that were tried and cannot be compiled.
    refused: Refused,
    /// The turn of a compilation, one at a time: it uses every core by itself and must not starve requests.
    turn: Semaphore,
}

impl Compiling {
    pub fn new(cache: Option<&Path>, compiler: Option<Compiler>) -> Self {
        let cache = cache.and_then(|directory| {
            let opened = Cache::open(directory);
            opened
                .inspect_err(|error| tracing::warn!(directory = %directory.display(), "no compile cache: {error}"))
                .ok()
        });
        Compiling {
            cache: cache.map(Arc::new),
            compiler,
            compiled: Mutex::default(),
            refused: Refused::default(),
            turn: Semaphore::new(1),
        }
    }

    /// Reads the imports and exports; no code is compiled.
    pub async fn inspect(
        &self,
        name: &str,
        bytes: &Bytes,
        allowed: &Allowed,
    ) -> Result<Inspection> {
        check_form(name, bytes)?;
        let digest = blake3::hash(bytes);
        if let Some(cache) = &self.cache
            && let Some(outline) = cache.load_outline(&digest)
        {
            return Ok(outline.into());
        }
        let (work, file) = (Work::Outline, (name, bytes));
        let outline = self.work(work, digest, file, allowed).await?;
        let outline: Outline = serde_json::from_slice(&outline)
            .map_err(|error| Error::internal("an outline cannot be read").with_source(error))?;
        if let Some(cache) = &self.cache
            && let Err(error) = cache.store_outline(&digest, &outline)
        {
            tracing::warn!("the outline of a component is not kept: {error}");
        }
        Ok(outline.into())
    }

    /// The code of a component for an engine, which `work` belongs to.
    pub async fn compile(
        &self,
        work: Work,
        engine: &Engine,
        (name, bytes): (&str, Bytes),
        allowed: &Allowed,
    ) -> Result<Arc<Compiled>> {
        let digest = blake3::hash(&bytes);
        let known = || self.known().get(&(digest, work)).and_then(Weak::upgrade);
        if let Some(compiled) = known() {
            return Ok(compiled);
        }
        let _turn = self.turn.acquire().await;
        if let Some(compiled) = known() {
            return Ok(compiled);
        }
        let (component, took) = match self.cached(engine, digest).await? {
            Some(component) => (component, Duration::ZERO),
            None => {
                check_form(name, &bytes)?;
                let start = Instant::now();
                let code = self.work(work, digest, (name, &bytes), allowed).await?;
                let took = start.elapsed();
                (self.take(engine, digest, name, code).await?, took)
            }
        };
        let compiled = Arc::new(Compiled {
            digest,
            component,
            took,
        });
        let mut map = self.known();
        map.retain(|_, weak| weak.strong_count() > 0);
        map.insert((digest, work), Arc::downgrade(&compiled));
        Ok(compiled)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(Hash, Work), Weak<Compiled>>> {
        self.compiled.lock()
    }

    async fn cached(&self, engine: &Engine, digest: Hash) -> Result<Option<Component>> {
        let Some(cache) = self.cache.clone() else {
            return Ok(None);
        };
        let engine = engine.clone();
        blocking(move || Ok(cache.load(&engine, &digest))).await
    }

    /// Does work that is not known to fail. What the bytes are at fault for is tried once in a while: a tenant could keep
    /// the compiler from all others.
    async fn work(
        &self,
        work: Work,
        digest: Hash,
        (name, bytes): (&str, &Bytes),
        allowed: &Allowed,
    ) -> Result<Vec<u8>> {
        // What took too long for one tenant may be quick enough for another.
        let task = (digest, work, allowed.time());
        self.refused.check(task, name)?;
        let done = self.work_anew(work, name, bytes, allowed).await;
        done.inspect_err(|error| self.refused.note(task, name, error))
    }

    async fn work_anew(
        &self,
        work: Work,
        name: &str,
        bytes: &Bytes,
        allowed: &Allowed,
    ) -> Result<Vec<u8>> {
        let done = match &self.compiler {
            Some(compiler) => compiler.run(work, name, bytes, allowed).await,
            None => {
                allowed.check_unlimited()?;
                let bytes = bytes.clone();
                blocking(move || work.run(&bytes)).await
            }
        };
        done.map_err(|error| match error.kind() {
            wythe_blocks::Kind::Invalid => Error::invalid(format!(
                "`{name}` is no valid component: {}",
                error.message()
            ))
            .with_source(error),
            _ => error,
        })
    }

    /// Keeps new code, and maps it from the cache where there is one, so that it takes no memory of its own.
    async fn take(
        &self,
        engine: &Engine,
        digest: Hash,
        name: &str,
        code: Vec<u8>,
    ) -> Result<Component> {
        let shown = name.to_owned();
        let (cache, engine) = (self.cache.clone(), engine.clone());
        blocking(move || {
            if let Some(cache) = cache {
                match cache.store(&engine, &digest, &code) {
                    Ok(()) => {
                        if let Some(component) = cache.load(&engine, &digest) {
                            return Ok(component);
                        }
                    }
                    Err(error) => tracing::warn!("the compiled component is not kept: {error}"),
                }
            }
            // SAFETY: the code comes from this program's own compiler, by a pipe that nobody else has.
            let component = unsafe { Component::deserialize(&engine, &code) };
            component.map_err(|error| {
                let cause = error.root_cause().to_string();
                Error::invalid(format!(
                    "`{shown}` was compiled and cannot be loaded: {cause}; an instance of this host has no room for it, or \
                     the program was replaced since the host started"
                ))
                .with_source(format!("{error:#}"))
            })
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(run).await;
    done.unwrap_or_else(|error| Err(Error::internal("the compiler ended early").with_source(error)))
}

/// The first eight bytes say what a file is, and the compiler's own words would not.
fn check_form(name: &str, bytes: &[u8]) -> Result<()> {
    let form = match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => return Ok(()),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => {
            "a core wasm module; expected a component: build it for the target wasm32-wasip2"
        }
        Some([0x7f, b'E', b'L', b'F', ..]) => {
            "a compiled file; expected a component (.wasm), which the host compiles itself"
        }
        _ => "no wasm file; expected a component built for the target wasm32-wasip2",
    };
    Err(Error::invalid(format!("`{name}` is {form}")))
}
