//! The name/value list of a component: order kept, names without regard to case, secrets kept apart.

use std::fmt;

use crate::component::{Component, ITEMS};
use crate::problem::{Problem, Severity};
use crate::reader::At;
use crate::secret::Secret;
use crate::suggest::listed;
use crate::yaml::Position;

/// The settings that a driver is configured with.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    items: Vec<Item>,
    /// The names of the items that somebody took out, and the places where they were written.
    taken: Vec<(String, Position)>,
    pending: Vec<Pending>,
}

/// One name with its value.
#[derive(Clone, Debug)]
pub struct Item {
    /// The name as it was written.
    pub name: String,
    /// The value, after references were resolved.
    pub value: Value,
    /// The line it was written in, counted from 1.
    pub line: u32,
    pub(crate) column: u32,
}

/// A value that may be shown, or one that may not.
#[derive(Clone)]
pub enum Value {
    /// Written in the file itself.
    Plain(String),
    /// Read from a secret store or from the environment.
    Secret(Secret),
}

impl Value {
    /// The text in either case. A secret stays hidden only as long as the result is not shown.
    pub fn reveal(&self) -> &str {
        match self {
            Value::Plain(text) => text,
            Value::Secret(secret) => secret.reveal(),
        }
    }
}

/// People do write passwords as plain values, so neither kind is shown.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Value::Plain(_) => "Plain(..)",
            Value::Secret(_) => "Secret(..)",
        })
    }
}

/// A value that is written elsewhere and was not looked up yet.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) name: String,
    pub(crate) position: Position,
    pub(crate) reference: Reference,
}

/// The place where a value is written.
#[derive(Clone, Debug)]
pub(crate) enum Reference {
    Environment(String),
    Secret {
        store: String,
        name: String,
        key: String,
    },
}

/// A setting whose value is in a secret store and was not looked up yet.
#[derive(Clone, Debug)]
pub struct SecretReference {
    /// The name of the setting.
    pub setting: String,
    /// The component that has the secret.
    pub store: String,
    /// The secret.
    pub name: String,
    /// The name of one of the secret's values; the secret's own name where none is written.
    pub key: String,
    position: Position,
}

impl SecretReference {
    /// A mistake at the place of the reference.
    pub fn problem(&self, component: &Component, message: impl Into<String>) -> Problem {
        let (kind, message) = ("secretKeyRef", message.into());
        problem_at(component, &self.setting, self.position, kind, message)
    }
}

impl Metadata {
    /// The settings that wait for a secret store, in the order in which they were written.
    pub fn references(&self) -> Vec<SecretReference> {
        let reference = |pending: &Pending| match &pending.reference {
            Reference::Secret { store, name, key } => Some(SecretReference {
                setting: pending.name.clone(),
                store: store.clone(),
                name: name.clone(),
                key: key.clone(),
                position: pending.position,
            }),
            Reference::Environment(_) => None,
        };
        self.pending.iter().filter_map(reference).collect()
    }

    /// Says whether every value is known.
    pub fn is_whole(&self) -> bool {
        self.pending.is_empty()
    }

    /// Gives a setting the value that it referred to.
    pub fn resolve(&mut self, reference: &SecretReference, value: Secret) {
        let is_it = |pending: &Pending| pending.name == reference.setting;
        if let Some(index) = self.pending.iter().position(is_it) {
            let pending = self.pending.remove(index);
            self.settle(pending, Value::Secret(value));
        }
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.items
            .iter()
            .find(|item| item.name.eq_ignore_ascii_case(name))
            .map(|item| &item.value)
    }

    /// Removes a name and returns its value: for keys that are not the driver's to read.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let index = self
            .items
            .iter()
            .position(|item| item.name.eq_ignore_ascii_case(name))?;
        let Item {
            name,
            value,
            line,
            column,
        } = self.items.remove(index);
        self.taken.push((name, Position { line, column }));
        Some(value)
    }

    /// The items in the order they were written.
    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.items.iter()
    }

    pub(crate) fn pending(&self) -> &[Pending] {
        &self.pending
    }

    pub(crate) fn take_pending(&mut self) -> Vec<Pending> {
        std::mem::take(&mut self.pending)
    }

    pub(crate) fn postpone(&mut self, pending: Pending) {
        self.pending.push(pending);
    }

    pub(crate) fn settle(&mut self, pending: Pending, value: Value) {
        self.add(pending.name, pending.position, value);
        self.items.sort_by_key(|item| (item.line, item.column));
    }

    fn add(&mut self, name: String, position: Position, value: Value) {
        let Position { line, column } = position;
        self.items.push(Item {
            name,
            value,
            line,
            column,
        });
    }

    pub(crate) fn position_of(&self, name: &str) -> Option<Position> {
        let position = |&Item { line, column, .. }: &Item| Position { line, column };
        let items = self.items.iter().map(|item| (&item.name, position(item)));
        let taken = self.taken.iter().map(|(name, position)| (name, *position));
        let pending = self.pending.iter();
        let pending = pending.map(|pending| (&pending.name, pending.position));
        let mut all = items.chain(taken).chain(pending);
        all.find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, position)| position)
    }
}

impl FromIterator<(String, Value)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(pairs: I) -> Self {
        let items = pairs.into_iter().map(|(name, value)| Item {
            name,
            value,
            line: 0,
            column: 0,
        });
        Self {
            items: items.collect(),
            taken: Vec::new(),
            pending: Vec::new(),
        }
    }
}

/// The keys that a value may be given by.
const CHOICES: [&str; 3] = ["value", "secretKeyRef", "envRef"];

/// Settings of one component: each is compared with those before it.
const MAX_ITEMS: usize = 1_000;

/// Reads `spec.metadata`; `store` is the secret store that the component names.
pub(crate) fn read(list: &At, store: Option<&str>) -> Metadata {
    let mut metadata = Metadata::default();
    let items = list.items();
    if items.len() > MAX_ITEMS {
        let count = items.len();
        list.error(&format!(
            "{count} settings; expected at most {MAX_ITEMS} in one component"
        ));
        return metadata;
    }
    for at in items {
        read_item(&at, store, &mut metadata);
    }
    metadata
}

fn read_item(at: &At, store: Option<&str>, metadata: &mut Metadata) -> Option<()> {
    let fields = at.fields(&["name", "value", "secretKeyRef", "envRef"])?;
    let name = fields
        .demand("name", "the name of the setting", At::filled)?
        .to_owned();
    if let Some(first) = metadata.position_of(&name) {
        at.error(&format!(
            "`{name}` is set twice, first in line {}",
            first.line
        ));
        return None;
    }
    let choices = fields.each_of(&CHOICES);
    let [(_, choice)] = choices.as_slice() else {
        let found = if choices.is_empty() {
            "none"
        } else {
            "several"
        };
        at.error(&format!(
            "`{name}` needs one of {}, found {found}",
            listed(CHOICES)
        ));
        return None;
    };
    let position = choice.node.position;
    let reference = if fields.written("value").is_some() {
        let value = Value::Plain(choice.text_or_empty()?.to_owned());
        metadata.add(name, position, value);
        return Some(());
    } else if fields.written("envRef").is_some() {
        Reference::Environment(choice.filled()?.to_owned())
    } else {
        read_secret_reference(choice, store)?
    };
    metadata.pending.push(Pending {
        name,
        position,
        reference,
    });
    Some(())
}

fn read_secret_reference(at: &At, store: Option<&str>) -> Option<Reference> {
    let fields = at.fields(&["name", "key"])?;
    let name = fields
        .demand("name", "the name of the secret", At::filled)?
        .to_owned();
    let key = fields.string("key").unwrap_or_else(|| name.clone());
    let Some(store) = store else {
        let help = "add `auth: { secretStore: NAME }` beside `spec`".to_owned();
        at.error_with_help("no secret store is named to look this up in", Some(help));
        return None;
    };
    Some(Reference::Secret {
        store: store.to_owned(),
        name,
        key,
    })
}

/// The path of keys of one setting, by its name rather than its number.
pub(crate) fn key_of(name: &str) -> String {
    format!("{ITEMS}.{name}")
}

/// A mistake in how a setting refers to its value.
pub(crate) fn problem_at(
    component: &Component,
    setting: &str,
    position: Position,
    kind: &str,
    message: String,
) -> Problem {
    Problem {
        file: component.source.file.clone(),
        line: position.line,
        column: position.column,
        key: format!("{}.{kind}", key_of(setting)),
        message,
        help: None,
        severity: Severity::Error,
    }
}
