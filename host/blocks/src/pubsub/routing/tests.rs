//! Rules choose routes, whatever the rule and the event are made of, and one app's do not keep others waiting.

use super::*;
use crate::Kind;

fn rule(expression: &str, route: &str) -> Rule {
    Rule {
        expression: expression.to_owned(),
        route: route.to_owned(),
    }
}

fn share() -> Arc<Share> {
    Arc::new(Share::new(Arc::default()))
}

async fn compiled(expressions: &[&str]) -> Result<Routes> {
    let rules: Vec<_> = expressions.iter().map(|text| rule(text, text)).collect();
    Routes::compile(&rules, Some("default"), &share()).await
}

fn event(data: impl Into<bytes::Bytes>) -> Event {
    Event {
        kind: "order.paid".into(),
        data: data.into(),
        extensions: vec![("region".into(), "eu".into())],
        ..Event::default()
    }
}

/// Returns whether the expression holds for the event.
async fn holds(expression: &str, event: &Event) -> bool {
    let routes = compiled(&[expression]).await;
    let routes = routes.unwrap_or_else(|error| panic!("{expression}: {error:?}"));
    let route = routes.route(event, "shop", "orders").await.unwrap();
    route.as_deref() == Some(expression)
}

#[tokio::test]
async fn rules_see_the_event() {
    let event = event(
        r#"{"n": 4, "big": 18446744073709551615, "f": 1.5, "s": "aé", "l": [1, "x", null], "t": true, "m": {"k": {"d": -7}}}"#,
    );
    for expression in [
        "event.type == 'order.paid' && event.source == 'shop' && event.topic == 'orders'",
        "event.region == 'eu' && event.subject == null && event.id == null",
        "event.data.n % 2 == 0 && event.data.n + 1 == 5 && event.data.f < 2.0",
        "event.data.big == 18446744073709551615u",
        "event.data.s.startsWith('a') && size(event.data.s) == 2 && event.data.s.contains('é')",
        "event.data.l == [1, 'x', null] && event.data.l[1] == 'x' && 1 in event.data.l",
        "event.data.t && event.data.m == {'k': {'d': -7}} && 'k' in event.data.m",
        "has(event.data.n) && !has(event.data.none) && event['type'] == 'order.paid'",
        "event.type.matches('^order[.][a-z]+$') && matches(event.data.s, 'a.')",
        "event.data.none == 1 || true",
        "string(event.data.n) == '4' && type(event.data) == map && int('7') == 7",
        "timestamp('2030-01-31T00:00:00Z').getMonth() == 0",
    ] {
        assert!(holds(expression, &event).await, "{expression}");
    }
    for expression in [
        "event.data.none == 1",
        "event.data.s > 1",
        "event.data.n",
        "event.data.f == 2.0",
        "1 / (event.data.n - 4) == 1",
        "event.data.l[7] == 1",
    ] {
        assert!(!holds(expression, &event).await, "{expression}");
    }
}

#[tokio::test]
async fn the_first_that_matches_is_taken() {
    let paid = event("text");
    let routes = compiled(&["event.data.x == 1", "event.data == 'text'", "true"]);
    let routes = routes.await.unwrap();
    let route = routes.route(&paid, "", "t").await.unwrap();
    assert_eq!(route.as_deref(), Some("event.data == 'text'"));
    let none = Routes::compile(&[rule("false", "x")], None, &share()).await;
    assert_eq!(none.unwrap().route(&paid, "", "t").await.unwrap(), None);
    let all = Routes::compile(&[], None, &share()).await;
    let all = all.unwrap().route(&paid, "", "t").await.unwrap();
    assert_eq!(all.as_deref(), Some(""));
}

#[tokio::test]
async fn what_is_too_much_is_refused_with_the_rule() {
    let long = format!("{}1 == 1", "1+".repeat(3000));
    let error = compiled(&["true", &long]).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Invalid);
    let begins = format!("the rule `{}", "1+".repeat(80));
    assert!(error.message().starts_with(&begins), "{error:?}");
    assert!(
        error
            .message()
            .ends_with("has 6006 bytes; at most 4096 are allowed")
    );

    let many = vec!["event.type == 'a'"; 5000];
    let error = compiled(&many).await.err().unwrap();
    let expected = "the rules of the subscription have 85000 bytes; at most 65536 are allowed";
    assert_eq!(error.message(), expected);

    let costly = vec!["event.data == event.data || event.type == event.source"; 65];
    let error = compiled(&costly).await.err().unwrap();
    assert!(
        error.message().contains("go over the event 130 times"),
        "{error:?}"
    );

    let patterns: Vec<_> = (0..33)
        .map(|at| format!("event.type.matches('a{at}')"))
        .collect();
    let rules: Vec<_> = patterns.iter().map(|text| rule(text, "x")).collect();
    let share = share();
    for (index, subscription) in rules.chunks(11).cycle().take(6).enumerate() {
        let compiled = Routes::compile(subscription, None, &share).await;
        assert_eq!(compiled.is_err(), index == 5, "subscription {index}");
    }
}

/// The most that a rule may do, over the widest and the deepest data.
#[tokio::test]
async fn the_largest_event_is_no_more_than_its_passes() {
    let routes = compiled(&[
        "event.data == [event.data + event.data, event.data]",
        "event.data != event.data",
    ]);
    let routes = routes.await.unwrap();
    let wide = format!("[{}1]", "{\"\":1},".repeat(49_000));
    let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    let deeper = "[".repeat(1 << 20);
    for data in [wide, deep, deeper] {
        let route = routes.route(&event(data), "", "t").await.unwrap();
        assert_eq!(route.as_deref(), Some("default"));
    }
}

#[tokio::test]
async fn data_of_too_many_values_is_not_looked_at() {
    let event = event(format!("[{}1]", "1,".repeat(100_000)));
    assert!(!holds("event.data[0] == 1", &event).await);
    assert!(holds("event.type == 'order.paid'", &event).await);
}

#[tokio::test]
async fn a_long_text_is_not_searched() {
    let short = "a".repeat(1000);
    assert!(holds("event.data.matches('a$')", &event(short)).await);
    let long = "a".repeat(wythe_manifest::Expression::MAX_SEARCHED + 1);
    assert!(!holds("event.data.matches('a$')", &event(long)).await);
}

#[tokio::test]
async fn work_that_panics_is_an_error_and_the_next_runs() {
    let thread = RuleThread::default();
    let broke = thread.run(|| -> u8 { panic!("as asked") }).await;
    assert_eq!(broke.unwrap_err().kind(), Kind::Internal);
    assert_eq!(thread.run(|| 7).await.unwrap().0, 7);
}

/// An app's second evaluation is not given to the thread before its first is done and it has rested, so another app
/// waits for one evaluation of each app at most.
#[tokio::test]
async fn an_app_has_one_evaluation_at_a_time() {
    let thread = Arc::new(RuleThread::default());
    let (greedy, other) = (Share::new(thread.clone()), Share::new(thread));
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let order = order.clone();
        move || order.lock().push(name)
    };
    let first = note("greedy");
    let held = greedy.run(move || {
        opened.recv().unwrap();
        first();
    });
    let rest = async {
        futures::future::join_all((0..20).map(|_| greedy.run(note("greedy")))).await;
    };
    let neighbour = async {
        let asked = other.run(note("other"));
        open.send(()).unwrap();
        asked.await.unwrap();
    };
    let (held, (), ()) = tokio::join!(held, rest, neighbour);
    held.unwrap();
    let order = order.lock();
    let place = order.iter().position(|name| *name == "other");
    assert!(place.is_some_and(|place| place <= 1), "{order:?}");
}
