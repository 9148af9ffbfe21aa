//! Tickets: how they come to be, and how their secrets do.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use secrecy::{ExposeSecret as _, SecretString};

use crate::accounts::User;
use crate::kernel::config::Config;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{Id as _, TicketId};
use crate::kernel::secret_digest::SecretDigest;
use crate::kernel::secrets::{MasterKey, SecretsError};
use crate::kernel::time::{TimeDelta, Timestamp};
use crate::mail::{Errand, Letter};

use super::error::RecoveryError;
use super::store;

/// Characters of a secret: 32 bytes in base64url.
pub(super) const SECRET_LENGTH: usize = 43;
/// As long as a secret, and none.
const EXAMPLE_SECRET: &str = "this-is-an-example-and-opens-nothing-at-all";

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Purpose {
    /// Showing that the address of an account is its holder's.
    VerifyEmail,
    /// Choosing a new password.
    ResetPassword,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
        }
    }

    const fn lifetime(self) -> TimeDelta {
        match self {
            Self::VerifyEmail => TimeDelta::hours(24),
            Self::ResetPassword => TimeDelta::hours(1),
        }
    }
}

/// A ticket that is there.
pub(super) struct Ticket {
    pub(super) id: TicketId,
    pub(super) tenant: crate::kernel::ids::TenantId,
    pub(super) user: crate::kernel::ids::UserId,
    pub(super) purpose: Purpose,
    /// The address that it was sent to.
    pub(super) email: String,
    pub(super) digest: Vec<u8>,
    pub(super) expires_at: Timestamp,
}

/// Issues tickets and knows their links. Cloning shares the key.
#[derive(Clone)]
pub struct Tickets(Arc<Inner>);

struct Inner {
    key: hmac::Key,
    /// Where links lead to: the origin's own pages, through the edge.
    own_url: String,
    /// Where the application asks for a new password.
    front_end_url: String,
}

impl Tickets {
    /// The key is derived from the master key, and kept nowhere.
    pub fn new(config: &Config) -> Result<Self, SecretsError> {
        let front_end = config
            .mail
            .as_ref()
            .and_then(|mail| mail.front_end_url.as_deref());
        Ok(Self(Arc::new(Inner {
            key: key(&config.master_key)?,
            own_url: config.tokens.issuer.clone(),
            front_end_url: front_end.unwrap_or(&config.tokens.issuer).to_owned(),
        })))
    }

    /// Issues a ticket to an account in the caller's transaction. An older one for the same purpose ends.
    pub async fn issue(
        &self,
        connection: &mut PgConnection,
        id: TicketId,
        user: &User,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(), RecoveryError> {
        let ticket = Ticket {
            id,
            tenant: user.tenant_id,
            user: user.id,
            purpose,
            email: user.email.clone(),
            digest: SecretDigest::of(&self.secret(purpose, id)).to_bytes().to_vec(),
            expires_at: now + purpose.lifetime(),
        };
        Ok(store::put(connection, &ticket, now).await?)
    }

    /// What the link of a letter is for. `None`: it was used, has expired, or a newer one has taken its place.
    pub async fn errand(
        &self,
        connection: &mut PgConnection,
        id: TicketId,
        now: Timestamp,
    ) -> Result<Option<Errand>, RecoveryError> {
        let Some(ticket) = store::find(connection, id, now).await? else {
            return Ok(None);
        };
        let secret = self.secret(ticket.purpose, id);
        let digest = SecretDigest::of(&secret).to_bytes();
        if digest.as_slice() != ticket.digest {
            // The master key was changed between the ticket and its letter: the link is good under the new one.
            store::set_digest(connection, id, &digest).await?;
        }
        Ok(Some(Errand {
            tenant: ticket.tenant,
            user: ticket.user,
            secret: self.url(ticket.purpose, secret.expose_secret()),
            expires_at: ticket.expires_at,
        }))
    }

    /// An errand as it would be had the ticket of this letter been issued at `now`: its link leads where a real one does, and
    /// opens nothing. `None`: the letter is not about a ticket.
    #[must_use]
    pub fn example(&self, letter: Letter, now: Timestamp) -> Option<Errand> {
        let (purpose, ticket) = match letter {
            Letter::VerifyEmail { ticket } => (Purpose::VerifyEmail, ticket),
            Letter::ResetPassword { ticket } => (Purpose::ResetPassword, ticket),
            Letter::SessionEndedByReuse { .. }
            | Letter::AlreadyRegistered { .. }
            | Letter::PasswordReset { .. }
            | Letter::SignInLocked { .. }
            | Letter::AccountDeleted { .. }
            | Letter::PasswordChanged { .. }
            | Letter::NewSignIn { .. }
            | Letter::SignInCode { .. }
            | Letter::MfaChanged { .. }
            | Letter::BackupCodesLow { .. } => return None,
        };
        Some(Errand {
            tenant: ticket.uuid().into(),
            user: ticket.uuid().into(),
            secret: self.url(purpose, EXAMPLE_SECRET),
            expires_at: now + purpose.lifetime(),
        })
    }

    fn url(&self, purpose: Purpose, secret: &str) -> SecretString {
        let page = match purpose {
            Purpose::VerifyEmail => format!("{}/auth/verify-email", self.0.own_url),
            Purpose::ResetPassword => format!("{}/reset-password", self.0.front_end_url),
        };
        format!("{page}?token={secret}").into()
    }

    /// 256 bits that nobody can guess who does not hold the key.
    fn secret(&self, purpose: Purpose, id: TicketId) -> SecretString {
        let mut context = hmac::Context::with_key(&self.0.key);
        context.update(purpose.as_str().as_bytes());
        context.update(&[0]);
        context.update(id.uuid().as_bytes());
        Base64UrlUnpadded::encode_string(context.sign().as_ref()).into()
    }
}

fn key(master_key: &MasterKey) -> Result<hmac::Key, SecretsError> {
    let key = master_key.derive("mail-tickets")?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").finish_non_exhaustive()
    }
}
