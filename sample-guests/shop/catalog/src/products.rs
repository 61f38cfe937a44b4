//! The products as the configuration has them: items such as `trowel.price`, one product for each first part.
use std::collections::BTreeMap;

use serde::Serialize;

use crate::pictures;

#[derive(Debug, Serialize)]
pub struct Product {
    pub id: String,
    pub name: String,
    pub description: String,
    /// The price in cents.
    pub price: u32,
    /// The number of pieces at the start.
    pub stock: u32,
    /// An SVG document.
    pub picture: &'static str,
}

/// Reads the products in the order of their names; then what is wrong with each that lacks something, which is not
/// sold.
pub fn read<'a>(items: impl Iterator<Item = (&'a str, &'a str)>) -> (Vec<Product>, Vec<String>) {
    let mut found: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for (key, value) in items {
        if let Some((id, field)) = key.split_once('.') {
            found.entry(id).or_default().insert(field, value);
        }
    }
    let (mut products, mut faults) = (Vec::new(), Vec::new());
    for (id, fields) in &found {
        match product(id, fields) {
            Ok(product) => products.push(product),
            Err(field) => faults.push(format!("`{id}` is not sold: it has no good `{field}`")),
        }
    }
    products.sort_by(|a, b| a.name.cmp(&b.name));
    (products, faults)
}

/// An error is the field that is missing or wrong.
fn product(id: &str, fields: &BTreeMap<&str, &str>) -> Result<Product, &'static str> {
    let text = |field| {
        fields
            .get(field)
            .map(|text| (*text).to_owned())
            .ok_or(field)
    };
    let number = |field| {
        fields
            .get(field)
            .and_then(|text| text.parse().ok())
            .ok_or(field)
    };
    Ok(Product {
        id: id.to_owned(),
        name: text("name")?,
        description: text("description")?,
        price: number("price")?,
        stock: number("stock")?,
        picture: pictures::of(id),
    })
}

impl Product {
    /// Every word must occur in the name or in the description.
    pub fn matches(&self, wanted: &str) -> bool {
        let text = format!("{} {}", self.name, self.description).to_lowercase();
        wanted.split_whitespace().all(|word| text.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEMS: [(&str, &str); 9] = [
        ("level.description", "Beech and brass"),
        ("level.name", "Spirit level"),
        ("level.price", "4150"),
        ("level.stock", "18"),
        ("brick.description", "Fired in wood smoke"),
        ("brick.name", "Handmade brick"),
        ("brick.price", "190"),
        ("brick.stock", "4000"),
        ("lamp.name", "A lamp without a price"),
    ];

    #[test]
    fn items_make_products_in_the_order_of_names() {
        let (products, faults) = read(ITEMS.into_iter());
        assert_eq!(faults, ["`lamp` is not sold: it has no good `description`"]);
        let names: Vec<_> = products
            .iter()
            .map(|product| product.name.as_str())
            .collect();
        assert_eq!(names, ["Handmade brick", "Spirit level"]);
        assert_eq!((products[1].price, products[1].stock), (4150, 18));
    }

    #[test]
    fn what_is_not_a_number_is_no_price() {
        let wrong = [
            ("a.name", "A"),
            ("a.description", ""),
            ("a.price", "1,50"),
            ("a.stock", "1"),
        ];
        let (products, faults) = read(wrong.into_iter());
        assert!(products.is_empty());
        assert_eq!(faults, ["`a` is not sold: it has no good `price`"]);
    }

    #[test]
    fn searches_for_all_words_in_any_case() {
        let (products, _) = read(ITEMS.into_iter());
        let count = |wanted: &str| {
            products
                .iter()
                .filter(|product| product.matches(wanted))
                .count()
        };
        assert_eq!(
            (count(""), count("brass beech"), count("zeppelin")),
            (2, 1, 0)
        );
    }

    #[test]
    fn each_product_of_the_shop_has_its_picture() {
        let other = pictures::of("something new");
        for id in [
            "trowel", "brick", "plumb", "level", "twine", "chisel", "gloves", "bucket", "flask",
        ] {
            assert_ne!(pictures::of(id), other, "{id}");
        }
    }
}
