//! Sets a letter, as text and as HTML, and puts its headers on it.

use std::net::IpAddr;
use std::time::SystemTime;

use askama::Template;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, MultiPart, MultiPartKind, SinglePart};
use secrecy::ExposeSecret as _;

use crate::audit::RecordedEvent;
use crate::kernel::config::MailConfig;
use crate::kernel::time::{TimeDelta, Timestamp};

use super::content::{Block, Content, House, content, moment};
use super::device;
use super::error::MailError;
use super::model::{Errand, Letter, Lock, Opening, Recipient, Topic};

/// Most characters of a line of text, but for links (RFC 5322 §2.1.1).
const COLUMNS: usize = 78;
/// Most bytes of any line (RFC 5322 §2.1.1).
const LONGEST_LINE: usize = 998;

/// A mail that is ready to leave.
pub(super) struct Mail {
    pub(super) message: Message,
    /// The same for the same letter, so that one that is written twice is there once.
    pub(super) file_name: String,
    /// What stands in it.
    pub(super) sheet: Sheet,
}

/// A letter that is set, twice.
pub(super) struct Sheet {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// What is the same in every letter.
pub(super) struct Stationery {
    from: Mailbox,
    reply_to: Option<Mailbox>,
    /// How long an account is kept that was given up.
    purge_after: TimeDelta,
}

/// What was found about a letter.
pub(super) enum Found {
    /// What happened.
    Event(RecordedEvent),
    /// What its reader may do.
    Errand(Errand),
}

/// What the templates are filled with.
struct Words<'a> {
    tenant: &'a str,
    /// `None`: the reader is greeted without a name.
    first_name: Option<&'a str>,
    facts: Vec<(&'static str, String)>,
    content: Content,
    support: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct Text<'a> {
    words: &'a Words<'a>,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    words: &'a Words<'a>,
}

impl Text<'_> {
    fn wrapped(text: &str) -> String {
        textwrap::fill(text, COLUMNS)
    }
}

impl Stationery {
    pub(super) fn new(config: &MailConfig, purge_after: TimeDelta) -> Self {
        Self {
            from: config.from.clone(),
            reply_to: config.reply_to.clone(),
            purge_after,
        }
    }

    /// Writes the letter to its recipient. It is dated `now`.
    pub(super) fn compose(
        &self,
        letter: Letter,
        found: &Found,
        recipient: &Recipient,
        now: Timestamp,
    ) -> Result<Mail, MailError> {
        let sheet = self.set(letter, found, recipient, now)?;
        let identity = letter.identity();
        let address = recipient.address.parse().map_err(|_| MailError::Form)?;
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(sheet.subject.clone())
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
                    .singlepart(part(ContentType::TEXT_PLAIN, sheet.text.clone()))
                    .singlepart(part(ContentType::TEXT_HTML, sheet.html.clone())),
            )
            .map_err(|_| MailError::Form)?;
        Ok(Mail {
            message,
            file_name: format!("{identity}.eml"),
            sheet,
        })
    }

    fn set(
        &self,
        letter: Letter,
        found: &Found,
        recipient: &Recipient,
        now: Timestamp,
    ) -> Result<Sheet, MailError> {
        let tenant = on_one_line(&recipient.tenant_name);
        let support = self.reply_to.as_ref().map(|mailbox| mailbox.email.as_ref());
        let house = House {
            tenant: &tenant,
            support,
            purge_after: self.purge_after,
        };
        let topic = topic(letter, found).ok_or(MailError::Form)?;
        let words = Words {
            tenant: &tenant,
            first_name: Some(recipient.first_name.as_str()).filter(|name| !resembles_a_link(name)),
            facts: facts(found),
            content: content(&topic, &house, now),
            support,
        };
        let text = Text { words: &words }.render()?;
        let html = Html { words: &words }.render()?;
        Ok(Sheet {
            subject: words.content.subject,
            text,
            html,
        })
    }
}

/// A body that stands in the mail as it is, wherever mail servers take it so (RFC 5322 §2.1.1): a link that is folded by
/// quoted-printable is of no use to whoever reads the mail with simple tools.
fn part(kind: ContentType, text: String) -> SinglePart {
    let stands = text.is_ascii()
        && !text.contains(['\0', '\r'])
        && text.lines().all(|line| line.len() <= LONGEST_LINE);
    let builder = SinglePart::builder().header(kind);
    if stands {
        let lines = text.replace('\n', "\r\n").into_bytes();
        builder.body(Body::dangerous_pre_encoded(
            lines,
            ContentTransferEncoding::SevenBit,
        ))
    } else {
        builder.body(text)
    }
}

/// What a letter is about; `None` where something else was found than it is about.
fn topic(letter: Letter, found: &Found) -> Option<Topic<'_>> {
    let opening = match found {
        Found::Errand(errand) => Some(Opening {
            secret: errand.secret.expose_secret(),
            expires_at: errand.expires_at,
        }),
        Found::Event(_) => None,
    };
    match letter {
        Letter::SessionEndedByReuse { .. } => Some(Topic::SessionEndedByReuse),
        Letter::VerifyEmail { .. } => opening.map(Topic::VerifyEmail),
        Letter::AlreadyRegistered { .. } => Some(Topic::AlreadyRegistered),
        Letter::SignInLocked { .. } => lock(found).map(Topic::SignInLocked),
        Letter::ResetPassword { .. } => opening.map(Topic::ResetPassword),
        Letter::AccountDeleted { .. } => Some(Topic::AccountDeleted),
        Letter::PasswordReset { .. } => Some(Topic::PasswordReset),
        Letter::PasswordChanged { .. } => Some(Topic::PasswordChanged),
        Letter::NewSignIn { .. } => Some(Topic::NewSignIn),
        Letter::SignInCode { .. } => opening.map(Topic::SignInCode),
        Letter::MfaChanged { .. } => Some(Topic::MfaChanged(detail(found, "change")?.as_str()?)),
        Letter::BackupCodesLow { .. } => Some(Topic::BackupCodesLow(detail(found, "left")?.as_u64()?)),
    }
}

/// What the event says of a lock.
fn lock(found: &Found) -> Option<Lock<'_>> {
    Some(Lock {
        of: detail(found, "of")?.as_str()?,
        until: detail(found, "until")?.as_str()?.parse().ok()?,
    })
}

/// What else the event says.
fn detail<'f>(found: &'f Found, name: &str) -> Option<&'f serde_json::Value> {
    match found {
        Found::Event(event) => event.detail.get(name),
        Found::Errand(_) => None,
    }
}

/// When, from where, and on what, as far as it is known.
fn facts(found: &Found) -> Vec<(&'static str, String)> {
    let Found::Event(event) = found else {
        return Vec::new();
    };
    let when = moment(event.occurred_at);
    let address = event.ip_address.as_ref().map(IpAddr::to_string);
    let device = event.user_agent.as_deref().and_then(device::describe);
    let all = [("When", Some(when)), ("Address", address), ("Device", device)];
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
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
