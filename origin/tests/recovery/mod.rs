//! Confirming an address, and choosing a password for one that was forgotten.

mod pages;
mod registering_unseen;
mod requests;
mod reset;
mod verification;

use mail_parser::MessageParser;
use reqwest::Response;
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::mail::{Folder, run_all_jobs};

/// A mail that has arrived.
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// Runs all jobs, and takes the mails that have arrived out of the folder, in the order of their subjects.
pub(crate) async fn mails(server: &TestServer, folder: &Folder) -> Vec<Mail> {
    run_all_jobs(server).await;
    let mut mails: Vec<Mail> = folder
        .files()
        .iter()
        .map(|file| {
            let text = std::fs::read(file).unwrap();
            std::fs::remove_file(file).unwrap();
            let mail = MessageParser::default().parse(&text).unwrap();
            let to = mail.to().unwrap().first().unwrap().address().unwrap().to_owned();
            Mail {
                to,
                subject: mail.subject().unwrap().to_owned(),
                text: mail.body_text(0).unwrap().into(),
                html: mail.body_html(0).unwrap().into(),
            }
        })
        .collect();
    mails.sort_by(|one, other| one.subject.cmp(&other.subject));
    mails
}

impl Mail {
    /// The link of the mail: the same in both bodies.
    fn link(&self) -> String {
        let link = self
            .text
            .lines()
            .find(|line| line.starts_with("https://"))
            .unwrap()
            .trim();
        assert!(self.html.contains(&format!("href=\"{link}\"")), "{}", self.html);
        link.to_owned()
    }

    /// The secret of the link.
    pub(crate) fn token(&self) -> String {
        self.link().split_once("token=").unwrap().1.to_owned()
    }
}

/// The only mail with this subject.
pub(crate) fn only<'m>(mails: &'m [Mail], subject: &str) -> &'m Mail {
    let found: Vec<&Mail> = mails.iter().filter(|mail| mail.subject == subject).collect();
    let [mail] = found.as_slice() else {
        panic!("{:?}", mails.iter().map(|mail| &mail.subject).collect::<Vec<_>>());
    };
    mail
}

const CONFIRM: &str = "Confirm your address for Default";
pub(crate) const CHOOSE: &str = "Choose a new password for Default";

pub(crate) async fn post(server: &TestServer, path: &str, body: &Value) -> Response {
    server.post(path).json(body).send().await.unwrap()
}

async fn forgot(server: &TestServer, email: &str) -> Response {
    post(server, "/auth/forgot-password", &json!({"email": email})).await
}

async fn reset(server: &TestServer, token: &str, password: &str) -> Response {
    let body = json!({"token": token, "newPassword": password});
    post(server, "/auth/reset-password", &body).await
}

async fn verify(server: &TestServer, token: &str) -> Response {
    post(server, "/auth/verify-email", &json!({"token": token})).await
}

/// The secret that arrives after somebody has asked for a new password.
async fn reset_token(server: &TestServer, folder: &Folder, email: &str) -> String {
    assert_eq!(forgot(server, email).await.status().as_u16(), 202);
    only(&mails(server, folder).await, CHOOSE).token()
}
