//! Sessions as the other rooms see them.

use std::net::IpAddr;

use secrecy::SecretString;

use crate::accounts::User;
use crate::kernel::config::TokensConfig;
use crate::kernel::ids::{DeviceId, SecretKeyId, SessionId, TenantId, UserId};
use crate::kernel::time::{TimeDelta, Timestamp};

use super::judge::ChainState;

/// How strongly a sign-in was authenticated (NIST SP 800-63-4): the claim `acr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Acr {
    /// By one factor.
    Aal1,
    /// By two factors, or by one that is two in itself.
    Aal2,
}

impl Acr {
    /// The name in tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
        }
    }
}

/// When and how the holder of a session proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// When a factor was last proved: the claim `auth_time`.
    pub time: Timestamp,
    /// Which factors were proved (RFC 8176); never empty.
    pub amr: Vec<String>,
    /// How strong that was.
    pub acr: Acr,
}

impl Authentication {
    /// By a password, at `time`.
    #[must_use]
    pub fn by_password(time: Timestamp) -> Self {
        Self {
            time,
            amr: vec!["pwd".to_owned()],
            acr: Acr::Aal1,
        }
    }

    /// By a key that lives in a device, at `time`. What the device asks before it signs, nobody else knows: it is one factor.
    #[must_use]
    pub fn by_device_key(time: Timestamp) -> Self {
        Self::of(vec!["swk".to_owned()], time)
    }

    /// By one factor, or what counts as one, at `time`.
    #[must_use]
    pub fn of(amr: Vec<String>, time: Timestamp) -> Self {
        Self {
            time,
            amr,
            acr: Acr::Aal1,
        }
    }

    /// The same once the code of a mail was typed as well, at `time`. A mailbox is no authenticator of its own (NIST SP 800-63B-4 §3.1.3.1), so that
    /// this is no stronger, though another channel was used.
    #[must_use]
    pub fn confirmed_by_mail(&self, time: Timestamp) -> Self {
        self.repeated("mca", time)
    }

    /// The same once a code of an authenticator app was shown as well, or one that stands in for it, at `time`: two factors, whichever the other was.
    #[must_use]
    pub fn strengthened(&self, time: Timestamp) -> Self {
        Self {
            acr: Acr::Aal2,
            ..self.repeated("otp", time).repeated("mfa", time)
        }
    }

    /// The same once this factor was proved, at `time`.
    #[must_use]
    pub fn repeated(&self, factor: &str, time: Timestamp) -> Self {
        let mut amr = self.amr.clone();
        if !amr.iter().any(|known| known == factor) {
            amr.push(factor.to_owned());
        }
        Self {
            time,
            amr,
            acr: self.acr,
        }
    }
}

/// How long sessions and their refresh tokens last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// From the last refresh.
    pub idle: TimeDelta,
    /// From the sign-in.
    pub absolute: TimeDelta,
    /// For how long the predecessor of the current refresh token is answered again.
    pub replay_window: TimeDelta,
}

impl From<&TokensConfig> for Lifetimes {
    fn from(config: &TokensConfig) -> Self {
        Self {
            idle: config.refresh_idle,
            absolute: config.refresh_absolute,
            replay_window: config.refresh_replay,
        }
    }
}

/// A sign-in that is about to become a session.
pub struct NewSession {
    /// Whose it will be.
    pub user_id: UserId,
    /// The tenant of that user.
    pub tenant_id: TenantId,
    /// How they proved who they are.
    pub authentication: Authentication,
    /// Where they are.
    pub ip_address: IpAddr,
    /// What they use, 512 characters at most.
    pub user_agent: Option<String>,
    /// The device they use, which is one of the account's.
    pub device_id: Option<DeviceId>,
    /// What it is called.
    pub device_name: Option<String>,
}

/// A session that is live: not revoked, not run out, its account active.
#[derive(Clone)]
pub struct Session {
    /// Its identifier: the claim `sid`.
    pub id: SessionId,
    /// The tenant it lives in.
    pub tenant_id: TenantId,
    /// How its holder proved who they are.
    pub authentication: Authentication,
    /// When it ends if it is not refreshed before.
    pub expires_at: Timestamp,
}

/// A live session as its holder sees it in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSession {
    /// Its identifier.
    pub id: SessionId,
    /// Where it was opened from.
    pub ip_address: Option<IpAddr>,
    /// What it was opened with, as that introduced itself.
    pub user_agent: Option<String>,
    /// What the device is called.
    pub device_name: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// Its last refresh or request, to the minute.
    pub last_active_at: Timestamp,
    /// When it ends if it is not refreshed before.
    pub expires_at: Timestamp,
}

/// A live session, its holder, and the name of its tenant.
#[derive(Clone)]
pub struct LiveSession {
    /// The session.
    pub session: Session,
    /// Its last refresh or request, to the minute.
    pub last_active_at: Timestamp,
    /// The account it is a sign-in to.
    pub user: User,
    /// What clients call the tenant.
    pub tenant_slug: String,
}

/// A session and the refresh token that was just made for it.
pub struct Opened {
    /// The session.
    pub session: Session,
    /// The current refresh token of its chain.
    pub refresh_token: SecretString,
}

/// What became of a refresh token that was presented.
pub enum Presented {
    /// It is good: here is its successor.
    Accepted(Box<Accepted>),
    /// It was used before, so that its session must end: the caller [revokes](super::revoke) it, whose row is locked,
    /// and commits that before it answers.
    Reused(ChainOwner),
    /// It is good for nothing, for whatever reason.
    Refused,
}

/// A refresh token that was good.
pub struct Accepted {
    /// The session, with its new expiry.
    pub session: Session,
    /// The account.
    pub user: User,
    /// The successor of the presented token.
    pub refresh_token: SecretString,
    /// Whether that successor had been given out before, to whoever presented the token first.
    pub replayed: bool,
}

/// Whose chain it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainOwner {
    /// The session.
    pub session_id: SessionId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its account.
    pub user_id: UserId,
}

/// Why a session was ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationReason {
    /// Its holder signed out.
    Logout,
    /// A refresh token of its chain was used after it had been replaced.
    RefreshTokenReused,
    /// Its holder ended it from another session.
    UserRevoked,
    /// Its holder ended all sessions.
    AllRevoked,
    /// An operator suspended the account.
    AccountLocked,
    /// An operator closed the account.
    AccountDisabled,
    /// Its holder gave the account up.
    AccountDeleted,
    /// The password was changed in another session.
    PasswordChanged,
    /// The password was replaced by somebody who had forgotten it.
    PasswordReset,
    /// A service client ended it (RFC 7009).
    ClientRevoked,
    /// Another session changed what signing in takes.
    FactorsChanged,
}

impl RevocationReason {
    /// The name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::UserRevoked => "user_revoked",
            Self::AllRevoked => "all_revoked",
            Self::AccountLocked => "account_locked",
            Self::AccountDisabled => "account_disabled",
            Self::AccountDeleted => "account_deleted",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::ClientRevoked => "client_revoked",
            Self::FactorsChanged => "factors_changed",
        }
    }
}

/// A chain, its session and its account, read under a lock on the session row.
pub(super) struct LockedChain {
    pub(super) live: LiveSession,
    pub(super) state: ChainState,
    pub(super) mac_key_id: SecretKeyId,
}

/// What is kept of a chain, read without a lock: of its account, only whose it is and whether it may sign in.
pub(super) struct ChainView {
    pub(super) owner: ChainOwner,
    pub(super) tenant_slug: String,
    pub(super) state: ChainState,
    pub(super) mac_key_id: SecretKeyId,
    pub(super) account_is_active: bool,
}

/// Why a session is not live, for an operator who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it has neither been ended nor run out.
    pub session_is_live: bool,
    /// The stored reason, where it was ended early.
    pub revoked_reason: Option<String>,
    /// Whether its account may sign in.
    pub account_is_active: bool,
}
