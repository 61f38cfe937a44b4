//! A state driver that misbehaves on request, to prove that its host and its neighbours survive it.
//!
//! Its component's metadata `fault` names a fault for every call, and `after` how many calls work before it (default 0).
//! A key or prefix whose part behind the last `||` begins with the name of a fault and `!`, such as `hang!1`, has that
//! fault at once. A key that begins with `net ` tries to use the network. Without a fault it is a plain map that can list, and has neither expiry nor transactions.
mod fault;
mod net;

use std::collections::BTreeMap;

use fault::Fault;
use wythe_sdk::plugin::state::{Condition, Entry, Features, Page, PutOptions};
use wythe_sdk::plugin::{Metadata, Plugin, StateDriver};
use wythe_sdk::{Error, Result};

struct Bad {
    fault: Option<Fault>,
    /// Calls that still work.
    good: u64,
    entries: BTreeMap<String, Entry>,
    etag: u64,
}

impl Plugin for Bad {
    fn init(component: &str, metadata: Metadata) -> Result<Self> {
        metadata.only(&["fault", "after"])?;
        let fault = metadata.get("fault").map(Fault::parse).transpose()?;
        match fault {
            Some(Fault::InitError) => {
                return Err(Error::unavailable(format!(
                    "`{component}` does not want to"
                )));
            }
            Some(Fault::InitHang) => fault::hang(),
            Some(Fault::InitTrap) => panic!("trapped in init, as asked"),
            _ => {}
        }
        Ok(Self {
            fault,
            good: metadata.number("after", 0)?,
            entries: BTreeMap::new(),
            etag: 0,
        })
    }
}

impl StateDriver for Bad {
    fn describe(&self) -> Features {
        Features {
            transactions: false,
            ttl: false,
            list: true,
            increment: false,
            fence: false,
            durable: false,
            linearizable: true,
            max_value_bytes: 1 << 20,
            max_operations: 1,
        }
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        if let Some(said) = net::attempt(key) {
            return Ok(Some(made_up(said.into_bytes(), "1".to_owned())));
        }
        let entry = self.entries.get(key).cloned();
        match self.fault_of(key) {
            Some(Fault::LieSize) => Ok(Some(made_up(vec![b'x'; 32 << 20], "1".to_owned()))),
            Some(Fault::LieEtag) => Ok(Some(made_up(b"value".to_vec(), String::new()))),
            Some(Fault::LieEtagLong) => Ok(Some(made_up(b"value".to_vec(), "e".repeat(10 << 10)))),
            Some(other) => other.happen().map(|()| entry),
            None => Ok(entry),
        }
    }

    fn put(&mut self, key: String, value: Vec<u8>, options: PutOptions) -> Result<String> {
        match self.fault_of(&key) {
            Some(Fault::LieEtag) => return Ok(String::new()),
            Some(Fault::LieEtagLong) => return Ok("e".repeat(10 << 10)),
            Some(other) => other.happen()?,
            None => {}
        }
        if options.ttl.is_some() {
            return Err(Error::unsupported("this driver has no expiry"));
        }
        self.check(&key, &options.condition)?;
        self.etag += 1;
        let etag = self.etag.to_string();
        let entry = Entry {
            value,
            etag: etag.clone(),
            content_type: options.content_type,
            expires: None,
        };
        self.entries.insert(key, entry);
        Ok(etag)
    }

    fn delete(&mut self, key: &str, condition: Condition) -> Result<()> {
        if let Some(fault) = self.fault_of(key) {
            fault.happen()?;
        }
        self.check(key, &condition)?;
        self.entries.remove(key);
        Ok(())
    }

    fn list(&mut self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        let fault = self.fault_of(prefix);
        let many = limit as usize + 10;
        let numbered = |number: usize| format!("{prefix}{number:06}");
        match fault {
            Some(Fault::LieList) => Ok(page([format!("other||{prefix}1")], None)),
            Some(Fault::LieListUnordered) => Ok(page((0..3).rev().map(numbered), None)),
            Some(Fault::LieListMany) => Ok(page((0..many).map(numbered), None)),
            Some(Fault::LieListEndless) => Ok(page([], Some("again".to_owned()))),
            Some(other) => other
                .happen()
                .map(|()| self.page_of(prefix, cursor, limit as usize)),
            None => Ok(self.page_of(prefix, cursor, limit as usize)),
        }
    }
}

impl Bad {
    fn fault_of(&mut self, key: &str) -> Option<Fault> {
        let own = key.rsplit("||").next().unwrap_or(key);
        if let Some(fault) = own
            .split_once('!')
            .and_then(|(name, _)| Fault::parse(name).ok())
        {
            return Some(fault);
        }
        if self.good > 0 {
            self.good -= 1;
            return None;
        }
        self.fault
    }

    fn check(&self, key: &str, condition: &Condition) -> Result<()> {
        let holds = match (condition, self.entries.get(key)) {
            (Condition::Always, _) | (Condition::Absent, None) => true,
            (Condition::Absent, Some(_)) | (Condition::Matches(_), None) => false,
            (Condition::Matches(etag), Some(entry)) => *etag == entry.etag,
        };
        if holds {
            Ok(())
        } else {
            Err(Error::conflict("the condition does not hold"))
        }
    }

    fn page_of(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Page {
        let matching = self
            .entries
            .iter()
            .filter(|(key, _)| key.starts_with(prefix));
        let mut rest = matching.filter(|(key, _)| cursor.is_none_or(|last| key.as_str() > last));
        let entries: Vec<_> = rest
            .by_ref()
            .take(limit)
            .map(|(key, entry)| (key.clone(), entry.clone()))
            .collect();
        let next = rest
            .next()
            .and_then(|_| entries.last().map(|(key, _)| key.clone()));
        Page { entries, next }
    }
}

fn made_up(value: Vec<u8>, etag: String) -> Entry {
    Entry {
        value,
        etag,
        content_type: None,
        expires: None,
    }
}

fn page(keys: impl IntoIterator<Item = String>, next: Option<String>) -> Page {
    let entry = |key| (key, made_up(b"value".to_vec(), "1".to_owned()));
    Page {
        entries: keys.into_iter().map(entry).collect(),
        next,
    }
}

wythe_sdk::state_plugin!(Bad);
