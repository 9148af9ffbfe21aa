//! Somebody who is signed in, and proves once more who they are (RFC 9470).

use secrecy::SecretString;

use crate::accounts::{self, User};
use crate::audit::{self, Event, EventKind};
use crate::http::RequestContext;
use crate::kernel::db::PgConnection;
use crate::kernel::passwords::Password;
use crate::mfa::{Checked, Method};
use crate::rbac;
use crate::reauthentication::{CurrentPassword, ReauthenticationError};
use crate::sessions::{Authentication, Session};
use crate::tokens::CurrentUser;

use super::desk::{Desk, issuing_moment, owner_of, session_event};
use super::error::LoginError;
use super::factor::Shown;
use super::model::{Proof, SignedIn};

impl Desk {
    /// Notes in the caller's session that they have proved who they are, and gives tokens of it that say so. The refresh token is the one that
    /// its chain has come to: it is not moved on.
    pub(super) async fn step_up(
        &self,
        current: &CurrentPassword,
        context: &RequestContext,
        caller: &CurrentUser,
        proof: &Proof,
    ) -> Result<SignedIn, LoginError> {
        match proof {
            Proof::Password(password) => self.step_up_by_password(current, context, caller, password).await,
            Proof::Code(shown) => self.step_up_by_code(context, caller, shown).await,
            Proof::DeviceKey(signed) => self.step_up_by_device_key(context, caller, signed).await,
        }
    }

    /// For an account without a second factor: with one, a password alone would be the weaker way.
    async fn step_up_by_password(
        &self,
        current: &CurrentPassword,
        context: &RequestContext,
        caller: &CurrentUser,
        password: &Password,
    ) -> Result<SignedIn, LoginError> {
        if caller.user.mfa_enabled {
            return Err(LoginError::UnavailableMethod);
        }
        let checked = current.check(context, caller, password.clone()).await?;
        let mut transaction = self.app.pool().begin().await?;
        let user = accounts::lock_checked(&mut transaction, &caller.user, &checked)
            .await?
            .ok_or(ReauthenticationError::WrongPassword)?;
        if user.mfa_enabled {
            return Err(LoginError::UnavailableMethod);
        }
        let proved = caller.session.authentication.repeated("pwd", context.now);
        let (session, token) = self
            .note_proof(&mut transaction, context, caller, &user, proved, "password")
            .await?;
        transaction.commit().await?;
        self.welcome_back(context, user, &session, token).await
    }

    async fn step_up_by_code(
        &self,
        context: &RequestContext,
        caller: &CurrentUser,
        shown: &Shown,
    ) -> Result<SignedIn, LoginError> {
        let mut transaction = self.app.pool().begin().await?;
        let user = accounts::lock_by_id(&mut transaction, caller.user.tenant_id, caller.user.id)
            .await?
            .filter(|user| user.mfa_enabled && shown.method != Method::EmailCode)
            .ok_or(LoginError::UnavailableMethod)?;
        let attempt = self.lockout.by_holder_with_code(&user);
        let locked = self
            .lockout
            .check(&mut transaction, &attempt, context.now)
            .await?;
        let checked = match locked {
            Some(_) => Checked::Wrong,
            None => {
                self.check_code(&mut transaction, context, &user, shown, None)
                    .await?
            }
        };
        if checked != Checked::Right {
            let refusal = LoginError::of_code(checked);
            let event = about(context, caller, EventKind::CodeRefused);
            let locked = self
                .lockout
                .fail(&mut transaction, &self.mailer, context, &attempt, event)
                .await?;
            transaction.commit().await?;
            return Err(locked.map_or(refusal, LoginError::Locked));
        }
        self.lockout.pass(&mut transaction, &attempt, context.now).await?;
        let proved = caller.session.authentication.strengthened(context.now);
        let method = <&str>::from(shown.method);
        let (session, token) = self
            .note_proof(&mut transaction, context, caller, &user, proved, method)
            .await?;
        transaction.commit().await?;
        self.welcome_back(context, user, &session, token).await
    }

    pub(super) async fn note_proof(
        &self,
        transaction: &mut PgConnection,
        context: &RequestContext,
        caller: &CurrentUser,
        user: &User,
        proved: Authentication,
        method: &'static str,
    ) -> Result<(Session, SecretString), LoginError> {
        // Where no token can be made, nothing is noted: the transaction is not committed.
        issuing_moment(context, user)?;
        let stepped_up = self
            .sessions
            .step_up(transaction, &caller.session, proved, context.now)
            .await?
            .ok_or(LoginError::SessionOver)?;
        let event = about(context, caller, EventKind::SteppedUp).detail("method", method);
        audit::record(transaction, event).await?;
        Ok(stepped_up)
    }

    pub(super) async fn welcome_back(
        &self,
        context: &RequestContext,
        user: User,
        session: &Session,
        refresh_token: SecretString,
    ) -> Result<SignedIn, LoginError> {
        let moment = issuing_moment(context, &user)?;
        let held = {
            let mut connection = self.app.pool().acquire().await?;
            rbac::held(&mut connection, &user, moment).await?
        };
        let access = self.access_token(context, &user, session, held).await?;
        Ok(SignedIn::again(user, session, access, refresh_token, context.now))
    }
}

fn about(context: &RequestContext, caller: &CurrentUser, kind: EventKind) -> Event {
    session_event(context, kind, owner_of(&caller.user, &caller.session)).actor(caller.user.id)
}
