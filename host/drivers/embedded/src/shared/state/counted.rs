//! A table whose entries count in the quotas of a tenant.

use super::{
    apply::Table,
    record::{Record, Version},
};
use std::collections::BTreeMap;
use wythe_blocks::{
    Result,
    state::{Amount, Charge},
};

/// A table over another one; what is changed is drawn from the charge before, and noted there after.
pub(crate) struct Counted<'a, 'b, T> {
    table: &'a mut T,
    charge: &'a mut Charge<'b>,
}

impl<'a, 'b, T> Counted<'a, 'b, T> {
    pub(crate) fn new(table: &'a mut T, charge: &'a mut Charge<'b>) -> Self {
        Counted { table, charge }
    }
}

fn amount(key: &str, record: Option<&Record>) -> Amount {
    Amount::of(key, record.map(Record::length))
}

impl<T: Table> Table for Counted<'_, '_, T> {
    fn version(&self, key: &str) -> Result<Option<Version>> {
        self.table.version(key)
    }

    fn get(&self, key: &str) -> Result<Option<Record>> {
        self.table.get(key)
    }

    fn length(&self, key: &str) -> Result<Option<u64>> {
        self.table.length(key)
    }

    fn admit(&mut self, changes: &BTreeMap<String, Option<Record>>) -> Result<()> {
        self.table.admit(changes)?;
        if !self.charge.counts() {
            return Ok(());
        }
        let mut new = Amount::default();
        for (key, record) in changes {
            new += amount(key, record.as_ref());
        }
        let table = &*self.table;
        self.charge.admit(new, || {
            let mut old = Amount::default();
            for key in changes.keys() {
                old += Amount::of(key, table.length(key)?);
            }
            Ok(old)
        })
    }

    fn set(&mut self, key: &str, record: Option<Record>) -> Result<Option<u64>> {
        let new = amount(key, record.as_ref());
        let old = self.table.set(key, record)?;
        self.charge.replace(Amount::of(key, old), new);
        Ok(old)
    }
}
