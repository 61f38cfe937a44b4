//! Names, amounts, secrets and suggestions.

use std::time::Duration as Time;

use crate::suggest::nearest;
use crate::{ByteSize, ComponentName, Duration, Name, Secret, Value};

#[test]
fn names() {
    let longest = "a".repeat(63);
    for good in ["a", "a-b", "0", "a--b", &longest] {
        assert_eq!(good.parse::<Name>().expect(good).to_string(), good);
    }
    for (bad, why) in [
        (
            "",
            "`` is not a name: at least one letter or digit is needed",
        ),
        (
            "a.b",
            "`a.b` is not a name: only lower case letters, digits and `-` are allowed",
        ),
        (
            "a-",
            "`a-` is not a name: `-` is not allowed at the beginning or the end",
        ),
        (
            "a\nb",
            "`a\nb` is not a name: only lower case letters, digits and `-` are allowed",
        ),
    ] {
        assert_eq!(bad.parse::<Name>().expect_err(bad).to_string(), why);
    }
    let long = format!("{longest}a")
        .parse::<Name>()
        .expect_err("too long")
        .to_string();
    assert!(
        long.ends_with("is not a name: at most 63 characters are allowed"),
        "{long}"
    );
}

#[test]
fn component_names() {
    let longest = vec!["a".repeat(62); 4].join(".");
    for good in ["a.b-c.d", "order_pub_sub", "daprConfig", &longest] {
        assert_eq!(good.parse::<ComponentName>().expect(good).as_str(), good);
    }
    for (bad, why) in [
        (
            "a..b",
            "`a..b` is not a component name: at least one letter or digit is needed in each part between dots",
        ),
        (
            "a||b",
            "`a||b` is not a component name: only letters, digits, `-` and `_` are allowed",
        ),
    ] {
        assert_eq!(
            bad.parse::<ComponentName>().expect_err(bad).to_string(),
            why
        );
    }
    assert!(format!("{longest}.aa").parse::<ComponentName>().is_err());
}

#[test]
fn durations() {
    let good = [
        ("1h2m3.5s", 3_723_500_000_000),
        ("250ms", 250_000_000),
        ("0", 0),
        ("0.1s", 100_000_000),
        ("1.5us", 1_500),
        ("2µs3ns", 2_003),
        (".5s", 500_000_000),
    ];
    for (text, nanoseconds) in good {
        assert_eq!(
            text.parse::<Duration>().expect(text).0,
            Time::from_nanos(nanoseconds),
            "{text}"
        );
    }
    for bad in [
        "",
        "5",
        "s",
        "1.2.3s",
        "-1s",
        "1 s",
        "1d",
        "9999999999h",
        "1e3s",
    ] {
        assert!(bad.parse::<Duration>().is_err(), "{bad}");
    }
}

#[test]
fn sizes() {
    let good = [
        ("64MiB", 64 << 20),
        ("4Mi", 4 << 20),
        ("512k", 512_000),
        ("512", 512),
        ("1.5 GiB", 3 << 29),
        ("2KB", 2_000),
        ("7B", 7),
    ];
    for (text, bytes) in good {
        assert_eq!(text.parse::<ByteSize>().expect(text).0, bytes, "{text}");
    }
    for bad in ["", "MiB", "-1", "1XB", "99999999999TiB", "1k1"] {
        assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let secret = Secret::new("hunter2");
    assert_eq!(
        format!("{secret:?} {:?}", Value::Plain("hunter2".to_owned())),
        "Secret(..) Plain(..)"
    );
    assert_eq!(secret.clone().reveal(), "hunter2");
}

#[test]
fn suggestions() {
    let words = ["grants", "guest", "env"];
    for (word, near) in [
        ("grnats", Some("grants")),
        ("GUEST", Some("guest")),
        ("evn", Some("env")),
        ("banana", None),
        ("x", None),
    ] {
        assert_eq!(nearest(word, words), near, "{word}");
    }
}

#[test]
fn problems_stay_on_one_line() {
    let problem = crate::Problem::of_file("a.yaml", "a\nb\u{1b}[31m");
    assert_eq!(problem.to_string(), "a.yaml: a\\nb\\u{1b}[31m");
}

#[test]
fn errors_are_not_lost_behind_warnings() {
    let many = "---\napiVersion: dapr.io/v1alpha1\nkind: MCPServer\n".repeat(150);
    let text = format!("{many}---\napiVersion: dapr.io/v1alpha1\nkind: None\n");
    let (_, problems) = crate::parse_resources(&text, "a.yaml".as_ref());
    assert_eq!((problems.0.len(), problems.has_errors()), (101, true));
    let first = crate::Problems(problems.0[..100].to_vec());
    assert!(first.into_result(()).is_ok());
}
