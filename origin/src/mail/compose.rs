//! Writes a letter: what it says, in text and in HTML, and its headers.

use std::net::IpAddr;
use std::time::SystemTime;

use askama::Template;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, MultiPartKind, SinglePart};

use crate::audit::RecordedEvent;
use crate::kernel::config::MailConfig;
use crate::kernel::time::Timestamp;

use super::device;
use super::error::MailError;
use super::model::{Letter, Recipient};

/// A mail that is ready to leave.
pub(super) struct Mail {
    pub(super) message: Message,
    /// The same for the same letter, so that one that is written twice is there once.
    pub(super) file_name: String,
}

/// What is the same in every letter.
pub(super) struct Stationery {
    from: Mailbox,
    reply_to: Option<Mailbox>,
}

/// What a template is filled with.
struct Words<'a> {
    tenant: &'a str,
    /// `None`: the reader is greeted without a name.
    first_name: Option<&'a str>,
    /// In UTC, to the minute.
    occurred_at: String,
    ip_address: Option<IpAddr>,
    device: Option<String>,
    support: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "mail/session_ended_by_reuse.txt")]
struct SessionEndedByReuseText<'a> {
    words: &'a Words<'a>,
}

#[derive(Template)]
#[template(path = "mail/session_ended_by_reuse.html")]
struct SessionEndedByReuseHtml<'a> {
    words: &'a Words<'a>,
}

impl Stationery {
    pub(super) fn new(config: &MailConfig) -> Self {
        Self {
            from: config.from.clone(),
            reply_to: config.reply_to.clone(),
        }
    }

    /// Writes the letter about `event` to its recipient. It is dated `now`.
    pub(super) fn compose(
        &self,
        letter: Letter,
        event: &RecordedEvent,
        recipient: &Recipient,
        now: Timestamp,
    ) -> Result<Mail, MailError> {
        let tenant = on_one_line(&recipient.tenant_name);
        let words = Words {
            tenant: &tenant,
            first_name: Some(recipient.first_name.as_str()).filter(|name| !resembles_a_link(name)),
            occurred_at: event.occurred_at.format("%-d %B %Y, %H:%M UTC").to_string(),
            ip_address: event.ip_address,
            device: event.user_agent.as_deref().and_then(device::describe),
            support: self.reply_to.as_ref().map(|mailbox| mailbox.email.as_ref()),
        };
        let (identity, subject, text, html) = match letter {
            Letter::SessionEndedByReuse { event } => (
                format!("session-ended-by-reuse-{event}"),
                format!("You were signed out of {tenant}"),
                SessionEndedByReuseText { words: &words }.render()?,
                SessionEndedByReuseHtml { words: &words }.render()?,
            ),
        };
        let address = recipient.address.parse().map_err(|_| MailError::Form)?;
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(subject)
            .date(SystemTime::from(now))
            .message_id(Some(format!("<{identity}@{}>", self.from.email.domain())));
        if let Some(reply_to) = &self.reply_to {
            message = message.reply_to(reply_to.clone());
        }
        // RFC 3834: no machine is to answer this.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let message = message
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .multipart(
                MultiPart::builder()
                    .kind(MultiPartKind::Alternative)
                    .boundary(format!("=_{identity}"))
                    .singlepart(SinglePart::plain(text))
                    .singlepart(SinglePart::html(html)),
            )
            .map_err(|_| MailError::Form)?;
        Ok(Mail {
            message,
            file_name: format!("{identity}.eml"),
        })
    }
}

fn on_one_line(text: &str) -> String {
    let parts: Vec<&str> = text
        .split(char::is_control)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(" ")
}

/// Whether a mail program might make a link of it. Anybody may register with another's address, and a name of their
/// choice: what we send must not be a way to have a link of theirs delivered.
fn resembles_a_link(name: &str) -> bool {
    let dot_within_a_word = name
        .split('.')
        .skip(1)
        .any(|rest| rest.chars().next().is_some_and(|next| !next.is_whitespace()));
    name.contains(['/', ':', '@', '\\']) || dot_within_a_word || name.to_ascii_lowercase().contains("www")
}
