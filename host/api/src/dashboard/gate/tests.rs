//! The gate, as browsers and others come to it.

use super::*;
use http::Request;

type Headers<'a> = &'a [(&'a str, &'a str)];

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn gate() -> Gate {
    Gate::new(
        TOKEN,
        vec!["127.0.0.1:8090".into(), "LocalHost:8090".into()],
    )
    .unwrap()
}

fn head(target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::get(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

#[test]
fn a_host_is_one_of_those_that_are_known() {
    let gate = gate();
    let cases: &[(&str, Headers<'_>, bool)] = &[
        ("/", &[("host", "127.0.0.1:8090")], true),
        ("/", &[("host", "LOCALHOST:8090")], true),
        ("http://localhost:8090/", &[], true),
        (
            "http://localhost:8090/",
            &[("host", "localhost:8090")],
            true,
        ),
        ("/", &[], false),
        ("/", &[("host", "")], false),
        ("/", &[("host", "localhost")], false),
        ("/", &[("host", "localhost:80")], false),
        // A name of somebody's own that leads to 127.0.0.1.
        ("/", &[("host", "rebound.example:8090")], false),
        ("/", &[("host", "localhost:8090.rebound.example")], false),
        ("/", &[("host", "user@localhost:8090")], false),
        (
            "http://rebound.example/",
            &[("host", "localhost:8090")],
            false,
        ),
        (
            "http://localhost:8090/",
            &[("host", "rebound.example")],
            false,
        ),
        (
            "/",
            &[("host", "localhost:8090"), ("host", "rebound.example")],
            false,
        ),
    ];
    for (target, headers, is_good) in cases {
        let checked = gate.check_host(&head(target, headers));
        assert_eq!(checked.is_ok(), *is_good, "{target} {headers:?}");
    }
}

#[test]
fn the_token_is_exchanged_for_a_cookie_of_a_path_that_nobody_knows() {
    let gate = gate();
    for wrong in [
        "",
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdeg",
    ] {
        assert!(gate.enter(wrong).is_err(), "{wrong}");
    }
    let set = gate.enter(TOKEN).unwrap();
    let set = set.to_str().unwrap();
    let base = gate.base();
    assert!(!set.contains(TOKEN));
    let rest = format!("; Path={base}; Max-Age=43200; HttpOnly; SameSite=Strict");
    let cookie = set.strip_suffix(&rest).expect(&rest);
    assert_eq!(base.len(), 34, "{base}");
    assert_ne!(base, super::Gate::new(TOKEN, Vec::new()).unwrap().base());
    let visitor = |cookies: &str| {
        let head = head("/", &[("cookie", cookies)]);
        gate.visitor(&head.headers)
    };
    let own = visitor(&format!("other=1; {cookie}")).expect("a session");
    for wrong in ["", "wythe-dashboard=", &cookie[1..], &format!("{cookie}0")] {
        assert!(visitor(wrong).is_none(), "{wrong}");
    }
    // A cookie that somebody else set before does not hide it.
    assert!(visitor(&format!("wythe-dashboard=tossed; {cookie}")).is_some());
    gate.leave(&own);
    assert!(visitor(cookie).is_none());
}

#[test]
fn sessions_are_few_and_the_oldest_one_ends() {
    let gate = gate();
    let cookies: Vec<_> = (0..=SESSIONS)
        .map(|_| {
            let set = gate.enter(TOKEN).unwrap();
            let set = set.to_str().unwrap().to_owned();
            set.split(';').next().unwrap_or_default().to_owned()
        })
        .collect();
    let is_in = |cookie: &String| {
        let head = head("/", &[("cookie", cookie)]);
        gate.visitor(&head.headers).is_some()
    };
    assert!(!is_in(&cookies[0]));
    assert!(cookies[1..].iter().all(is_in));
}

#[test]
fn a_form_is_of_a_page_of_the_dashboards_own() {
    let host = ("host", "localhost:8090");
    let origin = ("origin", "http://localhost:8090");
    let site = |value| ("sec-fetch-site", value);
    let cases: &[(Headers<'_>, bool)] = &[
        (&[host, origin, site("same-origin")], true),
        (&[host, origin], true),
        (&[host, ("origin", "https://localhost:8090")], true),
        (&[host], false),
        (&[host, site("same-origin")], false),
        (&[host, ("origin", "null"), site("same-origin")], false),
        (&[host, origin, site("none")], false),
        // A page of another port of this machine, such as that of an app.
        (
            &[host, ("origin", "http://localhost:8080"), site("same-site")],
            false,
        ),
        (&[host, origin, site("same-site")], false),
        (&[host, origin, site("cross-site")], false),
        (&[host, origin, ("origin", "http://other.example")], false),
        (
            &[host, ("origin", "http://localhost:8090.other.example")],
            false,
        ),
        (&[host, ("origin", "localhost:8090")], false),
    ];
    for (headers, is_good) in cases {
        let checked = check_origin(&head("/", headers));
        assert_eq!(checked.is_ok(), *is_good, "{headers:?}");
    }
}

#[test]
fn a_page_is_not_read_by_another_site() {
    for (site, is_good) in [
        ("same-origin", true),
        ("none", true),
        ("same-site", false),
        ("cross-site", false),
        ("", false),
    ] {
        let head = head("/", &[("sec-fetch-site", site)]);
        assert_eq!(check_site(&head.headers).is_ok(), is_good, "{site}");
    }
    assert!(check_site(&HeaderMap::new()).is_ok());
}

#[test]
fn a_form_brings_the_token_of_its_session() {
    let gate = gate();
    let mut visitors = (0..2).map(|_| {
        let set = gate.enter(TOKEN).unwrap();
        let cookie = set
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned();
        gate.visitor(&head("/", &[("cookie", &cookie)]).headers)
            .unwrap()
    });
    let (one, other) = (visitors.next().unwrap(), visitors.next().unwrap());
    assert!(check_form(&one, &one.form).is_ok());
    assert!(check_form(&one, &other.form).is_err());
    assert!(check_form(&one, "").is_err());
}
