//! 100,000 jobs, of which one is due: what is asleep costs nothing but its place.

use super::{Subject, steps::*};
use futures::future::join_all;

const ALL: u64 = 100_000;
const BATCH: u64 = 1_000;
const LATER: u64 = 3_600_000;

fn name(number: u64) -> String {
    format!("job{number:06}")
}

pub(super) async fn one_is_due(mut subject: Subject) {
    let driver = subject.driver();
    for start in (0..ALL).step_by(BATCH as usize) {
        // Names and times in opposite orders, so that one is not mistaken for the other.
        let rows =
            (start..start + BATCH).map(|number| row(APP, &name(number), LATER + ALL - number));
        for put in join_all(rows.map(|row| driver.put(row, false))).await {
            put.expect("a put");
        }
    }
    let asleep = row(APP, &name(4_711), LATER + ALL - 4_711);
    settle(&*driver, change(&asleep, Some(changed(&asleep, 7))))
        .await
        .expect("a change");
    subject.reopen().await;
    let driver = subject.driver();
    assert_eq!(next(&*driver).await, Some(7));
    assert_eq!(take(&*driver, LATER, 1_000).await, [name(4_711)]);
    assert_eq!(
        next(&*driver).await,
        Some(LATER + 1),
        "the last name is the first in time"
    );
    assert_eq!(
        take(&*driver, LATER + 3, 1_000).await,
        [name(ALL - 1), name(ALL - 2), name(ALL - 3)]
    );
    let (mut count, mut cursor) = (0, None::<String>);
    loop {
        let page = driver
            .list(APP, "job", cursor.as_deref(), 1_000)
            .await
            .expect("a list");
        let expected = (count..).map(name).take(page.rows.len());
        assert_eq!(names(&page.rows), expected.collect::<Vec<_>>());
        count += page.rows.len() as u64;
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(count, ALL);
}
