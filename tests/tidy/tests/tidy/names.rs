//! Names that were given up for the field's own, and do not come back.

use crate::REPOSITORY;
use tidy::{none, repository::has_word};

/// Words that are no names of types, functions or values in the host, and what each thing is called instead.
const GONE: [(&str, &str); 26] = [
    ("Caller", "`Call`: the value travels with a call"),
    ("Door", "`WebhookRoute`"),
    ("Doors", "`Routes` for paths, `Listeners` for ports"),
    (
        "Keeper",
        "`InternalStore` for records, `Writer` behind a committer",
    ),
    ("Kept", "`Stored`, `Cached` or `StoredMessage`"),
    ("Knock", "`WebhookRequest`"),
    ("NoPlace", "`NoPermit`"),
    (
        "Place",
        "`Permit`, `LockKey`, `DeliveryState`, `Replica` or `Position`",
    ),
    ("Places", "`Permits` or `Positions`"),
    (
        "Seat",
        "`Consumer` in pub/sub, `Waiter` in a queue for a lock",
    ),
    ("Told", "`Reported`, or the name of what is reported"),
    ("board", "`schedule` or `task_table`"),
    ("deaf", "`ignores_..` or `refusing`"),
    ("door", "`route`, `port` or `listener`"),
    ("doors", "`routes` or `listeners`"),
    ("is_deaf", "`ignores_..`"),
    ("keeper", "`internal_store` or `writer`"),
    ("kept", "`stored`, `cached` or `persisted`"),
    ("knock", "`request`"),
    ("lie", "`violation` of a contract"),
    ("most", "`limit` or `max_..`"),
    ("seat", "`consumer`, `member` or `waiter`"),
    ("seats", "`consumers`, `members` or `waiters`"),
    ("tell", "`report`, `notify`, `deliver`, `answer` or `show`"),
    ("told", "`reported`, `delivered` or `shown`"),
    ("untold", "`suppressed`"),
];

/// The words that the contract has, and where the host says them as it does.
const OF_THE_CONTRACT: [&str; 1] = ["wit::Caller"];

#[test]
fn names_that_were_given_up_do_not_come_back() {
    let mut offenders = Vec::new();
    for file in REPOSITORY.rust().filter(|file| file.is_in("host/")) {
        for (number, line) in file.code() {
            let line = OF_THE_CONTRACT
                .iter()
                .fold(line, |line, word| line.replace(word, ""));
            let found = GONE.iter().filter(|(word, _)| has_word(&line, word));
            offenders.extend(
                found.map(|(word, new)| format!("{}:{number}: `{word}`: {new}", file.path)),
            );
        }
    }
    none("use the name that the field has for it", offenders);
}

#[test]
fn a_name_is_listed_once_and_in_order() {
    let unordered = GONE.windows(2).filter(|pair| pair[0].0 >= pair[1].0);
    none(
        "keep the list in order",
        unordered.map(|pair| pair[1].0.to_owned()).collect(),
    );
}
