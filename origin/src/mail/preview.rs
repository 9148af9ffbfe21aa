//! Letters to nobody, for an operator to look at: composed as all others are, about things that have not happened.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;
use uuid::Uuid;

use crate::audit::RecordedEvent;
use crate::kernel::ids::{AuditEventId, ChallengeId, TenantId, TicketId, UserId};
use crate::kernel::time::{TimeDelta, Timestamp, rfc3339};

use super::Mailer;
use super::compose::{Found, Mail};
use super::error::MailError;
use super::model::{Errand, Letter, LetterKind, Recipient, Subject};

/// The morning of 25 November 2026: the same in every preview, so that two of them can be compared.
const MOMENT: TimeDelta = TimeDelta::seconds(1_795_599_000);
const EXAMPLE: Uuid = Uuid::from_u128(0x019a_0000_0000_7000_8000_0000_0000_0000);
const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// A letter as it would arrive.
pub struct Preview {
    /// What it is called in a list of mails.
    pub subject: String,
    /// The letter for programs that show text.
    pub text: String,
    /// The letter for those that show HTML.
    pub html: String,
    /// The whole mail, as a mail server would be given it.
    pub eml: Vec<u8>,
}

impl From<Mail> for Preview {
    fn from(mail: Mail) -> Self {
        Self {
            subject: mail.sheet.subject,
            text: mail.sheet.text,
            html: mail.sheet.html,
            eml: mail.message.formatted(),
        }
    }
}

impl LetterKind {
    /// When previews are written.
    #[must_use]
    pub fn moment_of_previews() -> Timestamp {
        Timestamp::UNIX_EPOCH + MOMENT
    }

    /// A letter of this kind, about nothing that is there.
    #[must_use]
    pub fn example(self) -> Letter {
        let (event, ticket) = (AuditEventId::from(EXAMPLE), TicketId::from(EXAMPLE));
        let challenge = ChallengeId::from(EXAMPLE);
        match self {
            Self::SessionEndedByReuse => Letter::SessionEndedByReuse { event },
            Self::VerifyEmail => Letter::VerifyEmail { ticket },
            Self::AlreadyRegistered => Letter::AlreadyRegistered { event },
            Self::ResetPassword => Letter::ResetPassword { ticket },
            Self::PasswordReset => Letter::PasswordReset { event },
            Self::SignInLocked => Letter::SignInLocked { event },
            Self::AccountDeleted => Letter::AccountDeleted { event },
            Self::PasswordChanged => Letter::PasswordChanged { event },
            Self::NewSignIn => Letter::NewSignIn { event },
            Self::SignInCode => Letter::SignInCode { challenge },
            Self::MfaChanged => Letter::MfaChanged { event },
            Self::BackupCodesLow => Letter::BackupCodesLow { event },
        }
    }
}

impl Mailer {
    /// Composes a letter of this kind to an imagined member of a tenant. `errand` makes up what a link or a code is for.
    pub fn preview(
        &self,
        kind: LetterKind,
        tenant_name: &str,
        errand: impl FnOnce(Letter) -> Option<Errand>,
    ) -> Result<Preview, MailError> {
        let office = self.0.as_ref().ok_or(MailError::Off)?;
        let letter = kind.example();
        let found = match letter.subject() {
            Subject::Event(_) => Found::Event(event()),
            Subject::Ticket(_) | Subject::Challenge(_) => {
                Found::Errand(errand(letter).ok_or(MailError::Form)?)
            }
        };
        let recipient = Recipient {
            address: "ada@example.com".to_owned(),
            first_name: "Ada".to_owned(),
            tenant_name: tenant_name.to_owned(),
        };
        let mail = office
            .stationery
            .compose(letter, &found, &recipient, LetterKind::moment_of_previews())?;
        Ok(mail.into())
    }
}

/// Something that has happened to nobody, with what any letter asks for.
fn event() -> RecordedEvent {
    RecordedEvent {
        tenant: Some(TenantId::from(EXAMPLE)),
        subject: Some(UserId::from(EXAMPLE)),
        ip_address: Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7))),
        user_agent: Some(USER_AGENT.to_owned()),
        detail: json!({
            "of": "account",
            "change": "mfa_enabled",
            "left": 3,
            "until": rfc3339(LetterKind::moment_of_previews() + TimeDelta::minutes(15)),
        }),
        occurred_at: LetterKind::moment_of_previews(),
    }
}
