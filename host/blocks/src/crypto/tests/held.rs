//! The memory that messages under way hold, and the app that it counts for.

use super::*;

#[tokio::test]
async fn messages_under_way_are_of_their_app_s_account_until_they_end() {
    let (key, caller, _, sealed) = encrypted(100).await;
    let account = crate::Account::new(
        "app".parse().unwrap(),
        1 << 20,
        crate::quota::Ledger::new("t".parse().unwrap()),
    );
    let caller = caller.with_account(&account);
    let mut held = Vec::new();
    let error = loop {
        let options = EncryptOptions::default();
        let mut one = key.encryptor(&caller, options).await.unwrap();
        let (mut other, pushed) = (key.decryptor(), one.push(&caller, &[0; 1_000]).await);
        let pushed = pushed.and(other.push(&caller, &sealed[..50]).await);
        caller.settle();
        match pushed {
            Ok(_) => held.extend([one, other]),
            Err(error) => break error,
        }
    };
    assert!(
        error.message().ends_with("see `limits.hostMemory`"),
        "{error}"
    );
    assert!((1..8).contains(&held.len()) && account.used() <= 1 << 20);
    let before = account.used();
    held[0].finish().await.unwrap();
    assert!(account.used() < before);
    drop(held);
    assert_eq!(account.used(), 0);
}
