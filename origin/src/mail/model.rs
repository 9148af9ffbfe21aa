//! What may be written, and to whom.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use strum::{EnumDiscriminants, EnumIter, IntoEnumIterator as _, IntoStaticStr};

use crate::jobs::{JobError, Task};
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{AuditEventId, ChallengeId, TenantId, TicketId, UserId};
use crate::kernel::time::Timestamp;

/// One letter to one person, as it waits in the queue. The stored names never change.
#[derive(Clone, Copy, Debug, Deserialize, EnumDiscriminants, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum_discriminants(
    name(LetterKind),
    derive(EnumIter, IntoStaticStr),
    strum(serialize_all = "kebab-case"),
    doc = "What letters there are: the kinds of [`Letter`], which makes them."
)]
pub enum Letter {
    /// A refresh token was used after it had been replaced, and its session was ended for that.
    SessionEndedByReuse {
        /// The event `refresh_reused`: whose session, when, and from where.
        event: AuditEventId,
    },
    /// An account was made, and its address is to be confirmed.
    VerifyEmail {
        /// What the link is for.
        ticket: TicketId,
    },
    /// Somebody has tried to register with the address of this account, and was not told of it.
    AlreadyRegistered {
        /// The event `registration_repeated`.
        event: AuditEventId,
    },
    /// Somebody has asked for a new password.
    ResetPassword {
        /// What the link is for.
        ticket: TicketId,
    },
    /// The password was replaced by who had such a link.
    PasswordReset {
        /// The event `password_reset`.
        event: AuditEventId,
    },
    /// Wrong passwords have locked the account for a while.
    SignInLocked {
        /// The event `sign_in_locked`.
        event: AuditEventId,
    },
    /// The account was given up.
    AccountDeleted {
        /// The event `account_deleted`.
        event: AuditEventId,
    },
    /// The password was replaced by who knew it.
    PasswordChanged {
        /// The event `password_changed`.
        event: AuditEventId,
    },
    /// Somebody has signed in with the right password, on a device that the account hardly knows.
    NewSignIn {
        /// The event `logged_in`.
        event: AuditEventId,
    },
    /// Somebody who knows the password signs in on a device that the account does not know, and is to show that they read its mail.
    SignInCode {
        /// What the code answers.
        challenge: ChallengeId,
    },
    /// What signing in takes was changed.
    MfaChanged {
        /// The event `mfa_enabled`, `mfa_disabled` or `backup_codes_replaced`.
        event: AuditEventId,
    },
    /// Few backup codes are left.
    BackupCodesLow {
        /// The event `backup_code_used`.
        event: AuditEventId,
    },
}

impl Letter {
    /// What is to be looked up before it can be written.
    pub(super) const fn subject(self) -> Subject {
        match self {
            Self::SessionEndedByReuse { event }
            | Self::AlreadyRegistered { event }
            | Self::SignInLocked { event }
            | Self::AccountDeleted { event }
            | Self::PasswordReset { event }
            | Self::PasswordChanged { event }
            | Self::NewSignIn { event }
            | Self::MfaChanged { event }
            | Self::BackupCodesLow { event } => Subject::Event(event),
            Self::VerifyEmail { ticket } | Self::ResetPassword { ticket } => Subject::Ticket(ticket),
            Self::SignInCode { challenge } => Subject::Challenge(challenge),
        }
    }

    /// Whether it goes to somebody whose account is deleted, though not gone yet.
    pub(super) const fn is_a_farewell(self) -> bool {
        match self {
            Self::AccountDeleted { .. } => true,
            Self::SessionEndedByReuse { .. }
            | Self::VerifyEmail { .. }
            | Self::AlreadyRegistered { .. }
            | Self::SignInLocked { .. }
            | Self::ResetPassword { .. }
            | Self::PasswordReset { .. }
            | Self::PasswordChanged { .. }
            | Self::NewSignIn { .. }
            | Self::SignInCode { .. }
            | Self::MfaChanged { .. }
            | Self::BackupCodesLow { .. } => false,
        }
    }

    /// A name that no other letter has: two copies of one letter are recognised by it.
    pub(super) fn identity(self) -> String {
        let kind = LetterKind::from(self).name();
        match self.subject() {
            Subject::Event(event) => format!("{kind}-{event}"),
            Subject::Ticket(ticket) => format!("{kind}-{ticket}"),
            Subject::Challenge(challenge) => format!("{kind}-{challenge}"),
        }
    }
}

impl LetterKind {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }

    /// What it is called, in `Message-ID`s and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Task for Letter {
    const NAME: &'static str = "send_mail";
    /// For about two days, which is longer than a weekend's outage of a mail server that nobody looks after.
    const ATTEMPTS: i32 = 16;
    /// The transport's own limit, which is configured, is shorter.
    const TIME_LIMIT: Duration = Duration::from_mins(6);
}

/// What a letter is about.
pub(super) enum Subject {
    /// Something that happened.
    Event(AuditEventId),
    /// Something that its reader may do with a link.
    Ticket(TicketId),
    /// Something that its reader may do with a code.
    Challenge(ChallengeId),
}

/// What a letter says, once all is known. One for each kind of letter.
pub(super) enum Topic<'a> {
    SessionEndedByReuse,
    VerifyEmail(Opening<'a>),
    AlreadyRegistered,
    SignInLocked(Lock<'a>),
    ResetPassword(Opening<'a>),
    AccountDeleted,
    PasswordReset,
    PasswordChanged,
    NewSignIn,
    SignInCode(Opening<'a>),
    /// What was done, as the event has it.
    MfaChanged(&'a str),
    /// How many are left.
    BackupCodesLow(u64),
}

/// A link or a code, and until when it is good.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) secret: &'a str,
    pub(super) expires_at: Timestamp,
}

/// What is locked, and until when.
#[derive(Clone, Copy)]
pub(super) struct Lock<'a> {
    /// `account`, `device`, `holder` or `factor`, as the event has it.
    pub(super) of: &'a str,
    pub(super) until: Timestamp,
}

/// Somebody who is written to.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub address: String,
    /// The first name, as its owner typed it.
    pub first_name: String,
    /// What the operator calls the tenant.
    pub tenant_name: String,
}

/// Who somebody is does not belong in logs.
impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipient(…)")
    }
}

/// What somebody may do who has the link or the code of a letter.
#[derive(Debug)]
pub struct Errand {
    /// The tenant of the account.
    pub tenant: TenantId,
    /// The account.
    pub user: UserId,
    /// The link or the code: good once.
    pub secret: SecretString,
    /// Until when.
    pub expires_at: Timestamp,
}

/// What the rooms know that own accounts, tickets and challenges; handed in by the wiring.
pub trait Registry: Send + Sync {
    /// The account of a user, unless it was deleted.
    fn recipient<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        tenant: TenantId,
        user: UserId,
    ) -> BoxFuture<'c, Result<Option<Recipient>, JobError>>;

    /// The same, also if it was deleted, for as long as it is kept.
    fn last_recipient<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        tenant: TenantId,
        user: UserId,
    ) -> BoxFuture<'c, Result<Option<Recipient>, JobError>>;

    /// What a ticket is for. `None`: it was used, has expired, or a newer one has taken its place.
    fn errand<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        ticket: TicketId,
        now: Timestamp,
    ) -> BoxFuture<'c, Result<Option<Errand>, JobError>>;

    /// What code answers a challenge. `None`: it was answered or ended, or has expired.
    fn sign_in_code<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        challenge: ChallengeId,
        now: Timestamp,
    ) -> BoxFuture<'c, Result<Option<Errand>, JobError>>;
}
