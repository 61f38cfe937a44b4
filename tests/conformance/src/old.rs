//! Stores as earlier builds wrote them: rows as text, a key and its value in base64 on each line.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use wythe_blocks::state::{Driver, Operation, Put};

/// Writes rows that were taken from a store of such a build.
pub async fn load(driver: &dyn Driver, rows: &str) {
    let row = |line: &str| {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        (key.to_owned(), STANDARD.decode(value).expect("base64"))
    };
    write(driver, rows.lines().map(row)).await;
}

pub async fn write<V: Into<bytes::Bytes>>(
    driver: &dyn Driver,
    rows: impl IntoIterator<Item = (String, V)>,
) {
    let put = |(key, value): (String, V)| Operation::Put(Put::new(key, value));
    let puts: Vec<_> = rows.into_iter().map(put).collect();
    for chunk in puts.chunks(100) {
        driver.transact(chunk.to_vec()).await.expect("a write");
    }
}

/// Counts the rows below a prefix.
pub async fn count(driver: &dyn Driver, prefix: &str) -> usize {
    let (mut count, mut cursor) = (0, None::<String>);
    loop {
        let page = driver.list(prefix, cursor.as_deref(), 1_000).await;
        let page = page.expect("a list");
        count += page.entries.len();
        match page.next {
            Some(next) => cursor = Some(next),
            None => return count,
        }
    }
}
