//! The entries of one state component on their way into another, page by page, those of the host's own too.
//!
//! A copy is checked twice: each page is read back once it is written, and at the end every entry of both is compared. What
//! a store knows beside an entry's value, content type and end stays behind: etags are the new store's own, and the tokens
//! of fences begin anew.

use super::{
    Condition, Configured, DEFAULT_PAGE, DELETE, Delete, Entry, GET_MANY, LIST, Page, Put,
    PutOptions, State,
    format::{ACTORS, WORKFLOW},
    internal::RESERVED,
    keys::{KeyPrefix, SEPARATOR},
};
use crate::{
    Call, Error, Key, Kind, Result, Slot, Trace,
    component::Operation,
    error::Cut,
    time::{self, Clock as _},
};
use std::{sync::Arc, time::Duration, time::SystemTime};
use wythe_manifest::{ComponentName, Name};

/// Writes that may be done again, for each is of a whole entry.
const COPY: Operation = Operation::idempotent(3, "put-many");
/// Time for one call: a page of large values over a slow network.
const CALL: Duration = Duration::from_secs(120);
/// Bytes of values that are written at once, of a page or a part of it.
const BYTES: usize = 4 << 20;
/// The most by which the ends of an entry may differ in two stores: what two clocks and a call make of them.
const APART: Duration = Duration::from_secs(60);

/// Two state components, one of which gets what the other has. Nobody else may write to either of them meanwhile.
pub struct Copier {
    from: Arc<Slot<Configured>>,
    to: Arc<Slot<Configured>>,
    tenant: Name,
    host: Name,
}

/// A part of the entries that is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portion {
    pub entries: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// The last key of it, as the source has it; none at the end.
    pub next: Option<String>,
}

impl State {
    /// A copier between two components of a tenant. Both have a list, and the same `keyPrefix`; else the answer says what
    /// stands in the way.
    pub fn copier(&self, tenant: &Name, from: &str, to: &str) -> Result<Copier> {
        if from == to {
            return Err(Error::invalid(format!(
                "`{from}` is both where entries come from and where they go; expected two state components"
            )));
        }
        let copier = Copier {
            from: self.named(from)?,
            to: self.named(to)?,
            tenant: tenant.clone(),
            host: "host".parse().expect("a word is a name"),
        };
        for slot in [&copier.from, &copier.to] {
            if !slot.component().driver().driver.features().list {
                let name = slot.name();
                return Err(Error::unsupported(format!(
                    "state component `{name}` cannot list its keys, so that no copy of it can be complete; expected one with the feature `list`"
                )));
            }
        }
        let prefix = |slot: &Slot<Configured>| slot.component().driver().prefix.clone();
        let (old, new) = (prefix(&copier.from), prefix(&copier.to));
        if old != new {
            return Err(Error::invalid(format!(
                "`keyPrefix` of `{from}` is {old} and that of `{to}` is {new}, so that no app would find what it wrote; give both the same one"
            )));
        }
        Ok(copier)
    }

    fn named(&self, name: &str) -> Result<Arc<Slot<Configured>>> {
        let parsed = name.parse::<ComponentName>().ok();
        parsed
            .and_then(|name| self.components.of(&name))
            .ok_or_else(|| {
                let all = self.components.all();
                let names: Vec<_> = all.iter().map(|slot| slot.name().to_string()).collect();
                Error::not_found(format!(
                    "there is no state component `{name}`; there are: {}",
                    names.join(", ")
                ))
            })
    }
}

impl Copier {
    /// Checks that the target has no entries, before the first page. What a host writes into an empty store goes away: the
    /// numbers of formats, and its own record.
    pub async fn begin(&self) -> Result<()> {
        let formats =
            [ACTORS, WORKFLOW].map(|format| format!("{RESERVED}{}||format", format.block));
        let page = self.list(&self.to, None, DEFAULT_PAGE).await?;
        let hosts = format!("{RESERVED}{}||host||", WORKFLOW.block);
        let is_of_host =
            |key: &str| key.starts_with(&hosts) || formats.iter().any(|one| one == key);
        if let Some((key, _)) = page.entries.iter().find(|(key, _)| !is_of_host(key)) {
            return Err(Error::conflict(format!(
                "state component `{}` has entries, such as `{}`; expected an empty one, so that nothing is overwritten",
                self.to.name(),
                Cut(key)
            )));
        }
        for (key, _) in page.entries {
            let caller = self.caller();
            let delete = Delete {
                key: key.into(),
                condition: Condition::Always,
            };
            let component = self.to.enter(&caller).await?;
            let call = component.call(&caller, DELETE.of_host(), |d| {
                d.driver.delete(delete.clone())
            });
            call.await?;
        }
        Ok(())
    }

    /// Copies the entries after a key, at most a page, and reads back what was written.
    pub async fn copy(&self, after: Option<&str>) -> Result<Portion> {
        let page = self.list(&self.from, after, DEFAULT_PAGE).await?;
        let mut rest = page.entries.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |(_, entry): &&(String, Entry)| {
                let is_first = bytes == 0;
                bytes += entry.value.len().max(1);
                is_first || bytes <= BYTES
            };
            let count = rest.iter().take_while(fits).count();
            let (now, later) = rest.split_at(count);
            self.write(now).await?;
            self.check(&self.to, now, |key| self.renamed(key)).await?;
            rest = later;
        }
        Ok(portion(page))
    }

    /// Compares the entries of the source after a key, at most a page, with those of the target.
    pub async fn compare(&self, after: Option<&str>) -> Result<Portion> {
        let page = self.list(&self.from, after, DEFAULT_PAGE).await?;
        self.check(&self.to, &page.entries, |key| self.renamed(key))
            .await?;
        Ok(portion(page))
    }

    /// Compares the entries of the target after a key, at most a page, with those of the source: none is of elsewhere.
    pub async fn compare_back(&self, after: Option<&str>) -> Result<Portion> {
        let page = self.list(&self.to, after, DEFAULT_PAGE).await?;
        self.check(&self.from, &page.entries, |key| self.original(key))
            .await?;
        Ok(portion(page))
    }

    fn caller(&self) -> Call {
        let deadline = time::deadline(CALL);
        Call::host(
            self.tenant.clone(),
            self.host.clone(),
            Trace::start(),
            deadline,
        )
    }

    async fn list(&self, slot: &Slot<Configured>, after: Option<&str>, limit: u32) -> Result<Page> {
        let caller = self.caller();
        let component = slot.enter(&caller).await?;
        let listed = component.call(&caller, LIST.of_host(), |d| d.driver.list("", after, limit));
        listed.await?.checked(after)
    }

    async fn write(&self, entries: &[(String, Entry)]) -> Result<()> {
        let features = self.to.component().driver().driver.features();
        let now = SystemTime::now();
        let puts: Result<Vec<_>> = entries
            .iter()
            .map(|(key, entry)| {
                if entry.expires.is_some() && !features.ttl {
                    return Err(self.unfit(key, "it has an end, which the component does not keep"));
                }
                if entry.value.len() as u64 > features.max_value_bytes {
                    return Err(self.unfit(
                        key,
                        &format!(
                            "its value has {} bytes, and the component takes {}",
                            entry.value.len(),
                            features.max_value_bytes
                        ),
                    ));
                }
                Ok(Put {
                    key: self.renamed(key).into(),
                    value: entry.value.clone(),
                    options: PutOptions {
                        ttl: entry.expires.map(|end| {
                            end.duration_since(now)
                                .unwrap_or_default()
                                .max(Duration::from_millis(1))
                        }),
                        content_type: entry.content_type.clone(),
                        ..PutOptions::default()
                    },
                })
            })
            .collect();
        let puts = puts?;
        let caller = self.caller();
        let component = self.to.enter(&caller).await?;
        let written = component.call(&caller, COPY.of_host(), |d| {
            let writing = d.driver.put_many(puts.clone());
            async { writing.await.into_iter().collect::<Result<Vec<_>>>() }
        });
        written.await.map(|_| ())
    }

    fn unfit(&self, key: &str, why: &str) -> Error {
        let to = self.to.name();
        Error::unsupported(format!(
            "`{}` cannot be copied into `{to}`: {why}",
            Cut(key)
        ))
    }

    /// Compares entries with what a store has under the keys that they have there.
    async fn check(
        &self,
        slot: &Slot<Configured>,
        entries: &[(String, Entry)],
        there: impl Fn(&str) -> String,
    ) -> Result<()> {
        let mut rest = entries;
        while !rest.is_empty() {
            let keys: Vec<Key> = rest.iter().map(|(key, _)| there(key).into()).collect();
            let caller = self.caller();
            let component = slot.enter(&caller).await?;
            let read = component.call(&caller, GET_MANY.of_host(), |d| {
                let reading = d.driver.get_many(keys.clone());
                async { Ok(reading.await) }
            });
            let found = read.await?;
            let mut done = 0;
            for ((key, expected), found) in rest.iter().zip(found) {
                match found {
                    Ok(found) if is_same(expected, found.as_ref()) => done += 1,
                    Ok(found) => return Err(self.differs(slot, key, found.is_some())),
                    // One answer has no more room.
                    Err(error) if done > 0 && error.kind() == Kind::Exhausted => break,
                    Err(error) => return Err(error),
                }
            }
            rest = &rest[done..];
        }
        Ok(())
    }

    fn differs(&self, slot: &Slot<Configured>, key: &str, is_there: bool) -> Error {
        let what = if is_there { "is another one" } else { "is not" };
        Error::conflict(format!(
            "`{}` {what} in `{}`: someone writes to one of the two; stop every host that uses them, and begin again with an empty component",
            Cut(key),
            slot.name()
        ))
    }

    /// The key that an entry has in the target: where the component's own name stands before it, the target's does.
    fn renamed(&self, key: &str) -> String {
        self.moved(key, &self.from, &self.to)
    }

    fn original(&self, key: &str) -> String {
        self.moved(key, &self.to, &self.from)
    }

    fn moved(&self, key: &str, from: &Slot<Configured>, to: &Slot<Configured>) -> String {
        let own = || {
            key.strip_prefix(from.name().as_str())?
                .strip_prefix(SEPARATOR)
        };
        match (&self.from.component().driver().prefix, own()) {
            (KeyPrefix::Name, Some(rest)) => format!("{}{SEPARATOR}{rest}", to.name()),
            _ => key.to_owned(),
        }
    }
}

fn portion(page: Page) -> Portion {
    let sizes = page
        .entries
        .iter()
        .map(|(key, entry)| (key.len() + entry.value.len()) as u64);
    Portion {
        entries: page.entries.len() as u64,
        bytes: sizes.sum(),
        next: page.next,
    }
}

/// Says whether an entry is in the other store as it should be; one that may be over by now may be gone.
fn is_same(expected: &Entry, found: Option<&Entry>) -> bool {
    let soon = SystemTime::now().after(APART);
    let Some(found) = found else {
        return expected.expires.is_some_and(|end| end < soon);
    };
    let is_near = match (expected.expires, found.expires) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            let apart = one
                .duration_since(other)
                .or_else(|_| other.duration_since(one));
            apart.is_ok_and(|apart| apart <= APART)
        }
        _ => false,
    };
    is_near && expected.value == found.value && expected.content_type == found.content_type
}
