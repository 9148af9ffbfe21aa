//! Who is signed in names the current password once more: a token may have been stolen, a password is known.
//!
//! Invariants:
//! - Wrong ones are counted, for all sessions of the account together, and nothing is told of a right one either once there were too many.
//! - Every refusal is in the audit log before it is answered.

mod error;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;

pub use error::ReauthenticationError;

use crate::accounts;
use crate::audit::{Event, EventKind};
use crate::http::{AppState, Problem, RequestContext};
use crate::kernel::passwords::{Password, PasswordHash};
use crate::lockout::Lockout;
use crate::mail::Mailer;
use crate::tokens::CurrentUser;

/// Checks current passwords: what that takes, gathered for one request.
pub struct CurrentPassword {
    /// What all rooms share.
    pub app: AppState,
    /// Who tells the holder of what was done.
    pub mailer: Mailer,
    lockout: Lockout,
}

impl<S> FromRequestParts<S> for CurrentPassword
where
    S: Sync,
    AppState: FromRef<S>,
    Lockout: FromRef<S>,
    Mailer: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(_parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self {
            app: AppState::from_ref(state),
            mailer: Mailer::from_ref(state),
            lockout: Lockout::from_ref(state),
        })
    }
}

impl CurrentPassword {
    /// What the current password hashes to, if the caller knows it. Who holds a stolen token must not find it out: wrong ones are counted,
    /// for all sessions of the account together, and nothing is told of a right one either once there were too many.
    pub async fn check(
        &self,
        context: &RequestContext,
        caller: &CurrentUser,
        password: Password,
    ) -> Result<PasswordHash, ReauthenticationError> {
        let attempt = self.lockout.by_holder(&caller.user);
        let (stored, locked) = {
            let mut connection = self.app.pool().acquire().await?;
            let stored = accounts::find_password(&mut connection, &caller.user).await?;
            let locked = self.lockout.check(&mut connection, &attempt, context.now).await?;
            (stored, locked)
        };
        if locked.is_some() {
            return Err(self.refuse(context, caller).await?);
        }
        let matches = self.app.hasher().verify(password, stored.as_ref()).await?;
        let Some(hash) = stored.filter(|_| matches) else {
            return Err(self.refuse(context, caller).await?);
        };
        let locked = {
            let mut connection = self.app.pool().acquire().await?;
            self.lockout.pass(&mut connection, &attempt, context.now).await?
        };
        match locked {
            Some(_) => Err(self.refuse(context, caller).await?),
            None => Ok(hash),
        }
    }

    /// Commits the trace of a refusal and the count, and gives the refusal: for a lock, if there is one.
    pub async fn refuse(
        &self,
        context: &RequestContext,
        caller: &CurrentUser,
    ) -> Result<ReauthenticationError, ReauthenticationError> {
        let event = Event::of_request(context, EventKind::PasswordRefused)
            .tenant(caller.user.tenant_id)
            .actor(caller.user.id)
            .subject(caller.user.id)
            .session(caller.session.id);
        let attempt = self.lockout.by_holder(&caller.user);
        let mut transaction = self.app.pool().begin().await?;
        let locked = self
            .lockout
            .fail(&mut transaction, &self.mailer, context, &attempt, event)
            .await?;
        transaction.commit().await?;
        Ok(locked.map_or(
            ReauthenticationError::WrongPassword,
            ReauthenticationError::Locked,
        ))
    }
}
