//! Conditions that hold, and mistakes that are said.

use super::*;

const COUNTS: Counts = Counts {
    requests: 10,
    total_successes: 4,
    total_failures: 6,
    consecutive_successes: 0,
    consecutive_failures: 3,
};

#[test]
fn conditions_hold_as_in_cel() {
    for (text, expected) in [
        ("consecutiveFailures > 5", false),
        ("consecutiveFailures >= 3", true),
        ("requests > 5 && totalFailures * 2 > requests", true),
        ("double(totalFailures) / double(requests) > 0.5", true),
        ("double(totalFailures) / double(requests) > 0.6", false),
        ("totalFailures / requests > 0", false),
        ("requests / consecutiveSuccesses > 1", false),
        ("requests / consecutiveSuccesses > 1 || true", true),
        ("!(totalSuccesses == 4)", false),
        ("requests > 100 ? true : consecutiveFailures % 3 == 0", true),
        ("-totalFailures < 0", true),
        ("int(5.9) == 5", true),
        ("9223372036854775807 + requests > 0", false),
        ("true", true),
    ] {
        let trip = Trip::parse(text).expect(text);
        assert_eq!(trip.holds(&COUNTS), expected, "{text}");
        assert_eq!(trip.text(), text);
    }
    let default = Trip::parse("consecutiveFailures > 5").expect("the default");
    assert_eq!(default, Trip::after_five());
}

#[test]
fn mistakes_are_said() {
    let long = "1".repeat(5_000);
    let deep = format!("{}1 == 1", "1 - ".repeat(100));
    for (text, expected) in [
        (
            "consecutiveFailure > 5",
            "names `consecutiveFailure`; a breaker knows requests, totalSuccesses, \
          totalFailures, consecutiveSuccesses, consecutiveFailures; did you mean `consecutiveFailures`?",
        ),
        (
            "requests",
            "is no condition; compare it, as in `consecutiveFailures > 5`",
        ),
        (
            "requests * 0.5 > 1.0",
            "calculates with numbers of two types; write `double(..)` around a count, and `0.5` with a point",
        ),
        (
            "doubel(requests) > 1.0",
            "calls `doubel`, which a breaker may not; did you mean `double`?",
        ),
        ("requests >", "is no CEL expression: "),
        (
            "'a' == 'a'",
            "has a constant that is neither a number nor `true` or `false`",
        ),
        (
            "[1].exists(x, x > 0)",
            "is more than numbers, comparisons and the counts of a breaker",
        ),
        (
            "requests.size() > 1",
            "is more than numbers, comparisons and the counts of a breaker",
        ),
        (
            "requests && true",
            "joins by `&&` or `||` what is no condition",
        ),
        ("requests == true", "compares a number with a condition"),
        (&long, "has 5000 bytes; at most 4096 are allowed"),
        (&deep, "nests deeper than 32 levels"),
    ] {
        let wrong = Trip::parse(text).expect_err(text);
        assert!(wrong.starts_with(expected), "{text}: {wrong}");
    }
}
