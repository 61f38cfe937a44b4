//! Receipts: kept encrypted with a key that this app never sees, and decrypted when the buyer asks.
use std::fmt::Write;

use wythe_sdk::crypto::Key;
use wythe_sdk::state::{Store, Transaction};
use wythe_sdk::{Error, Result};

use crate::order::Order;

const COMPONENT: &str = "keys";
const KEY: &str = "receipts";

/// Adds the order's receipt to what is written with it.
pub fn write(transaction: Transaction, order: &Order) -> Result<Transaction> {
    let sealed = Key::open(COMPONENT, KEY)?.encrypt(text(order))?;
    Ok(transaction.put(&key(&order.id), sealed))
}

pub fn read(store: &Store, id: &str) -> Result<String> {
    let entry = store.get(&key(id))?;
    let entry =
        entry.ok_or_else(|| Error::not_found(format!("there is no receipt for order `{id}`")))?;
    let plain = Key::open(COMPONENT, KEY)?.decrypt(&entry.value)?;
    String::from_utf8(plain)
        .map_err(|_| Error::internal(format!("the receipt of order `{id}` is no text")))
}

fn key(id: &str) -> String {
    format!("receipt/{id}")
}

fn text(order: &Order) -> String {
    let mut text = format!("Receipt for order {}\n\n", order.id);
    for line in &order.lines {
        let sum = u64::from(line.price) * u64::from(line.quantity);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:>3} x {:<30} {:>10}",
            line.quantity,
            line.name,
            euro(sum)
        );
    }
    let _ = writeln!(
        text,
        "\nTotal {} EUR\nPaid by card {}\nCharge {}",
        euro(order.total),
        order.card,
        order.charge
    );
    text
}

fn euro(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
