//! Hostile expressions are refused in words, whatever they are made of; honest ones are not.

use super::Expression;

fn refused(text: &str) -> String {
    Expression::check(text).expect_err(&Expression::shown(text))
}

/// An expression that is made of `count` times the same.
fn bomb(name: &str, count: usize) -> String {
    let around = |open: &str, within: &str, close: &str| {
        format!("{}{within}{}", open.repeat(count), close.repeat(count))
    };
    match name {
        "paren" => around("(", "true", ")"),
        "open" => "(".repeat(count),
        "not" => around("!", "true", ""),
        "neg" => around("-", "1 == 1", ""),
        "list" => around("[", "", "]") + " == []",
        "dot" => format!("event{} == 1", ".a".repeat(count)),
        "index" => format!("event{} == 1", "[0]".repeat(count)),
        "call" => format!("event{} == 1", ".size()".repeat(count)),
        "plus" => around("1+", "1 == 1", ""),
        "equal" => around("1==", "1", ""),
        "or" => around("false||", "true", ""),
        "choice" => around("true?true:", "true", ""),
        "map" => around("{1:", "1", "}") + " == 1",
        "has" => around("has(", "event.a", ")"),
        "repeat" => (0..count).fold("1".to_owned(), |inner, at| {
            format!("[1].map(x{at}, {inner})")
        }),
        "double" => (0..count).fold("'aa'".to_owned(), |inner, at| {
            format!("[{inner}].map(y{at}, y{at}+y{at})[0]")
        }),
        "copy" => around("event.data+", "event.data", "") + " == 1",
        "lists" => around("[event.data,", "1", "]") + " == 1",
        "compare" => around("event.data==event.data&&", "true", ""),
        "regex" => format!("event.type.matches('((a{{1,{count}}}){{1,{count}}}){{1,{count}}}')"),
        "search" => around("event.type.matches('a')||", "true", ""),
        "long" => format!("event.type == '{}'", "x".repeat(count)),
        "comma" => format!("[{}]", "1,".repeat(count)),
        "quote" => "'".repeat(count),
        "junk" => "# ) ".repeat(count),
        other => unreachable!("{other}"),
    }
}

const BOMBS: [&str; 25] = [
    "paren", "open", "not", "neg", "list", "dot", "index", "call", "plus", "equal", "or", "choice",
    "map", "has", "repeat", "double", "copy", "lists", "compare", "regex", "search", "long",
    "comma", "quote", "junk",
];

/// Some of a size are fine by their nature: signs cancel, a chain of `||` is balanced, parentheses vanish.
const HARMLESS: [&str; 7] = ["paren", "not", "neg", "has", "or", "long", "comma"];

#[test]
fn none_is_too_much_for_the_parser() {
    for name in BOMBS {
        for count in [10, 90, 300, 1000, 2000, 4000] {
            let text = bomb(name, count);
            match Expression::check(&text) {
                Ok(()) => assert!(count == 10 || HARMLESS.contains(&name), "{name} of {count}"),
                Err(wrong) => assert!(wrong.len() < 400, "{name} of {count}: {wrong}"),
            }
        }
        assert!(
            refused(&bomb(name, 100_000)).starts_with("has "),
            "{name} is long"
        );
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (text, expected) in [
        ("event.type ==", "is no CEL expression: "),
        ("[1].map(x, x) == [1]", "repeats (`all`, `exists`"),
        ("event.data.all(x, x > 1)", "repeats (`all`, `exists`"),
        (
            "evnt.type == 'a'",
            "names `evnt`; a rule knows `event` alone",
        ),
        (
            "event.type.startWith('a')",
            "calls `startWith`, which a rule may not; did you mean `startsWith`?",
        ),
        (
            "event.type.matches(event.data)",
            "calls `matches` with a pattern that is no text in the rule itself",
        ),
        (
            "event.type.matches('(')",
            "has the pattern `(`, which is no regular expression",
        ),
        (
            r"event.type.matches('(\\w{1,100}){1,100}')",
            r"has the pattern `(\w{1,100}){1,100}`, which takes more than",
        ),
        (
            "Message{a: 1} == 1",
            "builds a message, which a rule may not",
        ),
        ("event.?data == 1", "is no CEL expression: "),
    ] {
        let wrong = refused(text);
        assert!(wrong.starts_with(expected), "{text}: {wrong}");
    }
    let copies = refused(&bomb("copy", 10));
    assert_eq!(
        copies,
        "goes over the event 65 times; at most 32 are allowed"
    );
    let deep = refused(&bomb("dot", 40));
    assert_eq!(deep, "nests deeper than 32 levels; make it two rules");
}

#[test]
fn what_people_write_costs_little() {
    for (text, cost, reads_data) in [
        (r#"event.type == "order.paid""#, 0, false),
        ("event.data.total > 100", 0, true),
        ("event.data.number % 2 == 0", 1, true),
        ("has(event.data.vip) && event.data.vip", 0, true),
        (
            "event.type in ['a', 'b', 'c'] || event.source != 'shop'",
            1,
            false,
        ),
        (r"event.subject.matches('^\\w+@\\w+\\.\\w+$')", 4, false),
        ("event['type'].startsWith('shop.')", 2, true),
        (
            "size(event.data.items) > 3 && event.data.items[0].price * 2.0 < 10.0",
            3,
            true,
        ),
        (
            "type(event.data) == map && timestamp(event.data.at).getFullYear() == 2030",
            3,
            true,
        ),
        (
            "event.type == 'a' ? event.data.x == 1 : -event.data.y == 2",
            1,
            true,
        ),
    ] {
        let read = Expression::parse(text).map_err(|wrong| format!("{text} {wrong}"));
        let read = read.unwrap();
        assert_eq!(
            (read.cost(), read.reads_data()),
            (cost, reads_data),
            "{text}"
        );
    }
}

#[test]
fn what_is_shown_is_short_and_plain() {
    assert_eq!(Expression::shown("a\u{1b}[31m\nb"), "a [31m b");
    assert_eq!(Expression::shown(&"é".repeat(500)).chars().count(), 161);
}
