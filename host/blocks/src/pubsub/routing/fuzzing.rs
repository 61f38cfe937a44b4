//! Rules of subscriptions as a target of the fuzzer.

use super::program::Program;
use crate::{fuzzing::line, pubsub::Event};
use bytes::Bytes;
use std::{panic, thread};
use wythe_manifest::Expression;

/// A line that is a rule, and the data of an event that it meets.
pub fn rules(data: &[u8]) {
    let (rule, data) = line(data);
    let Ok(rule) = std::str::from_utf8(rule) else {
        return;
    };
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(Expression::STACK);
        let thread = builder.spawn_scoped(scope, || meet(rule, data));
        let met = thread.expect("a thread").join();
        met.unwrap_or_else(|panicked| panic::resume_unwind(panicked));
    });
}

fn meet(rule: &str, data: &[u8]) {
    let Ok(program) = Program::default().add(rule) else {
        return;
    };
    let event = Event {
        id: Some("7".into()),
        kind: "shop.order.placed".into(),
        content_type: "application/json".into(),
        data: Bytes::copy_from_slice(data),
        extensions: vec![("region".into(), "eu".into())],
        ..Event::default()
    };
    let outcome = program.first(&event, "cart", "orders");
    assert!(outcome.matched.is_none_or(|index| index == 0));
}
