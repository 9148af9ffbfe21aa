//! What is written to people; in development, into a folder.

use std::time::Duration;

use portcullis_tests::account::{Account, fresh_password, refresh_token_in};
use portcullis_tests::answer::Answer;
use portcullis_tests::eventually;
use portcullis_tests::world::{Door, state};
use serde_json::json;
use xtask::stack::ISSUER;

/// The queue is looked at every two seconds.
const SOON: Duration = Duration::from_secs(15);

/// The mails to this address, as they lie in the folder.
pub(super) fn mails_to(address: &str) -> Vec<String> {
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

/// The only mail to this address with this subject, once it is there.
pub(super) async fn mail_to(address: &str, subject: &str) -> String {
    let line = format!("Subject: {subject}");
    let mails = eventually("the mail is there", SOON, async || {
        let mut mails = mails_to(address);
        mails.retain(|mail| mail.contains(&line));
        Some(mails).filter(|mails| !mails.is_empty())
    })
    .await;
    let [mail] = mails.as_slice() else {
        panic!("one letter, not {}", mails.len())
    };
    mail.clone()
}

/// The link of a mail, as it stands in the text.
fn link_in(mail: &str) -> String {
    let line = mail
        .lines()
        .find(|line| line.starts_with("http") && line.contains("?token="));
    line.unwrap_or_else(|| panic!("no link: {mail}"))
        .trim()
        .to_owned()
}

fn token_in(mail: &str) -> String {
    link_in(mail).split_once("token=").unwrap().1.to_owned()
}

fn text_of(page: &Answer) -> &str {
    std::str::from_utf8(&page.body).unwrap()
}

#[tokio::test]
async fn who_registers_confirms_their_address_by_the_page_that_a_link_opens() {
    let door = Door::edge();
    let account = Account::register(&door).await;
    let link = link_in(&mail_to(&account.email, "Confirm your address for ").await);
    let path = link
        .strip_prefix(ISSUER)
        .expect("the link leads through the edge");
    let page = account.client.get(path).send().await.expect(200);
    assert!(text_of(&page).contains("Confirm this address"));
    let before = account.me(account.access_token()).await.expect(200).json();
    assert_eq!(before["user"]["emailVerified"], false);

    let form = format!("token={}", link.split_once("token=").unwrap().1);
    let pressed = account
        .client
        .post("/auth/verify-email")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(form)
        .send()
        .await
        .expect(200);
    assert!(text_of(&pressed).contains("Your address is confirmed"));
    let after = account.me(account.access_token()).await.expect(200).json();
    assert_eq!(after["user"]["emailVerified"], true);
}

#[tokio::test]
async fn who_has_forgotten_their_password_chooses_another_and_is_signed_out_everywhere() {
    let door = Door::edge();
    let account = Account::register(&door).await;
    let wish = json!({"email": account.email});
    account
        .client
        .post("/auth/forgot-password")
        .json(&wish)
        .send()
        .await
        .expect(202);
    let token = token_in(&mail_to(&account.email, "Choose a new password for ").await);
    let new = fresh_password();
    let choice = json!({"token": token, "newPassword": new});
    account
        .client
        .post("/auth/reset-password")
        .json(&choice)
        .send()
        .await
        .expect(204);
    account
        .client
        .post("/auth/reset-password")
        .json(&choice)
        .send()
        .await
        .problem(400, "invalid_or_expired_token");

    account
        .refresh(account.refresh_token())
        .await
        .problem(401, "invalid_refresh_token");
    account.login().await.problem(401, "invalid_credentials");
    let token = account.access_token();
    eventually(
        "the edge refuses the old token",
        Duration::from_secs(6),
        async || {
            let answer = account.client.get("/api/echo").bearer(token).send().await;
            (answer.status == 401).then_some(())
        },
    )
    .await;
    let changed = Account {
        password: new,
        ..account
    };
    changed.login().await.expect(200);
    mail_to(&changed.email, "Your password for ").await;
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
    mail_to(&account.email, "You were signed out of ").await;
}
