//! Authorizes, charges and refunds cards. Its key is a secret: the one app that may see it signs with it, as a gateway
//! demands.
mod card;

use card::Card;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use wythe_sdk::invocation::{Caller, Handler, Request, Response};
use wythe_sdk::secrets::Secret;
use wythe_sdk::state::Store;
use wythe_sdk::{Error, Result};

struct Payment;

#[derive(Deserialize)]
struct Bill {
    order: String,
    /// The amount in cents.
    amount: u64,
    /// A card's number, where it is to be authorized.
    #[serde(default)]
    card: String,
    /// The proof that it was, where it is to be charged.
    #[serde(default)]
    authorization: String,
}

/// The answer that stands in for a card's number from here on.
#[derive(Serialize)]
struct Authorized {
    authorization: String,
    card: String,
}

/// A charge, one for each order.
#[derive(Clone, Deserialize, Serialize)]
struct Charge {
    charge: String,
    amount: u64,
    refunded: bool,
}

impl Handler for Payment {
    fn handle(_caller: Caller, request: Request) -> Result<Response> {
        let segments = request.segments();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("POST", ["authorizations"]) => Response::from_json(&authorize(&request.json()?)?),
            ("POST", ["charges"]) => Response::from_json(&charge(&request.json()?)?),
            ("POST", ["charges", order, "refund"]) => Response::from_json(&refund(order)?),
            (method, _) => Err(Error::not_found(format!(
                "the payment has no {method} {}",
                request.path
            ))),
        }
    }
}

fn authorize(bill: &Bill) -> Result<Authorized> {
    let card = Card::parse(&bill.card).map_err(Error::invalid)?;
    Ok(Authorized {
        authorization: sign(&key()?, "authorization", bill),
        card: card.shown(),
    })
}

/// Charges a bill: asked for twice, it is one; and what was refunded stays so.
fn charge(bill: &Bill) -> Result<Charge> {
    let key = key()?;
    if !verify(&key, bill) {
        return Err(Error::invalid("the card is not authorized for this order"));
    }
    let charge = Charge {
        charge: sign(&key, "charge", bill),
        amount: bill.amount,
        refunded: false,
    };
    Store::open("statestore")?
        .update_json(&row(&bill.order), |known| known.unwrap_or(charge.clone()))
}

fn refund(order: &str) -> Result<Charge> {
    let (store, row) = (Store::open("statestore")?, row(order));
    let charge: Option<Charge> = store.get_json(&row)?;
    let charge = charge.ok_or_else(|| Error::not_found(format!("no charge for `{order}`")))?;
    store.update_json(&row, |known| Charge {
        refunded: true,
        ..known.unwrap_or(charge.clone())
    })
}

fn row(order: &str) -> String {
    format!("charge/{order}")
}

fn key() -> Result<Vec<u8>> {
    let secret = Secret::get("payments", "gateway-key")?;
    let secret = secret.ok_or_else(|| Error::unavailable("the gateway's key is not there"))?;
    Ok(secret.reveal_text()?.into_bytes())
}

/// HMAC-SHA256 over what it is for, order and amount.
fn mac(key: &[u8], purpose: &str, bill: &Bill) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(format!("{purpose}|{}|{}", bill.order, bill.amount).as_bytes());
    mac
}

/// The signature in hex.
fn sign(key: &[u8], purpose: &str, bill: &Bill) -> String {
    let tag = mac(key, purpose, bill).finalize().into_bytes();
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Verifies an authorization in a time that tells nothing of where it differs.
fn verify(key: &[u8], bill: &Bill) -> bool {
    let digits = bill.authorization.as_bytes().chunks(2);
    let bytes = digits.map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    let tag: Option<Vec<u8>> = bytes.collect();
    tag.is_some_and(|tag| mac(key, "authorization", bill).verify_slice(&tag).is_ok())
}

wythe_sdk::invocable!(Payment);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authorization_is_for_one_order_and_amount() {
        let bill = |order: &str, amount, authorization: &str| Bill {
            order: order.to_owned(),
            amount,
            card: String::new(),
            authorization: authorization.to_owned(),
        };
        let proof = sign(b"key", "authorization", &bill("17", 100, ""));
        assert_eq!(proof.len(), 64);
        assert!(verify(b"key", &bill("17", 100, &proof)));
        assert!(!verify(b"other", &bill("17", 100, &proof)));
        assert!(!verify(b"key", &bill("17", 101, &proof)));
        assert!(!verify(b"key", &bill("18", 100, &proof)));
        for wrong in ["", "é", "0", "zz", &proof[1..]] {
            assert!(!verify(b"key", &bill("17", 100, wrong)), "{wrong}");
        }
        let charge = sign(b"key", "charge", &bill("17", 100, ""));
        assert!(!verify(b"key", &bill("17", 100, &charge)));
    }
}
