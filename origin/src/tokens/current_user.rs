//! Who is calling: an extractor, so that a handler that has one has been told the truth.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use portcullis_shared::claims::AccessClaims;

use crate::accounts::{self, User};
use crate::http::{AppState, Problem, RequestContext};
use crate::kernel::causes;
use crate::rate_limit::{Limiter, Quota, client_key};
use crate::sessions::{self, Acr, Session};

use super::credential::Credential;
use super::error::TokensError;
use super::{Authenticated, Tokens};

/// The account and the session of a request with a good access token, in `Authorization` or in a cookie. The
/// signature was verified, the session is live and the account active at the moment of the request.
pub struct CurrentUser {
    /// What the token says.
    pub claims: AccessClaims,
    /// The session it was made for.
    pub session: Session,
    /// The account it was made for, as it is now.
    pub user: User,
}

impl<S> FromRequestParts<S> for CurrentUser
where
    S: Send + Sync,
    AppState: FromRef<S>,
    Limiter: FromRef<S>,
    Tokens: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let context = RequestContext::from_request_parts(parts, state).await?;
        let app = AppState::from_ref(state);
        let quota = Quota::per_minute(app.config().limits.default_per_minute);
        // Before any cryptography: a flood of bad tokens must not cost a signature each.
        Limiter::from_ref(state)
            .enforce(&context, "client", &client_key(context.client_ip), quota)
            .await?;
        let tokens = Tokens::from_ref(state);
        Ok(authenticate(&app, &tokens, &context, &parts.headers).await?)
    }
}

/// Seconds for which somebody who has proved who they are may do what cannot be undone.
const FRESH_SECONDS: i64 = 300;

/// The same, provided that its holder has proved who they are within the last five minutes, and that the token in hand says so.
pub struct RecentUser(pub CurrentUser);

impl<S> FromRequestParts<S> for RecentUser
where
    S: Send + Sync,
    AppState: FromRef<S>,
    Limiter: FromRef<S>,
    Tokens: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let context = RequestContext::from_request_parts(parts, state).await?;
        let user = CurrentUser::from_request_parts(parts, state).await?;
        if user.age(&context).is_some_and(|age| age <= FRESH_SECONDS) {
            Ok(Self(user))
        } else {
            Err(Problem::step_up_required(FRESH_SECONDS, None))
        }
    }
}

/// The same, by two factors where the account has a second one: for what cannot be undone.
pub struct FreshUser(pub CurrentUser);

impl<S> FromRequestParts<S> for FreshUser
where
    S: Send + Sync,
    AppState: FromRef<S>,
    Limiter: FromRef<S>,
    Tokens: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let context = RequestContext::from_request_parts(parts, state).await?;
        let user = CurrentUser::from_request_parts(parts, state).await?;
        let is_fresh = user.age(&context).is_some_and(|age| age <= FRESH_SECONDS);
        let strength = user.user.mfa_enabled.then_some(Acr::Aal2.as_str());
        let is_strong = strength.is_none() || user.claims.acr.as_deref() == strength;
        if is_fresh && is_strong {
            Ok(Self(user))
        } else {
            Err(Problem::step_up_required(FRESH_SECONDS, strength))
        }
    }
}

impl CurrentUser {
    /// Seconds since its holder has proved who they are, as far as the token says.
    fn age(&self, context: &RequestContext) -> Option<i64> {
        let time = self.claims.auth_time?;
        Some(context.now.timestamp().saturating_sub(time))
    }
}

async fn authenticate(
    app: &AppState,
    tokens: &Tokens,
    context: &RequestContext,
    headers: &HeaderMap,
) -> Result<CurrentUser, TokensError> {
    let token = Credential::of(headers)?.access_token()?;
    let Authenticated { claims, live } = tokens.authenticate(token, context.now).await?;
    let mut connection = app.pool().acquire().await?;
    if let Some(slug) = context.tenant.as_deref().filter(|slug| *slug != live.tenant_slug) {
        accounts::tenant(&mut connection, slug).await?;
        return Err(TokensError::OtherTenant);
    }
    // What is only good to know is no reason to refuse a request.
    if let Err(error) = sessions::note_activity(&mut connection, &live, context.now).await {
        tracing::warn!(cause = causes::on_one_line(&error), "activity could not be noted");
    }
    Ok(CurrentUser {
        claims,
        session: live.session,
        user: live.user,
    })
}
