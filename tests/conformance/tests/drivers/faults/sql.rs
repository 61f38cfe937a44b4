//! Tests of databases that run SQL of apps: the list of them, and how a test says a statement.

use wythe_blocks::{
    Error, Result,
    bindings::{Driver, Outcome, Request},
};

/// The tests of one database: functions of these names beside the list, which take the kind and the server. Its own come first.
macro_rules! tests {
    ($(($own:literal, $test:ident)),*) => {
        tests!(@of $(($own, $test),)*
            ("a_login_that_fails_says_why", logins),
            ("a_table_that_does_not_fit_says_so", tables),
            ("durable_is_what_the_server_is", promises),
            ("a_server_that_is_less_durable_is_not_used", less_durable),
            ("rows_of_dapr_are_read_and_written", of_dapr),
            ("hosts_that_start_at_once_make_one_table", at_once),
            ("apps_leave_nothing_in_a_connection", wiped),
            ("rows_of_a_query_are_as_dapr_gives_them", rows),
            ("a_server_that_is_none_says_so", made_up)
        )
    };
    (@of $(($name:literal, $test:ident)),*) => {
        &[$(($name, |kind, server| $crate::faults::run($test(kind, server)))),*]
    };
}

pub(super) use tests;

pub(super) async fn ask(
    driver: &dyn Driver,
    operation: &str,
    sql: &str,
    params: &str,
) -> Result<Outcome> {
    let metadata = [("sql", sql), ("params", params)];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let request = Request {
        operation,
        data: &bytes::Bytes::new(),
        metadata: &metadata,
        max_bytes: 10_000,
        trace: wythe_blocks::Trace::start(),
        account: None,
    };
    driver.invoke(request).await
}

pub(super) async fn say(driver: &dyn Driver, text: &str) {
    let done = ask(driver, "exec", text, "").await;
    done.unwrap_or_else(|error| panic!("{text}: {}", error.chain()));
}

pub(super) async fn found(driver: &dyn Driver, text: &str) -> String {
    let row = ask(driver, "query", text, "").await;
    let row = row.unwrap_or_else(|error| panic!("{text}: {}", error.chain()));
    String::from_utf8_lossy(&row.data).into_owned()
}

pub(super) fn starts(error: &Error, expected: &str) {
    assert!(error.message().starts_with(expected), "{}", error.chain());
}
