//! One text as whatever type a driver's setting has.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::de::value::SeqDeserializer;
use serde::de::{self, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use crate::suggest::listed;

/// The reason why a setting does not fit its type.
#[derive(Debug)]
pub(crate) enum Mistake {
    /// A setting that must be there is not.
    Missing(&'static str),
    /// The value is not of this form; the value itself is left out, as it may be a secret.
    Expected(String),
    /// The words of the type itself, which may repeat the value.
    Other(String),
}

impl Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mistake::Missing(name) => write!(f, "missing `{name}`"),
            Mistake::Expected(what) => write!(f, "expected {what}"),
            Mistake::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<T: Display>(message: T) -> Self {
        Mistake::Other(message.to_string())
    }

    fn invalid_type(_found: Unexpected, expected: &dyn de::Expected) -> Self {
        Mistake::Expected(expected.to_string())
    }

    fn invalid_value(_found: Unexpected, expected: &dyn de::Expected) -> Self {
        Mistake::Expected(expected.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Mistake::Missing(field)
    }
}

/// The text of one setting.
#[derive(Clone, Copy)]
pub(crate) struct Scalar<'a>(pub(crate) &'a str);

impl Scalar<'_> {
    fn number<T: FromStr + Display>(self, least: T, max: T) -> Result<T, Mistake> {
        let text = self.0.trim();
        text.parse().map_err(|_| match text.parse::<i128>() {
            Ok(_) => Mistake::Expected(format!("a whole number from {least} to {max}")),
            Err(_) => Mistake::Expected("a whole number".to_owned()),
        })
    }

    fn real<T: FromStr>(self) -> Result<T, Mistake> {
        self.0
            .trim()
            .parse()
            .map_err(|_| Mistake::Expected("a number".to_owned()))
    }

    /// The words that Dapr takes for true, and their opposites.
    fn boolean(self) -> Result<bool, Mistake> {
        match self.0.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
            _ => Err(Mistake::Expected("`true` or `false`".to_owned())),
        }
    }

    fn character(self) -> Result<char, Mistake> {
        let mut characters = self.0.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => Ok(character),
            _ => Err(Mistake::Expected("one character".to_owned())),
        }
    }
}

impl<'de> IntoDeserializer<'de, Mistake> for Scalar<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Scalar<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_str(self.0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_bool(self.boolean()?)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_u8(self.number(u8::MIN, u8::MAX)?)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_u16(self.number(u16::MIN, u16::MAX)?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_u32(self.number(u32::MIN, u32::MAX)?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_u64(self.number(u64::MIN, u64::MAX)?)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_i8(self.number(i8::MIN, i8::MAX)?)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_i16(self.number(i16::MIN, i16::MAX)?)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_i32(self.number(i32::MIN, i32::MAX)?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_i64(self.number(i64::MIN, i64::MAX)?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_f32(self.real()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_f64(self.real()?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_char(self.character()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    /// A list is written with commas, as Dapr's drivers expect it.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let parts = self
            .0
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        visitor.visit_seq(SeqDeserializer::new(parts.map(Scalar)))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match variants
            .iter()
            .find(|variant| variant.eq_ignore_ascii_case(self.0.trim()))
        {
            Some(variant) => visitor.visit_enum((*variant).into_deserializer()),
            None => Err(Mistake::Expected(format!(
                "one of {}",
                listed(variants.iter().copied())
            ))),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}
