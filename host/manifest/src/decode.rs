//! The name/value list of a component as the configuration type of its driver.

use std::cell::{Cell, RefCell};

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::component::{Component, ITEMS};
use crate::metadata::{Item, Value, key_of};
use crate::name::shown;
use crate::problem::{Problem, Problems, Severity};
use crate::scalar::{Mistake, Scalar};
use crate::suggest::{did_you_mean, listed};

/// Reads the settings of a component into a driver's type, with every mistake in them.
///
/// Texts become what the field is: numbers, booleans, [`crate::Duration`], [`crate::ByteSize`], lists with commas,
/// [`crate::Secret`]. Names are compared without regard to case; a name that the type does not know is an error.
/// Fields of `#[serde(flatten)]` structs are not checked for unknown names, because serde does not tell them.
pub fn decode<C: DeserializeOwned>(component: &Component) -> Result<C, Problems> {
    let unresolved = component.metadata.pending().iter().map(|pending| Problem {
        line: pending.position.line,
        column: pending.position.column,
        ..problem_at(
            component,
            &key_of(&pending.name),
            "the value could not be looked up",
        )
    });
    let unresolved = Problems(unresolved.collect());
    attempt(Attempt::new(component, unresolved))
}

/// The mistakes that [`decode`] finds in the values that are known; the others were told when they were looked up.
pub fn mistakes<C: DeserializeOwned>(component: &Component) -> Problems {
    let attempted = attempt::<C>(Attempt::new(component, Problems::default()));
    attempted.err().unwrap_or_default()
}

fn attempt<C: DeserializeOwned>(mut attempt: Attempt) -> Result<C, Problems> {
    loop {
        match C::deserialize(&attempt) {
            Ok(config) => return attempt.problems.into_inner().into_result(config),
            Err(mistake) => attempt = attempt.after(mistake)?,
        }
    }
}

/// serde stops at the first mistake, so reading is repeated: wrong items are left out and missing ones made up, until
/// all mistakes are known. What is read in a later attempt is thrown away.
struct Attempt<'a> {
    component: &'a Component,
    items: Vec<&'a Item>,
    made_up: Vec<&'static str>,
    left_out: Vec<&'a Item>,
    problems: RefCell<Problems>,
    current: Cell<Option<usize>>,
}

impl<'a> Attempt<'a> {
    fn new(component: &'a Component, unresolved: Problems) -> Self {
        Self {
            component,
            items: component.metadata.iter().collect(),
            made_up: Vec::new(),
            left_out: Vec::new(),
            problems: RefCell::new(unresolved),
            current: Cell::new(None),
        }
    }

    /// The next attempt, or all problems when a further one would teach nothing.
    fn after(mut self, mistake: Mistake) -> Result<Self, Problems> {
        match (mistake, self.current.take()) {
            (Mistake::Missing(field), _) if !self.made_up.contains(&field) => self.make_up(field),
            (mistake, Some(index)) if index < self.items.len() => {
                let item = self.items.remove(index);
                self.left_out.push(item);
                self.add(self.problem_of(item, &wrong_value(&item.value, mistake)));
            }
            (mistake, None) if self.made_up.is_empty() && self.left_out.is_empty() => {
                self.add(problem_at(self.component, ITEMS, &mistake.to_string()));
                return Err(self.problems.into_inner());
            }
            // It is what was made up or left out that the type refuses: no further mistake can be told from that.
            _ => return Err(self.problems.into_inner()),
        }
        Ok(self)
    }

    fn make_up(&mut self, field: &'static str) {
        let same = |name: &str| name.eq_ignore_ascii_case(field);
        let is_known = self.left_out.iter().any(|item| same(&item.name))
            || self
                .component
                .metadata
                .pending()
                .iter()
                .any(|pending| same(&pending.name));
        if !is_known {
            let Component { block, driver, .. } = self.component;
            let message = format!("missing `{field}`: `{block}.{driver}` needs it");
            self.add(problem_at(self.component, ITEMS, &message));
        }
        self.made_up.push(field);
    }

    fn leave_out_unknown(&self, fields: &[&'static str]) {
        let is_unknown = |item: &&&Item| field_of(&item.name, fields).is_none();
        for item in self.items.iter().filter(is_unknown) {
            let problem = self.problem_of(item, &unknown(fields));
            let help = did_you_mean(&item.name, fields.iter().copied());
            let problem = Problem { help, ..problem };
            if !self.problems.borrow().0.contains(&problem) {
                self.add(problem);
            }
        }
    }

    fn problem_of(&self, item: &Item, message: &str) -> Problem {
        let (line, column) = (item.line, item.column);
        Problem {
            line,
            column,
            ..problem_at(self.component, &key_of(&item.name), message)
        }
    }

    fn add(&self, problem: Problem) {
        self.problems.borrow_mut().0.push(problem);
    }
}

fn unknown(fields: &[&'static str]) -> String {
    if fields.is_empty() {
        return "unknown setting; this driver has none".to_owned();
    }
    format!(
        "unknown setting; expected one of {}",
        listed(fields.iter().copied())
    )
}

fn wrong_value(value: &Value, mistake: Mistake) -> String {
    match (value, mistake) {
        (Value::Plain(text), Mistake::Expected(what)) => {
            format!("expected {what}, found `{}`", shown(text))
        }
        (Value::Plain(_), mistake) => mistake.to_string(),
        (Value::Secret(_), Mistake::Expected(what)) => format!("expected {what}, found a secret"),
        (Value::Secret(_), _) => "the secret is not of the form that the driver expects".to_owned(),
    }
}

fn problem_at(component: &Component, key: &str, message: &str) -> Problem {
    Problem {
        file: component.source.file.clone(),
        line: component.source.line,
        column: component.source.column,
        key: key.to_owned(),
        message: message.to_owned(),
        help: None,
        severity: Severity::Error,
    }
}

fn field_of(name: &str, fields: &[&'static str]) -> Option<&'static str> {
    fields
        .iter()
        .copied()
        .find(|field| field.eq_ignore_ascii_case(name))
}

impl<'de> Deserializer<'de> for &Attempt<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_map(Items {
            attempt: self,
            fields: None,
            next: 0,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.leave_out_unknown(fields);
        visitor.visit_map(Items {
            attempt: self,
            fields: Some(fields),
            next: 0,
        })
    }

    /// The configuration of a driver that has no settings.
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.leave_out_unknown(&[]);
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

/// The items as a map; `next` counts through the items and then the made-up ones.
struct Items<'a> {
    attempt: &'a Attempt<'a>,
    fields: Option<&'static [&'static str]>,
    next: usize,
}

impl<'a> Items<'a> {
    fn name(&self, index: usize) -> Option<&'a str> {
        let Some(item) = self.attempt.items.get(index) else {
            return self
                .attempt
                .made_up
                .get(index - self.attempt.items.len())
                .copied();
        };
        Some(
            self.fields
                .and_then(|fields| field_of(&item.name, fields))
                .unwrap_or(&item.name),
        )
    }

    fn is_unknown(&self, name: &str) -> bool {
        self.fields.is_some_and(|fields| !fields.contains(&name))
    }
}

impl<'de> MapAccess<'de> for Items<'_> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mistake> {
        while let Some(name) = self.name(self.next) {
            if !self.is_unknown(name) {
                self.attempt.current.set(Some(self.next));
                return seed.deserialize(StrDeserializer::new(name)).map(Some);
            }
            self.next += 1;
        }
        self.attempt.current.set(None);
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let item = self.attempt.items.get(self.next);
        self.next += 1;
        // Zero is the made-up value, because most types can read it.
        seed.deserialize(Scalar(item.map_or("0", |item| item.value.reveal())))
    }
}
