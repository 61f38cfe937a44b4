//! The number of pieces that are left of each product. Who changes it holds the product's lock, and writes with the
//! lock's token: one who was stopped for too long, and whose lock is another's by now, cannot write over what the other
//! wrote.
use std::time::Duration;

use wythe_sdk::lock::Lease;
use wythe_sdk::state::{PutOptions, Store, Transaction};
use wythe_sdk::{Error, Kind, Result};

use crate::order::{Order, Product};

const LOCKS: &str = "lockstore";
/// A time longer than a few reads and a write take.
const HELD: Duration = Duration::from_secs(10);
const WAIT: Duration = Duration::from_secs(5);

/// The key of what an order has of the stock, under its id.
const TAKEN: &str = "taken";
const GIVEN_BACK: &str = "given back";

/// Takes the goods of an order, all of them or none, once. An error of kind conflict says what there is too little of.
pub fn reserve(store: &Store, order: &Order, products: &[Product]) -> Result<()> {
    let locks = lock(order)?;
    let done = match store.get(&mark(order))? {
        Some(_) => Ok(()),
        None => take(store, order, products, &locks),
    };
    unlock(locks);
    done
}

/// Gives them back, once.
pub fn release(store: &Store, order: &Order) -> Result<()> {
    let locks = lock(order)?;
    let done = match store.get(&mark(order))? {
        Some(entry) if entry.text()? == TAKEN => give_back(store, order, &locks),
        _ => Ok(()),
    };
    unlock(locks);
    done
}

fn take(store: &Store, order: &Order, products: &[Product], locks: &[Lease]) -> Result<()> {
    let mut lefts = Vec::new();
    for line in &order.lines {
        let known = products.iter().find(|known| known.id == line.product);
        // Before the first order it is what the catalog says.
        let left = left(store, &line.product)?.or(known.map(|known| known.stock));
        let left = left.unwrap_or_default();
        let rest = left.checked_sub(line.quantity);
        let none = || Error::conflict(format!("only {left} of `{}` are left", line.name));
        lefts.push(rest.ok_or_else(none)?);
    }
    write(store, order, &lefts, TAKEN, locks)
}

fn give_back(store: &Store, order: &Order, locks: &[Lease]) -> Result<()> {
    let mut lefts = Vec::new();
    for line in &order.lines {
        lefts.push(left(store, &line.product)?.unwrap_or_default() + line.quantity);
    }
    write(store, order, &lefts, GIVEN_BACK, locks)
}

/// The stock and the order's mark in one step, each product behind its lock's token.
fn write(store: &Store, order: &Order, lefts: &[u32], has: &str, locks: &[Lease]) -> Result<()> {
    let mut transaction = Transaction::new().put(&mark(order), has);
    for ((line, left), lease) in order.lines.iter().zip(lefts).zip(locks) {
        let fenced = PutOptions::new().fence(lease.token());
        transaction = transaction.put_with(&key(&line.product), left.to_string(), fenced);
    }
    match store.transact(transaction) {
        Err(error) if error.kind() == Kind::Conflict => Err(Error::unavailable(
            "the lock of a product was lost before its stock was written",
        )),
        result => result.map(drop),
    }
}

/// The locks of an order's products, which stand in one order in each order, so that no two wait for each other.
fn lock(order: &Order) -> Result<Vec<Lease>> {
    let mut locks = Vec::new();
    for line in &order.lines {
        match Lease::acquire(LOCKS, &key(&line.product), HELD, WAIT) {
            Ok(Some(lease)) => locks.push(lease),
            Ok(None) => {
                unlock(locks);
                return Err(Error::unavailable("too many buyers want the same"));
            }
            Err(error) => {
                unlock(locks);
                return Err(error);
            }
        }
    }
    Ok(locks)
}

/// A lock that is not given back ends by itself.
fn unlock(locks: Vec<Lease>) {
    for lease in locks {
        if let Err(error) = lease.release() {
            wythe_sdk::warn!("a lock is not given back: {error}");
        }
    }
}

fn left(store: &Store, product: &str) -> Result<Option<u32>> {
    let Some(entry) = store.get(&key(product))? else {
        return Ok(None);
    };
    let wrong = |_| Error::internal(format!("the stock of `{product}` is no number"));
    entry.text()?.parse().map(Some).map_err(wrong)
}

fn key(product: &str) -> String {
    format!("stock/{product}")
}

fn mark(order: &Order) -> String {
    format!("goods/{}", order.id)
}
