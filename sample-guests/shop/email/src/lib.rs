//! Writes to the buyer of each order, hands the letter to the mail binding, and shows what it wrote in an outbox.
mod page;

use serde::{Deserialize, Serialize};
use wythe_sdk::pubsub::{Delivery, Subscriber, Subscription, Verdict};
use wythe_sdk::state::{PutOptions, Store};
use wythe_sdk::{Error, Kind, Result, bindings, http};

struct Email;

/// A letter as it lies in the outbox.
#[derive(Debug, Deserialize, Serialize)]
struct Letter {
    to: String,
    subject: String,
    text: String,
    order: String,
    /// Milliseconds since 1970.
    time: u64,
    /// True if the mail server has it.
    sent: bool,
}

#[derive(Deserialize)]
struct Order {
    id: String,
    tracking: String,
    email: String,
    address: String,
    lines: Vec<Line>,
    total: u64,
}

#[derive(Deserialize)]
struct Line {
    name: String,
    quantity: u32,
}

impl Subscriber for Email {
    fn subscriptions() -> Vec<Subscription> {
        vec![
            Subscription::to("pubsub", "checkout")
                .route("event.type == \"shop.order.placed\"", "order"),
        ]
    }

    fn on_event(event: Delivery) -> Verdict {
        write(&event).into()
    }
}

/// An event may come more than once. The letter that is in the outbox already is the one that is sent, and it is sent
/// again only where nobody knows that the mail server has it.
fn write(event: &Delivery) -> Result<()> {
    let id = event
        .id()
        .ok_or_else(|| Error::invalid("the event has no id"))?;
    let letter = letter(&event.json()?, event.time);
    let (store, key) = (Store::open("statestore")?, format!("letter/{id}"));
    let once = PutOptions::new().if_absent();
    let mut letter = match store.put_json_with(&key, &letter, once) {
        Err(error) if error.kind() == Kind::Conflict => store.get_json(&key)?.ok_or(error)?,
        result => result.map(|_| letter)?,
    };
    if letter.sent {
        wythe_sdk::info!("order {id} has its letter already");
        return Ok(());
    }
    send(&letter)?;
    letter.sent = true;
    store.put_json(&key, &letter).map(drop)
}

/// Sends a letter; where to is the component's business: a mail server, or the memory of a host that has none.
fn send(letter: &Letter) -> Result<()> {
    let metadata = [
        ("emailTo", letter.to.as_str()),
        ("subject", letter.subject.as_str()),
    ];
    bindings::invoke("mail", "create", &letter.text, &metadata).map(drop)
}

fn letter(order: &Order, time: u64) -> Letter {
    let lines: String = order
        .lines
        .iter()
        .map(|line| format!("  {} x {}\n", line.quantity, line.name))
        .collect();
    let total = format!("{}.{:02}", order.total / 100, order.total % 100);
    Letter {
        to: order.email.clone(),
        subject: format!("Your order {}", order.id),
        text: format!(
            "Thank you for your order.\n\n{lines}\nTotal: {total} EUR\nTracking: {}\n\nWe send it to:\n{}\n",
            order.tracking, order.address
        ),
        order: order.id.clone(),
        time,
        sent: false,
    }
}

impl http::Handler for Email {
    fn handle(request: http::Request) -> Result<http::Response> {
        if (request.method(), request.path()) != ("GET", "/outbox") {
            return Err(Error::not_found(format!(
                "there is no {} {}",
                request.method(),
                request.path()
            )));
        }
        let mut letters = Vec::new();
        for entry in Store::open("statestore")?.list("letter/") {
            letters.push(entry?.1.json::<Letter>()?);
        }
        letters.sort_by_key(|letter| std::cmp::Reverse(letter.time));
        match request.header("accept") {
            Some(accept) if accept.contains("text/html") => Ok(page::outbox(&letters)),
            _ => http::Response::json(&letters),
        }
    }
}

wythe_sdk::serve!(Email);
wythe_sdk::subscribe!(Email);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_names_what_was_bought() {
        let order = Order {
            id: "17".to_owned(),
            tracking: "WY-1".to_owned(),
            email: "ada@example.com".to_owned(),
            address: "1 Lane".to_owned(),
            lines: vec![Line {
                name: "Spirit level".to_owned(),
                quantity: 2,
            }],
            total: 8305,
        };
        let letter = letter(&order, 5);
        assert_eq!(letter.subject, "Your order 17");
        for part in [
            "  2 x Spirit level\n",
            "Total: 83.05 EUR\n",
            "Tracking: WY-1\n",
            "1 Lane\n",
        ] {
            assert!(letter.text.contains(part), "{part}");
        }
    }
}
