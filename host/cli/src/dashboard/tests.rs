//! Tokens and names of the dashboard.

use super::*;
use crate::args::FREE;

fn args(listen: &str, hosts: &[&str]) -> Dashboard {
    Dashboard {
        project: crate::args::Project {
            project: ".".into(),
            data_dir: None,
            resources: Vec::new(),
            tenant: None,
        },
        listen: listen.parse().unwrap(),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        token_file: None,
        of_a_host: false,
    }
}

#[test]
fn a_token_that_is_made_up_is_in_the_url_and_a_given_one_is_not() {
    let names = ["127.0.0.1:8090".to_owned()];
    let token = Token {
        text: random::name().unwrap(),
        is_given: false,
    };
    assert_eq!(token.as_str().len(), 32);
    let expected = format!("http://127.0.0.1:8090/?token={}", token.as_str());
    assert_eq!(token.url(&names), expected);
    let given = Token::given("0123456789abcdef\n", "a file").unwrap();
    assert_eq!(given.url(&names), "http://127.0.0.1:8090/");
    assert_eq!(given.as_str(), "0123456789abcdef");
}

#[test]
fn a_token_that_can_be_guessed_or_mistyped_is_refused_and_not_shown() {
    for wrong in [
        "",
        "short",
        "a secret with spaces",
        "geheimgeheimgeheü",
        &"a".repeat(257),
    ] {
        let Err(problem) = Token::given(wrong, "WYTHE_DASHBOARD_TOKEN") else {
            panic!("{wrong}");
        };
        let message = problem.message;
        assert!(
            message.contains("WYTHE_DASHBOARD_TOKEN; expected 16 to 256"),
            "{message}"
        );
        assert!(wrong.len() < 6 || !message.contains(wrong), "{message}");
    }
}

#[test]
fn an_address_beyond_this_machine_needs_a_token_and_a_name() {
    let refused = |listen: &str, hosts: &[&str], is_given| {
        let hosts = Hosts::new(&args(listen, hosts), is_given);
        hosts.err().map(|problem| problem.message)
    };
    for open in [
        "0.0.0.0:8090",
        "10.1.2.3:8090",
        "[::]:8090",
        "[2001:db8::1]:8090",
    ] {
        let message = refused(open, &["dashboard.example.com"], false).expect(open);
        assert!(
            message.contains("WYTHE_DASHBOARD_TOKEN or `--token-file`"),
            "{message}"
        );
    }
    let message = refused("0.0.0.0:8090", &[], true).expect("no name");
    assert!(
        message.contains("`--host` of `wythe dashboard`"),
        "{message}"
    );
    let message = refused("127.0.0.1:0", &["a/b"], true).expect("no name");
    assert!(
        message.starts_with("`--host a/b`; expected a name"),
        "{message}"
    );
    for (listen, hosts, is_given) in [
        (FREE.to_string(), vec![], false),
        ("[::1]:8090".to_owned(), vec![], false),
        ("10.1.2.3:8090".to_owned(), vec![], true),
        (
            "0.0.0.0:8090".to_owned(),
            vec!["dashboard.example.com"],
            true,
        ),
    ] {
        assert_eq!(refused(&listen, &hosts, is_given), None, "{listen}");
    }
}

#[test]
fn names_are_those_of_the_address_and_those_that_were_said() {
    let names = |listen: &str, hosts: &[&str]| {
        let hosts = Hosts::new(&args(listen, hosts), true).unwrap();
        hosts.names(listen.parse().unwrap())
    };
    let own = [
        "127.0.0.1:8090",
        "localhost:8090",
        "127.0.0.1:8090",
        "[::1]:8090",
    ];
    assert_eq!(names("127.0.0.1:8090", &[]), own);
    let named = names("0.0.0.0:8090", &["dashboard.example.com"]);
    assert_eq!(
        named,
        ["dashboard.example.com:8090", "dashboard.example.com"]
    );
    assert!(names("127.0.0.1:80", &[]).contains(&"localhost".to_owned()));
    let named = names("0.0.0.0:80", &["dashboard.example.com"]);
    assert_eq!(named, ["dashboard.example.com:80", "dashboard.example.com"]);
}
