//! How many of each product are left. Who changes it holds the product's lock, and writes with the lock's token: one
//! who was stopped for too long, and whose lock is another's by now, cannot write over what the other wrote.
use std::time::Duration;

use wythe_sdk::lock::Lease;
use wythe_sdk::state::{PutOptions, Store, Transaction};
use wythe_sdk::{Error, Result};

use crate::order::{Line, Product};

const LOCKS: &str = "lockstore";
/// Longer than any payment takes.
const HELD: Duration = Duration::from_secs(10);
const WAIT: Duration = Duration::from_secs(5);

/// The locks of some products, and what is left of each.
pub struct Reserved {
    parts: Vec<Part>,
}

struct Part {
    product: String,
    lease: Lease,
    left: u32,
}

impl Reserved {
    /// Locks the products of these lines and takes the quantities off. Nothing is written yet. The inner error is what
    /// to tell the buyer.
    pub fn take(
        store: &Store,
        lines: &[Line],
        products: &[Product],
    ) -> Result<Result<Self, String>> {
        let mut wanted: Vec<_> = lines.iter().collect();
        // In one order, so that two checkouts never wait for each other.
        wanted.sort_by(|a, b| a.product.cmp(&b.product));
        let mut reserved = Reserved { parts: Vec::new() };
        for line in wanted {
            let taken = Part::take(store, line, products);
            match taken {
                Ok(Ok(part)) => reserved.parts.push(part),
                Ok(Err(fault)) => {
                    reserved.release();
                    return Ok(Err(fault));
                }
                Err(error) => {
                    reserved.release();
                    return Err(error);
                }
            }
        }
        Ok(Ok(reserved))
    }

    /// The writes that make it so, each with its lock's token.
    pub fn write(&self, transaction: Transaction) -> Transaction {
        self.parts.iter().fold(transaction, |transaction, part| {
            let fenced = PutOptions::new().fence(part.lease.token());
            transaction.put_with(&key(&part.product), part.left.to_string(), fenced)
        })
    }

    /// Lets others at the products. A lock that is not given back ends by itself.
    pub fn release(self) {
        for part in self.parts {
            if let Err(error) = part.lease.release() {
                wythe_sdk::warn!("the lock of `{}` is not given back: {error}", part.product);
            }
        }
    }
}

impl Part {
    fn take(store: &Store, line: &Line, products: &[Product]) -> Result<Result<Self, String>> {
        let name = key(&line.product);
        let lease = Lease::acquire(LOCKS, &name, HELD, WAIT)?;
        let lease =
            lease.ok_or_else(|| Error::unavailable("too many buyers want the same; try again"))?;
        let left = match left(store, &line.product, products) {
            Ok(left) => left,
            Err(error) => {
                lease.release()?;
                return Err(error);
            }
        };
        match left.checked_sub(line.quantity) {
            Some(left) => Ok(Ok(Part {
                product: line.product.clone(),
                lease,
                left,
            })),
            None => {
                lease.release()?;
                Ok(Err(format!("only {left} of `{}` are left", line.name)))
            }
        }
    }
}

/// What the last order left; before the first one, what the catalog says.
fn left(store: &Store, product: &str, products: &[Product]) -> Result<u32> {
    if let Some(entry) = store.get(&key(product))? {
        let number = entry.text()?.parse();
        return number
            .map_err(|_| Error::internal(format!("the stock of `{product}` is no number")));
    }
    let known = products.iter().find(|known| known.id == product);
    Ok(known.map_or(0, |known| known.stock))
}

fn key(product: &str) -> String {
    format!("stock/{product}")
}
