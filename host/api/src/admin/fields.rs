//! A command read from a flat object: its fields and those of its action, both named by a path.
//!
//! Nothing is buffered: a command that has its action in a field reads the object twice, first for its own fields and
//! then for those of the action. What no type knows is skipped or refused, and never held.

use super::wire::ACTION;
use serde::{
    de::{
        DeserializeSeed, Deserializer, EnumAccess, Error as _, IgnoredAny, IntoDeserializer,
        MapAccess, VariantAccess, Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};
use serde_json::Error;
use std::{borrow::Cow, fmt};

/// An object of which a part is read.
#[derive(Clone, Copy)]
pub struct Fields<'de> {
    /// The names of variants, the outer one first.
    names: &'de [&'static str],
    body: &'de [u8],
    /// The fields that were read before.
    read: &'static [&'static str],
}

impl<'de> Fields<'de> {
    pub fn new(names: &'de [&'static str], body: &'de [u8]) -> Self {
        let read = &[];
        Fields { names, body, read }
    }
}

impl<'de> Deserializer<'de> for Fields<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("a type that is no object"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut json = serde_json::Deserializer::from_slice(self.body);
        let value = json.deserialize_map(Part {
            fields: self,
            known,
            visitor,
        })?;
        json.end()?;
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Fields<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let missing = || Error::custom("the path has too few names");
        let (name, names) = self.names.split_first().ok_or_else(missing)?;
        let name: StrDeserializer<'_, Error> = name.into_deserializer();
        Ok((seed.deserialize(name)?, Fields { names, ..self }))
    }
}

impl<'de> VariantAccess<'de> for Fields<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.deserialize_struct("", &[], Nothing)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_struct("", known, visitor)
    }
}

/// Reads an object that has no more fields.
struct Nothing;

impl<'de> Visitor<'de> for Nothing {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no more fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        match map.next_key::<Cow<'de, str>>()? {
            Some(field) => Err(A::Error::unknown_field(&field, &[])),
            None => Ok(()),
        }
    }
}

/// The part of an object that a visitor knows.
struct Part<'de, V> {
    fields: Fields<'de>,
    known: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Part<'de, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the fields of the command")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let fields = Fields {
            read: self.known,
            ..self.fields
        };
        let has_action = self.known.contains(&ACTION);
        self.visitor.visit_map(Picked {
            read: self.fields.read,
            known: self.known,
            action: has_action.then_some(fields),
            is_over: false,
            map,
        })
    }
}

/// The fields of a type, and then its action, if one of them has it.
struct Picked<'de, A> {
    read: &'static [&'static str],
    known: &'static [&'static str],
    /// The action, which comes last; absent once it was there.
    action: Option<Fields<'de>>,
    /// The object has no more fields.
    is_over: bool,
    map: A,
}

impl<A> Picked<'_, A> {
    /// Returns whether somebody else reads this field.
    fn skips(&self, field: &str) -> bool {
        let is = |known: &&str| *known == field;
        self.read.iter().any(is) || self.action.is_some() && !self.known.iter().any(is)
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Picked<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(field) = self.map.next_key::<Cow<'de, str>>()? {
            if self.skips(&field) {
                self.map.next_value::<IgnoredAny>()?;
            } else if self.action.is_some() && field == ACTION {
                return Err(A::Error::unknown_field(ACTION, &[]));
            } else {
                return seed.deserialize(field.into_deserializer()).map(Some);
            }
        }
        self.is_over = true;
        let action: StrDeserializer<'_, A::Error> = ACTION.into_deserializer();
        let action = self.action.is_some().then_some(action);
        action.map(|action| seed.deserialize(action)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.action.take_if(|_| self.is_over) {
            Some(action) => seed.deserialize(action).map_err(A::Error::custom),
            None => self.map.next_value_seed(seed),
        }
    }
}
