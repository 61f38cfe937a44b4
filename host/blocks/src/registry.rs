//! The drivers by their names, and the way of a component's metadata to each as a typed config.

mod absent;

pub(crate) use absent::unknown_block;

use crate::{
    Environment, Error, Result, bindings, configuration, crypto, jobs, lock, middleware,
    prepared::SECRET_STORES,
    pubsub,
    quota::{Held, Ledger},
    secrets, state,
};
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
};
use wythe_manifest::{AnchoredPath, Component, Metered, Name, Problems, Terms};

/// The site of a driver: its tenant, its name, and the directory that is its own.
#[derive(Clone)]
pub struct Site {
    pub tenant: Name,
    pub component: String,
    /// The driver's directory, which is not created until a driver needs it.
    pub directory: PathBuf,
    /// The directory of the resource file: what relative paths in it are relative to.
    pub beside: PathBuf,
    /// The directory of the project, or that of the resource file where it is elsewhere: no link below it may lead out.
    pub root: PathBuf,
    /// The process's environment, as the command line read it.
    pub environment: Environment,
    /// The word of the operator of a host with many tenants on this one.
    pub terms: Option<Arc<Terms>>,
    /// The quotas in which the driver counts what it stores; absent where the tenant has none.
    pub ledger: Option<Arc<Ledger>>,
}

impl Site {
    /// The place of a path that is written in the component, where the tenant may name it: relative to the resource file.
    pub fn place(&self, written: impl AsRef<Path>) -> Result<AnchoredPath> {
        self.place_of(&self.beside.join(written))
    }

    /// The place of a path that is relative to the process, where the tenant may name it.
    pub fn place_of(&self, path: &Path) -> Result<AnchoredPath> {
        let Some(terms) = &self.terms else {
            return Ok(AnchoredPath::new(Some(&self.root), path));
        };
        let placed = terms.place(&self.root, path);
        placed.map_err(|source| Error::denied(Terms::outside(path, source)))
    }

    /// The count of a state store in the quotas of its tenant; none where the tenant has none.
    pub fn stored(&self) -> Option<Arc<state::Stored>> {
        let ledger = self.ledger.as_ref();
        ledger.map(|ledger| Arc::new(state::Stored::new(ledger.clone())))
    }

    /// The quota of what waits in a queue of messages; none where the tenant has none.
    pub fn backlog(&self) -> Option<Held> {
        let ledger = self.ledger.as_ref();
        ledger.map(|ledger| ledger.nothing(Metered::BacklogBytes))
    }
}

type Opened<D> = Pin<Box<dyn Future<Output = Result<Arc<D>>> + Send>>;
type Prepared<D> = Pin<Box<dyn Future<Output = Result<Ready<D>, Vec<Error>>> + Send>>;

/// A driver whose settings were found good; nothing of it is open yet.
pub struct Ready<D: ?Sized> {
    open: Box<dyn FnOnce() -> Opened<D> + Send>,
    /// Warnings of what the operator should know of the settings all the same, each with its place.
    pub(crate) warnings: Vec<Error>,
}

impl<D: ?Sized + 'static> Ready<D> {
    /// `open` reaches for the technology.
    pub fn new<F>(open: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Arc<D>>> + Send + 'static,
    {
        Ready {
            open: Box::new(move || Box::pin(open())),
            warnings: Vec::new(),
        }
    }

    pub async fn open(self) -> Result<Arc<D>> {
        (self.open)().await
    }
}

/// A setting that is of the right type and wrong all the same, or one to be warned of.
#[derive(Debug)]
pub struct Wrong {
    setting: &'static str,
    error: Error,
}

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        wrong.error
    }
}

impl Wrong {
    pub fn new(setting: &'static str, error: Error) -> Self {
        Wrong { setting, error }
    }

    fn located(self, component: &Component) -> Error {
        let message = |text| format!("component `{}`: {text}", component.name);
        let error = self.error.map_message(message);
        error.at(&component.position_of(self.setting))
    }
}

type Mistakes = dyn Fn(&Component) -> Vec<Error> + Send + Sync;
type Prepare<D> = dyn Fn(Component, Site) -> Prepared<D> + Send + Sync;

/// One driver: how its settings are read, which is all that is done before any component of a project is opened.
struct Entry<D: ?Sized> {
    /// The mistakes in the settings that are known, where others cannot be looked up.
    mistakes: Box<Mistakes>,
    prepare: Box<Prepare<D>>,
    /// Reaches for what is outside of the host.
    reaches_out: bool,
    /// Counts what it stores.
    counts: bool,
}

/// The drivers of one block.
pub struct Drivers<D: ?Sized> {
    block: &'static str,
    by_name: BTreeMap<&'static str, Entry<D>>,
}

/// The drivers of a block, whichever it is.
trait AnyDrivers {
    fn mistakes(&self, component: &Component) -> Vec<Error>;

    /// Returns whether a driver reaches for what is outside of the host; one that is unknown does not.
    fn does_reach_out(&self, driver: &str) -> bool;

    /// Returns whether a driver counts what it stores; one that is unknown is another mistake.
    fn does_count(&self, driver: &str) -> bool;
}

impl<D: ?Sized + 'static> AnyDrivers for Drivers<D> {
    fn mistakes(&self, component: &Component) -> Vec<Error> {
        Drivers::mistakes(self, component)
    }

    fn does_reach_out(&self, driver: &str) -> bool {
        self.reaches(driver)
    }

    fn does_count(&self, driver: &str) -> bool {
        self.by_name.get(driver).is_none_or(|entry| entry.counts)
    }
}

impl<D: ?Sized + 'static> Drivers<D> {
    pub fn new(block: &'static str) -> Self {
        Drivers {
            block,
            by_name: BTreeMap::new(),
        }
    }

    /// Says that a driver reaches for what is outside of the host: a tenant has it only where its operator says so.
    pub fn reaches_out(&mut self, name: &'static str) {
        let entry = self.by_name.get_mut(name);
        entry.expect("a driver that is registered").reaches_out = true;
    }

    /// Returns whether a driver does so; one that is unknown does not.
    pub(crate) fn reaches(&self, name: &str) -> bool {
        let entry = self.by_name.get(name);
        entry.is_some_and(|entry| entry.reaches_out)
    }

    /// Says that a driver counts what it stores: a quota of that number can be held.
    pub fn counts(&mut self, name: &'static str) {
        let entry = self.by_name.get_mut(name);
        entry.expect("a driver that is registered").counts = true;
    }

    /// Registers a driver; the type of its config is inferred from `open`.
    pub fn add<C, F>(
        &mut self,
        name: &'static str,
        open: impl Fn(C, Site) -> F + Send + Sync + 'static,
    ) where
        C: DeserializeOwned + Send + 'static,
        F: Future<Output = Result<Arc<D>>> + Send + 'static,
    {
        self.add_parsed(name, Ok, open);
    }

    /// Registers a driver whose config is more than its types say: `parse` finds what is wrong with it, and reaches for
    /// nothing outside of it.
    pub fn add_parsed<C, P, F>(
        &mut self,
        name: &'static str,
        parse: impl Fn(C) -> Result<P, Wrong> + Send + Sync + 'static,
        open: impl Fn(P, Site) -> F + Send + Sync + 'static,
    ) where
        C: DeserializeOwned + 'static,
        P: Send + 'static,
        F: Future<Output = Result<Arc<D>>> + Send + 'static,
    {
        self.add_warned(name, parse, |_| Vec::new(), open);
    }

    /// Adds, as `add_parsed` does, a driver some of whose good settings the operator is warned of, by `validate` and at
    /// a start.
    pub fn add_warned<C, P, F>(
        &mut self,
        name: &'static str,
        parse: impl Fn(C) -> Result<P, Wrong> + Send + Sync + 'static,
        warnings: impl Fn(&P) -> Vec<Wrong> + Send + Sync + 'static,
        open: impl Fn(P, Site) -> F + Send + Sync + 'static,
    ) where
        C: DeserializeOwned + 'static,
        P: Send + 'static,
        F: Future<Output = Result<Arc<D>>> + Send + 'static,
    {
        let open = Arc::new(open);
        let prepare = move |component: Component, site: Site| -> Prepared<D> {
            let (parsed, open) = (parsed(&component, &parse), open.clone());
            let ready = parsed.map(|parsed| {
                let wrongs = warnings(&parsed).into_iter();
                let warnings = wrongs.map(|wrong| wrong.located(&component)).collect();
                let ready = Ready::new(move || open(parsed, site));
                Ready { warnings, ..ready }
            });
            Box::pin(std::future::ready(ready))
        };
        let mistakes = |component: &Component| errors(&wythe_manifest::mistakes::<C>(component));
        self.insert(name, mistakes, prepare);
    }

    /// Registers a driver that reads its metadata itself, as a plugin does.
    pub fn add_raw<F>(
        &mut self,
        name: &'static str,
        prepare: impl Fn(Component, Site) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<Ready<D>, Vec<Error>>> + Send + 'static,
    {
        let prepare = move |component, site| -> Prepared<D> { Box::pin(prepare(component, site)) };
        self.insert(name, |_: &Component| Vec::new(), prepare);
    }

    fn insert(
        &mut self,
        name: &'static str,
        mistakes: impl Fn(&Component) -> Vec<Error> + Send + Sync + 'static,
        prepare: impl Fn(Component, Site) -> Prepared<D> + Send + Sync + 'static,
    ) {
        let (mistakes, prepare) = (Box::new(mistakes), Box::new(prepare));
        let entry = Entry {
            mistakes,
            prepare,
            reaches_out: false,
            counts: false,
        };
        self.by_name.insert(name, entry);
    }

    /// Reads a component's settings, whole; nothing is opened.
    pub async fn prepare(&self, component: &Component, site: Site) -> Result<Ready<D>, Vec<Error>> {
        match self.by_name.get(component.driver.as_str()) {
            Some(entry) => (entry.prepare)(component.clone(), site).await,
            None => Err(vec![self.unknown(component)]),
        }
    }

    /// Prepares a component and opens it alone; several mistakes are reported in one error.
    pub async fn open(&self, component: &Component, site: Site) -> Result<Arc<D>> {
        match self.prepare(component, site).await {
            Ok(ready) => ready.open().await,
            Err(errors) => {
                let all: Vec<_> = errors.iter().map(Error::message).collect();
                Err(Error::invalid(all.join("\n")))
            }
        }
    }

    /// Tells what is wrong with the settings of a component some of which are missing for another reason.
    pub fn mistakes(&self, component: &Component) -> Vec<Error> {
        match self.by_name.get(component.driver.as_str()) {
            Some(entry) => (entry.mistakes)(component),
            None => vec![self.unknown(component)],
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.by_name.keys().copied()
    }

    /// Error about a driver that is not there.
    fn unknown(&self, component: &Component) -> Error {
        absent::driver(component, self.block, self.names())
    }
}

fn parsed<C: DeserializeOwned, P>(
    component: &Component,
    parse: impl Fn(C) -> Result<P, Wrong>,
) -> Result<P, Vec<Error>> {
    let config = wythe_manifest::decode(component).map_err(|problems| errors(&problems))?;
    parse(config).map_err(|wrong| vec![wrong.located(component)])
}

fn errors(problems: &Problems) -> Vec<Error> {
    problems.iter().map(Error::from).collect()
}

/// Every driver of this build.
pub struct Registry {
    pub bindings: Drivers<dyn bindings::Driver>,
    pub configuration: Drivers<dyn configuration::Driver>,
    pub crypto: Drivers<dyn crypto::Driver>,
    pub jobs: Drivers<dyn jobs::Driver>,
    pub lock: Drivers<dyn lock::Driver>,
    pub middleware: Drivers<dyn middleware::Driver>,
    pub pubsub: Drivers<dyn pubsub::Driver>,
    pub secrets: Drivers<dyn secrets::Driver>,
    pub state: Drivers<dyn state::Driver>,
}

impl Registry {
    fn drivers(&self, block: &str) -> Option<&dyn AnyDrivers> {
        Some(match block {
            "bindings" => &self.bindings,
            "configuration" => &self.configuration,
            "crypto" => &self.crypto,
            "jobs" => &self.jobs,
            "lock" => &self.lock,
            "middleware" => &self.middleware,
            "pubsub" => &self.pubsub,
            SECRET_STORES => &self.secrets,
            "state" => &self.state,
            _ => return None,
        })
    }

    /// Does what [`Drivers::mistakes`] does, for the block that the component names.
    pub(crate) fn mistakes(&self, component: &Component) -> Vec<Error> {
        match self.drivers(&component.block) {
            Some(drivers) => drivers.mistakes(component),
            None => vec![unknown_block(component)],
        }
    }

    /// Refuses a component of a type that the operator does not allow the tenant, and one that cannot hold a quota that the
    /// operator wrote.
    pub(crate) fn check_terms(&self, terms: Option<&Terms>, component: &Component) -> Result<()> {
        let (block, driver) = (&component.block, &component.driver);
        let drivers = self.drivers(block);
        let reaches_out = drivers.is_some_and(|drivers| drivers.does_reach_out(driver));
        let is_counted = drivers.is_none_or(|drivers| drivers.does_count(driver));
        let quotas = COUNTED.iter().filter(|(counted, _)| counted == block);
        let mut written = quotas.filter_map(|(_, quota)| {
            let source = terms?.quotas.written(*quota)?;
            Some((quota.key(), source))
        });
        if let Some((quota, source)) = written.next().filter(|_| !is_counted) {
            return Err(Error::unsupported(format!(
                "component `{}`: `{block}.{driver}` does not count what it stores, so that the operator's `quotas.{quota}` cannot be held; use another type: {source}",
                component.name
            ))
            .at(&component.source));
        }
        match terms.filter(|terms| !terms.allows_type(block, driver, reaches_out)) {
            None => Ok(()),
            Some(terms) => Err(Error::denied(format!(
                "component `{}`: the operator does not allow `{block}.{driver}`: {}",
                component.name,
                terms.place_of_types()
            ))
            .at(&component.source)),
        }
    }
}

/// The blocks whose drivers count what they store, with the quotas that are held by it.
const COUNTED: [(&str, Metered); 4] = [
    ("jobs", Metered::Jobs),
    ("pubsub", Metered::BacklogBytes),
    ("state", Metered::StateBytes),
    ("state", Metered::StateKeys),
];

impl Default for Registry {
    fn default() -> Self {
        Registry {
            bindings: Drivers::new("bindings"),
            configuration: Drivers::new("configuration"),
            crypto: Drivers::new("crypto"),
            jobs: Drivers::new("jobs"),
            lock: Drivers::new("lock"),
            middleware: Drivers::new("middleware"),
            pubsub: Drivers::new("pubsub"),
            secrets: Drivers::new("secretstores"),
            state: Drivers::new("state"),
        }
    }
}
