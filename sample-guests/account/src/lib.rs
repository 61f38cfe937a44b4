//! A bank: each account is an actor. `POST /accounts/ada/deposit?amount=100`, `withdraw`, `transfer?to=bob&amount=5`,
//! `interest?percent=1&every=60000`, `partner?id=bob`, `borrow?from=bank&amount=9`; `GET /accounts/ada` and
//! `/accounts/ada/wealth`. The variable `ACCOUNTS` may be `warm`, `reentrant` or both.
//!
//! A turn changes one account and no other. So a transfer is two turns: the first takes the amount and sends an event, both
//! or neither; the event comes to the other account at least once, which takes it in once, by the event's id.
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use wythe_sdk::actors::{self, Actor, Context, Options, Wake};
use wythe_sdk::pubsub::{Delivery, Event, Subscriber, Subscription, Verdict};
use wythe_sdk::{Error, Result, http};

/// The time that an account remembers which transfers it took in; a broker that brings one again does so sooner.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
const TRANSFER: &str = "bank.transfer";

/// A count that an instance holds beside the struct: gone with it.
static TURNS: AtomicU32 = AtomicU32::new(0);

#[derive(Default, Serialize, Deserialize)]
struct Account {
    balance: u64,
    partner: Option<String>,
    /// The number of times that interest was paid.
    interest: u32,
}

#[derive(Serialize, Deserialize)]
struct Transfer {
    from: String,
    to: String,
    amount: u64,
}

impl Account {
    fn balance(&mut self, _: &Context) -> Result<u64> {
        Ok(self.balance)
    }

    fn statement(&mut self, context: &Context) -> Result<serde_json::Value> {
        let turns = TURNS.fetch_add(1, Relaxed) + 1;
        Ok(json!({
            "id": context.id(),
            "balance": self.balance,
            "interest": self.interest,
            "turns_of_this_instance": turns,
        }))
    }

    fn deposit(&mut self, _: &Context, amount: u64) -> Result<u64> {
        let sum = self.balance.checked_add(amount);
        self.balance = sum.ok_or_else(|| Error::invalid("nobody has so much"))?;
        Ok(self.balance)
    }

    fn withdraw(&mut self, context: &Context, amount: u64) -> Result<u64> {
        let rest = self.balance.checked_sub(amount);
        self.balance = rest.ok_or_else(|| {
            let (id, balance) = (context.id(), self.balance);
            Error::conflict(format!("account `{id}` has {balance}, not {amount}"))
        })?;
        Ok(self.balance)
    }

    fn transfer(&mut self, context: &Context, transfer: Transfer) -> Result<u64> {
        if transfer.to == context.id() {
            return Err(Error::invalid("a transfer goes to another account"));
        }
        let rest = self.withdraw(context, transfer.amount)?;
        let event = Event::json(TRANSFER, &transfer)?.with_ordering_key(&transfer.to);
        context.publish("pubsub", "transfers", &event)?;
        Ok(rest)
    }

    /// The other half of a transfer, under the id of its event.
    fn receive(&mut self, context: &Context, (id, amount): (String, u64)) -> Result<u64> {
        let seen = format!("received/{id}");
        if context.get(&seen)?.is_some() {
            return Ok(self.balance);
        }
        context.put_for(&seen, "", REMEMBERED)?;
        self.deposit(context, amount)
    }

    fn charge_interest(&mut self, context: &Context, (percent, every): (u64, u64)) -> Result<()> {
        let wake = Wake::every(Duration::from_millis(every)).data_json(&percent)?;
        context.set_reminder("interest", &wake)
    }

    fn partner(&mut self, _: &Context, id: String) -> Result<()> {
        self.partner = Some(id);
        Ok(())
    }

    /// The balance with that of the partner, which is asked within this turn: two that are each other's partner would
    /// wait for ever, and are refused.
    fn wealth(&mut self, _: &Context) -> Result<u64> {
        let partner = self.partner.as_ref();
        let theirs = partner.map_or(Ok(0), |id| actors::call(Self::TYPE, id, "wealth", &()))?;
        Ok(self.balance + theirs)
    }

    /// The lender asks back what the account has, which is a call into this turn: it needs a type that is reentrant.
    fn borrow(&mut self, context: &Context, (from, amount): (String, u64)) -> Result<u64> {
        self.deposit(context, amount)?;
        context.call_out(self, (Self::TYPE, &from), "approve", context.id())
    }

    fn approve(&mut self, context: &Context, borrower: String) -> Result<u64> {
        let balance: u64 = actors::call(Self::TYPE, &borrower, "balance", &())?;
        if balance > self.balance {
            let lender = context.id();
            return Err(Error::denied(format!(
                "`{lender}` lends nothing to the rich"
            )));
        }
        Ok(balance)
    }

    /// A turn that has changed something, and then fails.
    fn rob(&mut self, _: &Context) -> Result<()> {
        self.balance = 0;
        Err(Error::denied("the vault is closed"))
    }
}

impl Actor for Account {
    const TYPE: &str = "account";

    fn options() -> Options {
        let wanted = std::env::var("ACCOUNTS").unwrap_or_default();
        let mut options = Options::new();
        if wanted.contains("warm") {
            options = options.warm();
        }
        if wanted.contains("reentrant") {
            options = options.reentrant();
        }
        options
    }

    fn on_reminder(&mut self, context: &Context, _: &str, data: &[u8]) -> Result<()> {
        let percent: u64 = serde_json::from_slice(data)?;
        let amount = self.balance / 100 * percent;
        self.interest += 1;
        self.deposit(context, amount).map(drop)
    }
}

struct App;

impl Subscriber for App {
    fn subscriptions() -> Vec<Subscription> {
        vec![Subscription::to("pubsub", "transfers")]
    }

    fn on_event(delivery: Delivery) -> Verdict {
        let Some(id) = delivery.event.id.clone() else {
            // Without an id nobody knows whether it was taken in already.
            wythe_sdk::warn!("a transfer waits: this host does not know who sent it");
            return Verdict::Retry(Some(10_000));
        };
        let received = delivery.json::<Transfer>().and_then(|transfer| {
            let input = (id, transfer.amount);
            actors::call::<_, u64>(Account::TYPE, &transfer.to, "receive", &input)
        });
        match received {
            Ok(_) => Verdict::Ack,
            Err(error) => {
                wythe_sdk::warn!("a transfer waits: {error}");
                Verdict::Retry(None)
            }
        }
    }
}

impl http::Handler for App {
    fn handle(request: http::Request) -> Result<http::Response> {
        let (segments, query) = (request.segments(), request.query());
        let parts: Vec<_> = segments.iter().map(String::as_str).collect();
        let number = |name: &str| {
            let number = query.number(name);
            number.ok_or_else(|| Error::invalid(format!("`{name}` is missing, or no number")))
        };
        let call = |id: &str, method: &str, input: serde_json::Value| {
            let answer: serde_json::Value = actors::call(Account::TYPE, id, method, &input)?;
            http::Response::json(&answer)
        };
        match (request.method(), parts.as_slice()) {
            ("GET", ["accounts", id]) => call(id, "statement", json!(null)),
            ("GET", ["accounts", id, "wealth"]) => call(id, "wealth", json!(null)),
            ("POST", ["accounts", id, method @ ("deposit" | "withdraw")]) => {
                call(id, method, json!(number("amount")?))
            }
            ("POST", ["accounts", id, "transfer"]) => {
                let to = query.get("to").unwrap_or_default().to_owned();
                let (from, amount) = ((*id).to_owned(), number("amount")?);
                call(id, "transfer", json!(Transfer { from, to, amount }))
            }
            ("POST", ["accounts", id, "interest"]) => {
                let input = json!((number("percent")?, number("every")?));
                call(id, "charge_interest", input)
            }
            ("POST", ["accounts", id, "partner"]) => call(id, "partner", json!(query.get("id"))),
            ("POST", ["accounts", id, "borrow"]) => {
                let from = query.get("from").unwrap_or_default();
                call(id, "borrow", json!((from, number("amount")?)))
            }
            ("POST", ["accounts", id, "rob"]) => call(id, "rob", json!(null)),
            (method, _) => Err(Error::not_found(format!(
                "nothing at {method} {}",
                request.path()
            ))),
        }
    }
}

wythe_sdk::serve!(App);
wythe_sdk::subscribe!(App);
wythe_sdk::act!(App: Account {
    balance,
    statement,
    deposit,
    withdraw,
    transfer,
    receive,
    charge_interest,
    partner,
    wealth,
    borrow,
    approve,
    rob,
});
