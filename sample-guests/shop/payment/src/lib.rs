//! Charges cards. Its key is a secret: the one app that may see it signs each charge with it, as a gateway demands.
mod card;

use card::Card;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use wythe_sdk::invocation::{Caller, Handler, Request, Response};
use wythe_sdk::secrets::Secret;
use wythe_sdk::{Error, Result};

struct Payment;

#[derive(Deserialize)]
struct Charge {
    order: String,
    card: String,
    /// In cents.
    amount: u64,
}

#[derive(Serialize)]
struct Charged {
    /// The same for the same order and amount: a charge that is asked for twice is one.
    charge: String,
    card: String,
}

impl Handler for Payment {
    fn handle(_caller: Caller, request: Request) -> Result<Response> {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/charges") => {
                let charge: Charge = request.json()?;
                let card = Card::parse(&charge.card).map_err(Error::invalid)?;
                Response::from_json(&Charged {
                    charge: sign(key()?.as_bytes(), &charge),
                    card: card.shown(),
                })
            }
            (method, path) => Err(Error::not_found(format!(
                "the payment has no {method} {path}"
            ))),
        }
    }
}

fn key() -> Result<String> {
    let secret = Secret::get("payments", "gateway-key")?;
    let secret = secret.ok_or_else(|| Error::unavailable("the gateway's key is not there"))?;
    secret.reveal_text()
}

/// HMAC-SHA256 over order and amount, in hex.
fn sign(key: &[u8], charge: &Charge) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(format!("{}|{}", charge.order, charge.amount).as_bytes());
    let tag = mac.finalize().into_bytes();
    tag.iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

wythe_sdk::invocable!(Payment);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_depends_on_key_order_and_amount() {
        let charge = |order: &str, amount| Charge {
            order: order.to_owned(),
            card: String::new(),
            amount,
        };
        let first = sign(b"key", &charge("17", 100));
        assert_eq!(first.len(), 32);
        assert_eq!(first, sign(b"key", &charge("17", 100)));
        assert_ne!(first, sign(b"key", &charge("17", 101)));
        assert_ne!(first, sign(b"key", &charge("18", 100)));
        assert_ne!(first, sign(b"other", &charge("17", 100)));
    }
}
