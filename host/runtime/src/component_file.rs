//! The file of a component: read once, and checked by what was read before anything is made of it.

use bytes::Bytes;
use std::{io::ErrorKind, path::Path, sync::Arc, time::Duration};
use wythe_blocks::{Error, Result, Site, Tenant, quota::Ledger, signature};
use wythe_manifest::{AnchoredPath, Metered, SigningKeys, Terms, Unreadable};

/// Bytes of a component file.
pub const MAX_COMPONENT: u64 = 64 << 20;

/// The word of the operator on the files of a tenant; by default, they are what the host takes.
#[derive(Clone, Default)]
pub struct Allowed(Option<(Arc<Terms>, Arc<Ledger>)>);

impl Allowed {
    pub fn to_tenant(tenant: &Tenant) -> Self {
        let terms = tenant.settings().terms.clone();
        Allowed(terms.map(|terms| (terms, tenant.ledger.clone())))
    }

    pub fn to_site(site: &Site) -> Self {
        Allowed(site.terms.clone().zip(site.ledger.clone()))
    }

    /// Bytes that a file may have.
    fn bytes(&self) -> u64 {
        let allowed = self.0.as_ref();
        let bytes = allowed.map(|(terms, _)| terms.quotas.amount(Metered::ComponentBytes));
        bytes.unwrap_or(MAX_COMPONENT).min(MAX_COMPONENT)
    }

    /// The time in which a file is compiled.
    pub fn time(&self) -> Option<Duration> {
        let (terms, _) = self.0.as_ref()?;
        Some(Duration::from_millis(
            terms.quotas.amount(Metered::CompileTime),
        ))
    }

    /// `unsupported` where the operator wrote a time, which nothing ends a compilation at.
    pub fn check_unlimited(&self) -> Result<()> {
        let written = self.0.as_ref();
        let written = written.and_then(|(terms, _)| terms.quotas.written(Metered::CompileTime));
        match written {
            None => Ok(()),
            Some(source) => Err(Error::unsupported(format!(
                "this program compiles in its own process, where the operator's `quotas.compileTime` cannot be held; give \
                 it a compiler, or take the quota away: {source}"
            ))),
        }
    }

    /// Notes what one file took of a quota.
    pub fn note(&self, quota: Metered, amount: u64) {
        if let Some((_, ledger)) = &self.0 {
            ledger.note(quota, amount);
        }
    }

    /// The refusal of a file that is over a quota, in these words; none where the tenant has no quotas.
    pub fn refuse(&self, quota: Metered, what: &str) -> Option<Error> {
        let (terms, ledger) = self.0.as_ref()?;
        let place = terms.place_of(quota);
        Some(ledger.refuse_one(quota, format!("{what}, over {place}")))
    }
}

/// A component file, whose signature it needs, and what it may be.
pub struct ComponentFile {
    place: AnchoredPath,
    signing_keys: Option<Arc<SigningKeys>>,
    allowed: Allowed,
}

impl ComponentFile {
    /// A file that runs where one of the keys has signed it; without keys, as it is.
    pub fn new(
        place: AnchoredPath,
        signing_keys: Option<Arc<SigningKeys>>,
        allowed: Allowed,
    ) -> Self {
        ComponentFile {
            place,
            signing_keys,
            allowed,
        }
    }

    /// The file of an app of a tenant, in its project.
    pub fn of_app(
        tenant: &Tenant,
        (project, path): (&Path, &Path),
        signing_keys: Option<Arc<SigningKeys>>,
    ) -> Self {
        let place = AnchoredPath::new(Some(project), path);
        Self::new(place, signing_keys, Allowed::to_tenant(tenant))
    }

    /// The word of the operator on it.
    pub fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    /// The path, as messages show it.
    pub fn shown(&self) -> String {
        self.place.path().display().to_string()
    }

    /// All of its bytes, within their limit, of which the signature is good where one is needed.
    pub async fn read(self) -> Result<Bytes> {
        let read = tokio::task::spawn_blocking(move || self.read_now()).await;
        read.map_err(|error| Error::internal("a file was not read").with_source(error))?
    }

    fn read_now(&self) -> Result<Bytes> {
        let limit = self.allowed.bytes();
        let read = self.place.open().and_then(|file| file.read(limit));
        let bytes = read.map_err(|why| self.unreadable(&why))?;
        self.allowed
            .note(Metered::ComponentBytes, bytes.len() as u64);
        if let Some(keys) = &self.signing_keys {
            signature::check(&self.place, &bytes, keys)?;
        }
        Ok(bytes.into())
    }

    fn unreadable(&self, why: &Unreadable) -> Error {
        let path = self.place.path();
        let over = match why {
            // What no host takes is no matter of the operator's.
            Unreadable::TooLarge(_) if self.allowed.bytes() < MAX_COMPONENT => {
                let what = format!("the component file {} is {why}", path.display());
                self.allowed.refuse(Metered::ComponentBytes, &what)
            }
            _ => None,
        };
        over.unwrap_or_else(|| unreadable(path, why))
    }
}

fn unreadable(path: &Path, why: &Unreadable) -> Error {
    let shown = path.display();
    match why {
        Unreadable::Io(error) if error.kind() == ErrorKind::NotFound => Error::not_found(format!(
            "no component file at {shown}: {error}; build it first, as `wythe build` does where the app has a `build:` command"
        )),
        Unreadable::Io(error) => Error::unavailable(format!(
            "the component file {shown} cannot be read: {error}"
        )),
        Unreadable::TooLarge(_) => Error::invalid(format!("the component file {shown} is {why}")),
        _ => Error::invalid(format!("the component file {shown} cannot be read: {why}")),
    }
}
