//! The use cases: what is done, in which order, and in which transaction.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use secrecy::SecretString;

use crate::accounts::password::PasswordRules;
use crate::accounts::{self, User};
use crate::audit::{self, Event, EventKind};
use crate::device_keys::Challenges;
use crate::http::{AppState, Problem, RequestContext};
use crate::kernel::db::PgConnection;
use crate::kernel::time::Timestamp;
use crate::lockout::Lockout;
use crate::mail::{Letter, Mailer};
use crate::mfa::{Factors, MailCodes};
use crate::rate_limit::Limiter;
use crate::rbac::{self, HeldRoles};
use crate::recovery::Tickets;
use crate::sessions::{self, Accepted, ChainOwner, Presented, RevocationReason, Session, Sessions};
use crate::tokens::{AccessToken, CurrentUser, Tokens};

use super::error::LoginError;
use super::model::SignedIn;
use super::opening::Entrance;

/// Where people sign in: what the use cases need, gathered for one request.
pub(super) struct Desk {
    pub(super) app: AppState,
    pub(super) device_challenges: Challenges,
    pub(super) factors: Factors,
    pub(super) limiter: Limiter,
    pub(super) lockout: Lockout,
    pub(super) mail_codes: MailCodes,
    pub(super) mailer: Mailer,
    pub(super) password_rules: PasswordRules,
    pub(super) sessions: Sessions,
    pub(super) tickets: Tickets,
    tokens: Tokens,
}

impl<S> FromRequestParts<S> for Desk
where
    S: Sync,
    AppState: FromRef<S>,
    Challenges: FromRef<S>,
    Factors: FromRef<S>,
    Limiter: FromRef<S>,
    Lockout: FromRef<S>,
    MailCodes: FromRef<S>,
    Mailer: FromRef<S>,
    PasswordRules: FromRef<S>,
    Sessions: FromRef<S>,
    Tickets: FromRef<S>,
    Tokens: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(_parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self {
            app: AppState::from_ref(state),
            device_challenges: Challenges::from_ref(state),
            factors: Factors::from_ref(state),
            limiter: Limiter::from_ref(state),
            lockout: Lockout::from_ref(state),
            mail_codes: MailCodes::from_ref(state),
            mailer: Mailer::from_ref(state),
            password_rules: PasswordRules::from_ref(state),
            sessions: Sessions::from_ref(state),
            tickets: Tickets::from_ref(state),
            tokens: Tokens::from_ref(state),
        })
    }
}

impl Desk {
    /// Gives out the successor of a refresh token, and a new access token of the same session.
    pub(super) async fn refresh(
        &self,
        context: &RequestContext,
        token: &SecretString,
    ) -> Result<SignedIn, LoginError> {
        let mut connection = self.app.pool().acquire().await?;
        let mut transaction = self.app.pool().begin_on(&mut connection).await?;
        let slug = context.tenant.as_deref();
        match self
            .sessions
            .present(&mut transaction, token, slug, context.now)
            .await?
        {
            Presented::Accepted(accepted) => {
                let Accepted {
                    session,
                    user,
                    refresh_token,
                    replayed,
                } = *accepted;
                // Where no token can be made, the chain stays where it is: the transaction is not committed.
                let moment = issuing_moment(context, &user)?;
                if replayed {
                    let event = session_event(context, EventKind::RefreshReplayed, owner_of(&user, &session));
                    audit::record(&mut transaction, event.actor(user.id)).await?;
                }
                transaction.commit().await?;
                // Others may wait for the session, and need not wait for this too.
                let held = rbac::held(&mut connection, &user, moment).await?;
                drop(connection);
                let access = self.access_token(context, &user, &session, held).await?;
                Ok(SignedIn::again(
                    user,
                    &session,
                    access,
                    refresh_token,
                    context.now,
                ))
            }
            Presented::Reused(owner) => {
                // Who presented it is exactly what is not known: there is no actor.
                let event = Event::of_request(context, EventKind::RefreshReused);
                let letter = Letter::SessionEndedByReuse { event: event.id() };
                self.mailer.enqueue(&mut transaction, letter).await?;
                let reason = RevocationReason::RefreshTokenReused;
                sessions::revoke(&mut transaction, owner, reason, event, context.now).await?;
                transaction.commit().await?;
                Err(LoginError::RefreshTokenReused)
            }
            Presented::Refused => {
                if let Some(slug) = slug {
                    accounts::tenant(&mut transaction, slug).await?;
                }
                transaction.commit().await?;
                Err(LoginError::InvalidRefreshToken)
            }
        }
    }

    /// Ends the session of the access token, and that of the refresh token if it is another one of the same
    /// user's. A refresh token that is nobody's, or somebody else's, is ignored: there is nothing to end.
    pub(super) async fn logout(
        &self,
        context: &RequestContext,
        current: &CurrentUser,
        token: Option<&SecretString>,
    ) -> Result<(), LoginError> {
        let own = owner_of(&current.user, &current.session);
        let mut transaction = self.app.pool().begin().await?;
        end_session(&mut transaction, context, own).await?;
        transaction.commit().await?;
        let Some(token) = token else { return Ok(()) };
        // A transaction of its own: one that locked two sessions could meet another that locks them the other
        // way round.
        let mut transaction = self.app.pool().begin().await?;
        let other = self.sessions.owner_of_token(&mut transaction, token).await?;
        if let Some(other) = other.filter(|other| other.user_id == own.user_id && *other != own) {
            end_session(&mut transaction, context, other).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    pub(super) fn tenant_slug<'c>(&'c self, context: &'c RequestContext) -> &'c str {
        context
            .tenant
            .as_deref()
            .unwrap_or(&self.app.config().default_tenant)
    }

    pub(super) async fn welcome(
        &self,
        context: &RequestContext,
        user: User,
        entrance: Entrance,
        held: HeldRoles,
    ) -> Result<SignedIn, LoginError> {
        let access = self
            .access_token(context, &user, &entrance.opened.session, held)
            .await?;
        Ok(SignedIn::newly(user, entrance, access, context.now))
    }

    pub(super) async fn access_token(
        &self,
        context: &RequestContext,
        user: &User,
        session: &Session,
        held: HeldRoles,
    ) -> Result<AccessToken, LoginError> {
        let id = context.new_id();
        Ok(self
            .tokens
            .issue(user, session, held, context.now, id, context.entropy())
            .await?)
    }
}

/// Ends a session, unless it has ended. Whether there was something to end.
pub(super) async fn end_session(
    connection: &mut PgConnection,
    context: &RequestContext,
    owner: ChainOwner,
) -> Result<bool, LoginError> {
    let event = Event::of_request(context, EventKind::LoggedOut).actor(owner.user_id);
    Ok(sessions::revoke(connection, owner, RevocationReason::Logout, event, context.now).await?)
}

/// The moment that a token of this account is issued for.
pub(super) fn issuing_moment(context: &RequestContext, user: &User) -> Result<Timestamp, LoginError> {
    user.issuing_moment(context.now)
        .ok_or(LoginError::ChangedTooOften)
}

pub(super) fn owner_of(user: &User, session: &Session) -> ChainOwner {
    ChainOwner {
        session_id: session.id,
        tenant_id: session.tenant_id,
        user_id: user.id,
    }
}

/// An event about a session. Who caused it is for the caller to add, where it is known.
pub(super) fn session_event(context: &RequestContext, kind: EventKind, owner: ChainOwner) -> Event {
    Event::of_request(context, kind)
        .tenant(owner.tenant_id)
        .subject(owner.user_id)
        .session(owner.session_id)
}
