//! The numbers of one scrape, gathered from those who have them, with a bound on the rows of each tenant.

use super::{exemplar::Exemplar, text};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet, btree_map::Entry},
    fmt::Write as _,
};
use wythe_manifest::Name;

/// Rows of one metric of one tenant that have labels of their own; what is beyond is one row, named [`OTHER`].
pub(crate) const ROWS: usize = 1_000;
/// The value of labels of what has no row of its own.
pub(crate) const OTHER: &str = "other";

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Counter,
    Gauge,
    Histogram,
}

/// A metric: its name as Prometheus stores it, its kind, and its help.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Family {
    pub name: &'static str,
    pub kind: Type,
    pub help: &'static str,
}

impl Family {
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Family::new(name, Type::Counter, help)
    }

    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Family::new(name, Type::Gauge, help)
    }

    pub const fn histogram(name: &'static str, help: &'static str) -> Self {
        Family::new(name, Type::Histogram, help)
    }

    const fn new(name: &'static str, kind: Type, help: &'static str) -> Self {
        Family { name, kind, help }
    }

    /// Says whether it is one of Dapr's names, which are a second view of what is there already.
    pub fn is_daprs(&self) -> bool {
        self.name.starts_with("dapr_")
    }
}

/// A label of a row.
#[derive(Clone, Debug)]
pub(crate) struct Label<'a> {
    name: &'static str,
    value: Cow<'a, str>,
    /// The value is one of a few that are in the code; a row of what is beyond the bound keeps it.
    is_word: bool,
}

/// A label whose value an operator or a manifest wrote.
pub(crate) fn named<'a>(name: &'static str, value: impl Into<Cow<'a, str>>) -> Label<'a> {
    let value = value.into();
    Label {
        name,
        value,
        is_word: false,
    }
}

/// A label whose value is one of a few words of the code.
pub(crate) fn word(name: &'static str, value: &'static str) -> Label<'static> {
    Label {
        name,
        value: Cow::Borrowed(value),
        is_word: true,
    }
}

/// The value of a row.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Number(f64),
    Histogram(Histogram),
}

/// Counts by upper bound, each without those of the bounds before it; the last one has no bound.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    pub buckets: Vec<Bucket>,
    pub sum: f64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    pub bound: f64,
    pub count: u64,
    pub exemplar: Option<Exemplar>,
}

impl Value {
    /// Adds the value of another row, which has the same kind and the same bounds.
    fn add(&mut self, other: Value) {
        match (self, other) {
            (Value::Number(sum), Value::Number(more)) => *sum += more,
            (Value::Histogram(sum), Value::Histogram(more)) => {
                sum.sum += more.sum;
                for (one, other) in sum.buckets.iter_mut().zip(more.buckets) {
                    one.count += other.count;
                    one.exemplar = one.exemplar.or(other.exemplar);
                }
            }
            _ => {}
        }
    }
}

/// Rows by their labels as they are written.
pub(super) type Rows = BTreeMap<String, Value>;

/// The numbers of one scrape.
#[derive(Default)]
pub(crate) struct Page {
    /// Tenants that do not want Dapr's names.
    plain: HashSet<Name>,
    families: BTreeMap<&'static str, (&'static Family, BTreeMap<String, Rows>)>,
}

impl Page {
    /// An empty page. Of these tenants it has no rows by Dapr's names.
    pub fn new(plain: HashSet<Name>) -> Self {
        Page {
            plain,
            families: BTreeMap::new(),
        }
    }

    /// Says whether a tenant wants Dapr's names.
    pub fn wants_daprs(&self, tenant: &Name) -> bool {
        !self.plain.contains(tenant)
    }

    /// Adds a number of a tenant; one of the host has none.
    pub fn number(
        &mut self,
        family: &'static Family,
        tenant: &str,
        labels: &[Label<'_>],
        value: f64,
    ) {
        self.add(family, tenant, labels, Value::Number(value));
    }

    /// Adds a row. Where the labels are there already, as while a component takes another one's place, the values are one.
    pub fn add(
        &mut self,
        family: &'static Family,
        tenant: &str,
        labels: &[Label<'_>],
        value: Value,
    ) {
        let (_, tenants) = self
            .families
            .entry(family.name)
            .or_insert_with(|| (family, BTreeMap::new()));
        let rows = match tenants.get_mut(tenant) {
            Some(rows) => rows,
            None => tenants.entry(tenant.to_owned()).or_default(),
        };
        let own = written(family, tenant, labels, false);
        let is_full = rows.len() >= ROWS && !rows.contains_key(&own);
        let key = match is_full {
            true => written(family, tenant, labels, true),
            false => own,
        };
        match rows.entry(key) {
            Entry::Vacant(row) => {
                row.insert(value);
            }
            Entry::Occupied(mut row) => row.get_mut().add(value),
        }
    }

    /// The page as text.
    pub fn write(&self, format: super::Format) -> String {
        let mut text = String::new();
        for (family, tenants) in self.families.values() {
            text::write(&mut text, format, family, tenants.values());
        }
        text::end(&mut text, format);
        text
    }
}

/// Labels as both formats write them.
fn written(family: &Family, tenant: &str, labels: &[Label<'_>], is_other: bool) -> String {
    let mut text = String::new();
    let tenant_label = match family.is_daprs() {
        true => "namespace",
        false => "tenant",
    };
    if !tenant.is_empty() {
        let _ = write!(text, "{tenant_label}=\"{}\"", text::escaped(tenant));
    }
    for label in labels {
        let value = match is_other && !label.is_word {
            true => OTHER,
            false => &label.value,
        };
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{}=\"{}\"", label.name, text::escaped(value));
    }
    text
}
