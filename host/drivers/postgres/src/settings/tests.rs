//! Connection strings, good and wrong.

use super::*;

fn parse(text: &str) -> Result<Settings, Error> {
    let written = Written {
        connection_string: Some(Secret::new(text)),
        ..Written::default()
    };
    Settings::parse(written).map_err(Error::from)
}

fn message(text: &str) -> String {
    parse(text).err().unwrap().message().to_owned()
}

#[test]
fn both_forms_say_the_same() {
    let pairs = "host=db.example port=6000 user='a b' password='it''s' dbname=shop sslmode=require connect_timeout=3";
    assert!(parse(pairs).is_err(), "a quote is written with a backslash");
    let pairs = pairs.replace("it''s", r"it\'s");
    let url = "postgresql://a%20b:it%27s@db.example:6000/shop?sslmode=require&connect_timeout=3";
    let (pairs, url) = (parse(&pairs).unwrap(), parse(url).unwrap());
    assert!(pairs == url);
    assert_eq!(pairs.shown(), "db.example:6000, database shop");
    assert_eq!(pairs.password.as_deref(), Some("it's"));
    assert_eq!((pairs.user.as_str(), pairs.connect.as_secs()), ("a b", 3));
    assert_eq!(pairs.trust, Trust::Require);
}

#[test]
fn nothing_but_a_host_and_a_user_is_needed() {
    let settings = parse("host=localhost user=ada").unwrap();
    assert_eq!(settings.shown(), "localhost:5432, database ada");
    assert_eq!(settings.trust, Trust::Plain);
    assert_eq!(parse("host=db user=ada").unwrap().trust, Trust::Full);
    assert_eq!(parse("postgres://ada@[::1]/x").unwrap().host, "::1");
}

#[test]
fn keys_beside_the_connection_string_stand_in_its_place() {
    let written = Written {
        connection_string: Some(Secret::new(
            "host=db user=ada password=old pool_max_conns=3",
        )),
        password: Some(Secret::new("new")),
        host: Some("other".into()),
        ..Written::default()
    };
    let settings = Settings::parse(written).map_err(Error::from).unwrap();
    assert_eq!(settings.password.as_deref(), Some("new"));
    assert_eq!((settings.host.as_str(), settings.connections), ("other", 3));
}

#[test]
fn a_connection_to_another_machine_without_proof_is_warned_of() {
    for (text, expected) in [
        ("host=db user=a sslmode=disable", 1),
        ("host=db user=a sslmode=require", 1),
        ("host=db user=a sslmode=prefer", 1),
        ("host=db user=a", 0),
        ("host=db user=a sslmode=require sslrootcert=ca.pem", 0),
        ("host=127.0.0.1 user=a sslmode=disable", 0),
    ] {
        assert_eq!(parse(text).unwrap().warnings().len(), expected, "{text}");
    }
}

#[test]
fn mistakes_say_what_is_expected() {
    for (text, expected) in [
        ("host=db", "no user is named; expected `user`"),
        (
            "user=ada",
            "no server is named; expected `connectionString`, or `host` with `user`, `password` and `database`",
        ),
        (
            "host=/tmp user=ada",
            "`/tmp` is the directory of a Unix socket; expected a host that is reached by TCP",
        ),
        (
            "host=a,b user=ada",
            "`a,b` are several hosts; expected one, that of the primary",
        ),
        (
            "host=db user=ada sslmode=maybe",
            "`sslmode=maybe`; expected `disable`, `prefer`, `require`, `verify-ca` or `verify-full`",
        ),
        (
            "host=db user=ada sslmode=verify-ca",
            "`sslmode=verify-ca` without authorities; name their file by `sslRootCert`, or write `verify-full`",
        ),
        (
            "host=db user=ada port=99999",
            "`connectionString`: `port`: expected 1 to 65535",
        ),
        (
            "host=db user=ada pool_max_conns=0",
            "`maxConns: 0`; expected 1 to 100",
        ),
        (
            "host=db user=ada password='open",
            "`connectionString`: expected `name=value` with blanks between them, and values with blanks in them as `'..'`",
        ),
    ] {
        assert_eq!(message(text), expected);
    }
}

#[test]
fn mistakes_show_no_password() {
    let known = message("host=db user=ada target_session_attrs=any");
    assert!(known.starts_with("`connectionString`: `target_session_attrs` is not taken here"));
    for text in [
        "mysql://ada:hidden@db/x",
        "postgres://ada:hidden%zz@db/x",
        "postgres://ada:hidden%+f@db/x",
        "postgres://ada:hid/den@db/x",
        "host=db user=ada pass=hidden",
        "host=db user=ada password=some hidden=words",
        "host=db user=ada password = hidden words",
    ] {
        assert!(!message(text).contains("hid"), "{text}");
    }
}
