//! An event as CEL sees it: built once from borrowed bytes, with a bound on the values in its data.

use crate::pubsub::Event;
use cel::common::{
    types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt},
    value::Val,
};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::{cell::Cell, collections::HashMap, fmt};

/// Values in an event's data: each takes some hundred bytes while rules look at it.
const MAX_VALUES: usize = 100_000;
const TOO_MANY: &str = "the event's data has more than 100000 values";

type Boxed<'v> = Box<dyn Val + 'v>;

/// The variable `event`, and why it lacks `data` if it does.
pub(super) fn attributes<'v>(
    event: &'v Event,
    source: &'v str,
    topic: &'v str,
    with_data: bool,
) -> (Boxed<'v>, Option<&'static str>) {
    let mut map: HashMap<CelMapKey<'v>, Boxed<'v>> = HashMap::new();
    for (name, value) in &event.extensions {
        map.insert(name.as_str().into(), text(value));
    }
    let absent = |value: &'v Option<String>| value.as_deref().map_or(Box::new(CelNull) as _, text);
    map.insert("id".into(), absent(&event.id));
    map.insert("type".into(), text(&event.kind));
    map.insert("source".into(), text(source));
    map.insert("topic".into(), text(topic));
    map.insert("subject".into(), absent(&event.subject));
    map.insert("datacontenttype".into(), text(&event.content_type));
    let mut lacks = None;
    if with_data {
        match data(&event.data) {
            Ok(data) => drop(map.insert("data".into(), data)),
            Err(why) => lacks = Some(why),
        }
    }
    (Box::new(CelMap::from(map)), lacks)
}

fn text(text: &str) -> Boxed<'_> {
    Box::new(CelString::from(text))
}

/// JSON as it is, else text. JSON that nests deeper than 128 levels is text.
fn data(bytes: &[u8]) -> Result<Boxed<'_>, &'static str> {
    let left = Cell::new(MAX_VALUES);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = Json { left: &left }.deserialize(&mut json);
    let read = read.and_then(|value| json.end().map(|()| value));
    match read {
        Ok(value) => Ok(value),
        Err(_) if left.get() == 0 => Err(TOO_MANY),
        Err(_) => Ok(Box::new(CelString::from(String::from_utf8_lossy(bytes)))),
    }
}

/// JSON has one kind of number and CEL three: whole numbers become `int`, so that they meet literals such as `2`.
#[derive(Clone, Copy)]
struct Json<'c> {
    left: &'c Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Json<'_> {
    type Value = Boxed<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Boxed<'de>, D::Error> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.unwrap_or(0));
        match left {
            Some(1..) => json.deserialize_any(self),
            _ => {
                self.left.set(0);
                Err(D::Error::custom(TOO_MANY))
            }
        }
    }
}

impl<'de> Visitor<'de> for Json<'_> {
    type Value = Boxed<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Boxed<'de>, E> {
        Ok(Box::new(CelNull))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Boxed<'de>, E> {
        Ok(Box::new(CelBool::from(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Boxed<'de>, E> {
        Ok(Box::new(CelInt::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Boxed<'de>, E> {
        match i64::try_from(value) {
            Ok(int) => Ok(Box::new(CelInt::from(int))),
            Err(_) => Ok(Box::new(CelUInt::from(value))),
        }
    }

    fn visit_f64<E>(self, value: f64) -> Result<Boxed<'de>, E> {
        Ok(Box::new(CelDouble::from(value)))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Boxed<'de>, E> {
        Ok(text(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Boxed<'de>, E> {
        Ok(Box::new(CelString::from(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Boxed<'de>, A::Error> {
        let mut list: Vec<Boxed<'de>> = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Box::new(CelList::from(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Boxed<'de>, A::Error> {
        let mut map: HashMap<CelMapKey<'de>, Boxed<'de>> = HashMap::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(self)?;
            map.insert(name.into(), value);
        }
        Ok(Box::new(CelMap::from(map)))
    }
}
