//! Lists in an answer of JSON, of which there may be so many: an item of three bytes takes many more in memory.

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};
use std::{fmt, marker::PhantomData};

/// Reads a list of at most `N` items, for `deserialize_with`; one that is null is empty. More are an error, and are not held.
pub fn few<'de, const N: usize, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(Few::<N, T>(PhantomData))
}

struct Few<const N: usize, T>(PhantomData<T>);

impl<'de, const N: usize, T: Deserialize<'de>> Visitor<'de> for Few<N, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {N} items")
    }

    fn visit_unit<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() == N {
                return Err(A::Error::custom("a list has too many items"));
            }
            items.push(item);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Answer {
        #[serde(default, deserialize_with = "few::<2, _, _>")]
        items: Vec<u8>,
    }

    #[test]
    fn a_list_has_so_many_items_and_no_more() {
        for (text, expected) in [
            ("{}", Some(0)),
            ("{\"items\":null}", Some(0)),
            ("{\"items\":[1,2]}", Some(2)),
            ("{\"items\":[1,2,3]}", None),
            ("{\"items\":{}}", None),
            ("{\"items\":[\"a\"]}", None),
        ] {
            let read = serde_json::from_str::<Answer>(text);
            assert_eq!(
                read.ok().map(|answer| answer.items.len()),
                expected,
                "{text}"
            );
        }
    }
}
