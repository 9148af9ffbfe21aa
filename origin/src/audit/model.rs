//! The events.

use crate::http::RequestContext;
use crate::kernel::ids::{SessionId, TenantId, UserId};
use crate::kernel::time::Timestamp;

use crate::kernel::ids::{AuditEventId, Id};
use crate::kernel::random::Entropy;
use std::net::IpAddr;

/// What happened. The stored names never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// An account was made.
    Registered,
    /// An account was brought in from another service.
    Imported,
    /// A session began.
    LoggedIn,
    /// Somebody knew the password of an account, and was asked for something more.
    LoginChallenged,
    /// Credentials were refused.
    LoginFailed,
    /// Too many failures have locked an account, a device, who is signed in, or a client, for a while.
    SignInLocked,
    /// Such locks of an account were ended before their time.
    SignInUnlocked,
    /// A refresh token that was just replaced came again, and was answered with the same successor.
    RefreshReplayed,
    /// A refresh token came that had been replaced for good; its session was revoked.
    RefreshReused,
    /// A session was ended by its owner.
    LoggedOut,
    /// A session was ended by a service client, which revoked one of its tokens.
    TokenRevoked,
    /// Somebody failed to authenticate as a service client.
    ClientRefused,
    /// A session was ended by its owner from another one.
    SessionRevoked,
    /// Several sessions of one account were ended at once.
    SessionsRevoked,
    /// A device was forgotten by an account's holder.
    DeviceForgotten,
    /// Several devices of one account were forgotten at once.
    DevicesForgotten,
    /// Somebody has tried to register with the address of an account, and was not told of it.
    RegistrationRepeated,
    /// An account's holder was sent another link to confirm its address by.
    VerificationResent,
    /// An account's holder has shown that its address is theirs.
    EmailVerified,
    /// Somebody has asked for a new password; whether there is such an account was not looked at.
    PasswordResetRequested,
    /// An account was sent a link to choose a new password by.
    PasswordResetOffered,
    /// A password was replaced by who had such a link.
    PasswordReset,
    /// A password was replaced by its owner.
    PasswordChanged,
    /// Somebody who is signed in did not know the password of the account.
    PasswordRefused,
    /// Somebody who is signed in has proved once more who they are.
    SteppedUp,
    /// Somebody who is signed in has shown a wrong code.
    CodeRefused,
    /// A second factor is being set up.
    MfaSetUp,
    /// Signing in takes a second factor from now on.
    MfaEnabled,
    /// Signing in takes no second factor any more.
    MfaDisabled,
    /// An account was given other backup codes.
    BackupCodesReplaced,
    /// A backup code has stood in for an authenticator app.
    BackupCodeUsed,
    /// A key of a device can sign in to an account.
    DeviceKeyAdded,
    /// A key of a device can no longer.
    DeviceKeyRemoved,
    /// All that is stored about an account was handed out to its holder.
    AccountExported,
    /// An account was suspended.
    AccountLocked,
    /// The suspension of an account was ended.
    AccountUnlocked,
    /// An account was closed.
    AccountDisabled,
    /// An account was opened again.
    AccountEnabled,
    /// An account's holder has changed what it says of them.
    ProfileChanged,
    /// An account was given up by its holder: nobody sees it any more.
    AccountDeleted,
    /// An account that was given up is gone.
    AccountPurged,
    /// An account was given another global role.
    RoleChanged,
    /// An account was granted a role at a venue.
    VenueRoleGranted,
    /// A role at a venue that an account holds ends at another time than before.
    VenueRoleChanged,
    /// A role at a venue was taken away from an account.
    VenueRoleRevoked,
    /// A role at a venue has run out.
    VenueRoleExpired,
    /// The revocation feed began a new epoch, because the database was set back to an earlier state.
    FeedEpochBegun,
    /// A signing key was made.
    KeyGenerated,
    /// A signing key was brought in from outside.
    KeyImported,
    /// A signing key began to sign.
    KeyActivated,
    /// A signing key ceased to sign; it stays published until its last token has expired.
    KeyRetired,
    /// A signing key left the key set for good, and its private part was erased.
    KeyRemoved,
    /// Secrets were moved to another master key.
    SecretsRewrapped,
    /// Jobs that had been given up, or waited, were put back by an operator.
    JobsRetried,
    /// Audit events that were older than the configured retention were removed.
    AuditTrimmed,
}

impl EventKind {
    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Imported => "imported",
            Self::LoggedIn => "logged_in",
            Self::LoginChallenged => "login_challenged",
            Self::LoginFailed => "login_failed",
            Self::SignInLocked => "sign_in_locked",
            Self::SignInUnlocked => "sign_in_unlocked",
            Self::RefreshReplayed => "refresh_replayed",
            Self::RefreshReused => "refresh_reused",
            Self::LoggedOut => "logged_out",
            Self::TokenRevoked => "token_revoked",
            Self::ClientRefused => "client_refused",
            Self::SessionRevoked => "session_revoked",
            Self::SessionsRevoked => "sessions_revoked",
            Self::DeviceForgotten => "device_forgotten",
            Self::DevicesForgotten => "devices_forgotten",
            Self::RegistrationRepeated => "registration_repeated",
            Self::VerificationResent => "verification_resent",
            Self::EmailVerified => "email_verified",
            Self::PasswordResetRequested => "password_reset_requested",
            Self::PasswordResetOffered => "password_reset_offered",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::PasswordRefused => "password_refused",
            Self::SteppedUp => "stepped_up",
            Self::CodeRefused => "code_refused",
            Self::MfaSetUp => "mfa_set_up",
            Self::MfaEnabled => "mfa_enabled",
            Self::MfaDisabled => "mfa_disabled",
            Self::BackupCodesReplaced => "backup_codes_replaced",
            Self::BackupCodeUsed => "backup_code_used",
            Self::DeviceKeyAdded => "device_key_added",
            Self::DeviceKeyRemoved => "device_key_removed",
            Self::AccountExported => "account_exported",
            Self::AccountLocked => "account_locked",
            Self::AccountUnlocked => "account_unlocked",
            Self::AccountDisabled => "account_disabled",
            Self::AccountEnabled => "account_enabled",
            Self::ProfileChanged => "profile_changed",
            Self::AccountDeleted => "account_deleted",
            Self::AccountPurged => "account_purged",
            Self::RoleChanged => "role_changed",
            Self::VenueRoleGranted => "venue_role_granted",
            Self::VenueRoleChanged => "venue_role_changed",
            Self::VenueRoleRevoked => "venue_role_revoked",
            Self::VenueRoleExpired => "venue_role_expired",
            Self::FeedEpochBegun => "feed_epoch_begun",
            Self::KeyGenerated => "key_generated",
            Self::KeyImported => "key_imported",
            Self::KeyActivated => "key_activated",
            Self::KeyRetired => "key_retired",
            Self::KeyRemoved => "key_removed",
            Self::SecretsRewrapped => "secrets_rewrapped",
            Self::JobsRetried => "jobs_retried",
            Self::AuditTrimmed => "audit_trimmed",
        }
    }
}

/// What the log says of an event, for who has to tell somebody of it.
pub struct RecordedEvent {
    /// The tenant it happened in.
    pub tenant: Option<TenantId>,
    /// Whose account it concerns.
    pub subject: Option<UserId>,
    /// Where it was caused from.
    pub ip_address: Option<IpAddr>,
    /// By which program, at most 512 characters.
    pub user_agent: Option<String>,
    /// What else is known.
    pub detail: serde_json::Value,
    /// When.
    pub occurred_at: Timestamp,
}

/// One event. Start from [`Event::of_request`] or [`Event::of_operator`] and add what is known.
#[derive(Clone, Debug)]
pub struct Event {
    pub(super) id: AuditEventId,
    pub(super) kind: EventKind,
    pub(super) occurred_at: Timestamp,
    pub(super) tenant: Option<TenantId>,
    pub(super) actor: Option<UserId>,
    pub(super) subject: Option<UserId>,
    pub(super) session: Option<SessionId>,
    pub(super) ip_address: Option<IpAddr>,
    pub(super) user_agent: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) detail: serde_json::Map<String, serde_json::Value>,
}

impl Event {
    /// An event of a request: moment, client and request id are the request's.
    #[must_use]
    pub fn of_request(context: &RequestContext, kind: EventKind) -> Self {
        Self {
            ip_address: Some(context.client_ip),
            user_agent: context.user_agent.clone(),
            request_id: Some(context.request_id.as_str().to_owned()),
            ..Self::of_operator(context.now, context.entropy(), kind)
        }
    }

    /// An event of the command line or of the server itself: nobody is its actor.
    #[must_use]
    pub fn of_operator(now: Timestamp, entropy: &dyn Entropy, kind: EventKind) -> Self {
        Self {
            id: AuditEventId::generate(now, entropy),
            kind,
            occurred_at: now,
            tenant: None,
            actor: None,
            subject: None,
            session: None,
            ip_address: None,
            user_agent: None,
            request_id: None,
            detail: serde_json::Map::new(),
        }
    }

    /// The identifier by which it can be found again.
    #[must_use]
    pub fn id(&self) -> AuditEventId {
        self.id
    }

    /// The tenant it happened in.
    #[must_use]
    pub fn tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Who did it.
    #[must_use]
    pub fn actor(mut self, actor: UserId) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Whose account it concerns.
    #[must_use]
    pub fn subject(mut self, subject: UserId) -> Self {
        self.subject = Some(subject);
        self
    }

    /// The session it concerns.
    #[must_use]
    pub fn session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// What else is worth keeping; never a secret, and no number with a fraction, which could be written in two ways.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }
}
