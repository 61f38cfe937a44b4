//! A mailbox in memory: what is created is delivered to the app that listens, again and again until it takes it.
//!
//! Metadata: `capacity` (default 1000) is how many messages it holds.
use std::collections::VecDeque;

use wythe_sdk::plugin::bindings::{
    Answer, Delivery, InputBindingDriver, Outcome, OutputBindingDriver,
};
use wythe_sdk::plugin::{Metadata, Plugin};
use wythe_sdk::{Error, Kind, Result};

struct Mailbox {
    capacity: usize,
    /// The number of the next message.
    next: u64,
    waiting: VecDeque<Message>,
    /// With the app; its number is its receipt.
    out: Vec<Message>,
}

struct Message {
    number: u64,
    data: Vec<u8>,
    metadata: Vec<(String, String)>,
    attempt: u32,
}

impl Plugin for Mailbox {
    fn init(_component: &str, metadata: Metadata) -> Result<Self> {
        metadata.only(&["capacity"])?;
        Ok(Self {
            capacity: metadata.number("capacity", 1000)?,
            next: 0,
            waiting: VecDeque::new(),
            out: Vec::new(),
        })
    }
}

impl OutputBindingDriver for Mailbox {
    fn operations(&self) -> Vec<String> {
        ["count", "create"].map(str::to_owned).to_vec()
    }

    fn invoke(&mut self, operation: &str, data: Vec<u8>, metadata: Metadata) -> Result<Outcome> {
        let held = self.waiting.len() + self.out.len();
        if operation == "count" {
            return Ok(told(held.to_string()));
        }
        if held >= self.capacity {
            let message = format!("the mailbox is full: it holds {held}");
            return Err(Error::new(Kind::Exhausted, message));
        }
        let number = self.next;
        self.next += 1;
        let names: Vec<String> = metadata.names().map(str::to_owned).collect();
        let pair = |name: String| {
            let value = metadata.get(&name).unwrap_or_default().to_owned();
            (name, value)
        };
        self.waiting.push_back(Message {
            number,
            data,
            metadata: names.into_iter().map(pair).collect(),
            attempt: 0,
        });
        Ok(told(number.to_string()))
    }
}

fn told(text: String) -> Outcome {
    Outcome {
        data: text.into_bytes(),
        metadata: Vec::new(),
    }
}

impl InputBindingDriver for Mailbox {
    fn redelivers(&self) -> bool {
        true
    }

    fn pull(&mut self, max: u32) -> Result<Vec<Delivery>> {
        let count = self.waiting.len().min(max as usize);
        let mut deliveries = Vec::with_capacity(count);
        for mut message in self.waiting.drain(..count) {
            message.attempt += 1;
            deliveries.push(Delivery {
                data: message.data.clone(),
                metadata: message.metadata.clone(),
                attempt: message.attempt,
                receipt: message.number.to_be_bytes().to_vec(),
            });
            self.out.push(message);
        }
        Ok(deliveries)
    }

    fn settle(&mut self, receipt: &[u8], answer: Answer) -> Result<()> {
        let number = receipt.try_into().map(u64::from_be_bytes).ok();
        let place = self
            .out
            .iter()
            .position(|message| Some(message.number) == number);
        let place = place.ok_or_else(|| Error::not_found("nothing is out by this receipt"))?;
        let message = self.out.remove(place);
        if let Answer::Nack(_) = answer {
            self.waiting.push_back(message);
        }
        Ok(())
    }
}

wythe_sdk::binding_plugin!(Mailbox);
