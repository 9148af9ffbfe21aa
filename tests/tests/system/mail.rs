//! What is written to people; in development, into a folder.

use std::time::Duration;

use portcullis_tests::account::{Account, refresh_token_in};
use portcullis_tests::eventually;
use portcullis_tests::world::{Door, state};

/// The queue is looked at every two seconds.
const SOON: Duration = Duration::from_secs(15);

/// The mails to this address, as they lie in the folder.
fn mails_to(address: &str) -> Vec<String> {
    let Ok(folder) = std::fs::read_dir(state().join("mail")) else {
        return Vec::new();
    };
    let recipient = format!("To: {address}\r\n");
    folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .filter(|mail| mail.contains(&recipient))
        .collect()
}

#[tokio::test]
async fn who_loses_a_session_to_a_reused_refresh_token_is_told_by_mail() {
    let account = Account::register(&Door::edge()).await;
    let second = refresh_token_in(&account.refresh(account.refresh_token()).await.expect(200));
    account.refresh(&second).await.expect(200);
    account
        .refresh(account.refresh_token())
        .await
        .problem(401, "refresh_token_reused");
    let mails = eventually("the mail is there", SOON, async || {
        Some(mails_to(&account.email)).filter(|mails| !mails.is_empty())
    })
    .await;
    let [mail] = mails.as_slice() else {
        panic!("one letter, not {}", mails.len())
    };
    assert!(mail.contains("Subject: You were signed out of "), "{mail}");
}
