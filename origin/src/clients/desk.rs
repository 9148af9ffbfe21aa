//! The use cases: looking a token up, and ending its session.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use secrecy::{ExposeSecret as _, SecretString};

use crate::audit::{Event, EventKind};
use crate::http::{AppState, Problem, RequestContext};
use crate::sessions::{self, ChainOwner, Inspection, RevocationReason, Sessions, looks_like_refresh_token};
use crate::tokens::{Authenticated, Tokens, TokensError};

use super::authentication::TokenRequest;
use super::error::ClientsError;
use super::model::Introspection;

/// Where service clients ask: what the use cases need, gathered for one request.
pub(super) struct Desk {
    app: AppState,
    sessions: Sessions,
    tokens: Tokens,
}

impl<S> FromRequestParts<S> for Desk
where
    S: Sync,
    AppState: FromRef<S>,
    Sessions: FromRef<S>,
    Tokens: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(_parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self {
            app: AppState::from_ref(state),
            sessions: Sessions::from_ref(state),
            tokens: Tokens::from_ref(state),
        })
    }
}

/// A token that the server has made, and that is of the tenant the request names, if it names one.
enum Found {
    /// A good access token.
    Access(Box<Authenticated>),
    /// A refresh token, whatever it is worth by now.
    Refresh(Inspection),
}

impl Found {
    fn owner(&self) -> ChainOwner {
        match self {
            Self::Access(access) => ChainOwner {
                session_id: access.live.session.id,
                tenant_id: access.live.session.tenant_id,
                user_id: access.live.user.id,
            },
            Self::Refresh(refresh) => refresh.owner,
        }
    }

    fn tenant_slug(&self) -> &str {
        match self {
            Self::Access(access) => &access.live.tenant_slug,
            Self::Refresh(refresh) => &refresh.tenant_slug,
        }
    }

    /// The name of the kind, as `token_type_hint` has it.
    fn kind(&self) -> &'static str {
        match self {
            Self::Access(_) => "access_token",
            Self::Refresh(_) => "refresh_token",
        }
    }
}

impl Desk {
    /// Says what the token is worth. Changes nothing.
    pub(super) async fn introspect(
        &self,
        context: &RequestContext,
        request: &TokenRequest,
    ) -> Result<Introspection, ClientsError> {
        Ok(match self.find(context, &request.token).await? {
            Some(Found::Access(access)) => Introspection::of_access(*access),
            Some(Found::Refresh(refresh)) if refresh.is_active() => {
                Introspection::of_refresh(&refresh, self.tokens.issuer())
            }
            Some(Found::Refresh(_)) | None => Introspection::inactive(),
        })
    }

    /// Ends the session of the token. There is nothing to do, and nothing to say about it, where the token is none of
    /// ours, an access token is no longer good, or the session has ended.
    pub(super) async fn revoke(
        &self,
        context: &RequestContext,
        request: &TokenRequest,
    ) -> Result<(), ClientsError> {
        let Some(found) = self.find(context, &request.token).await? else {
            return Ok(());
        };
        let owner = found.owner();
        let reason = RevocationReason::ClientRevoked;
        let event = Event::of_request(context, EventKind::TokenRevoked)
            .detail("client_id", request.client.id())
            .detail("token_type", found.kind());
        let mut transaction = self.app.pool().begin().await?;
        sessions::revoke(&mut transaction, owner, reason, event, context.now).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn find(
        &self,
        context: &RequestContext,
        token: &SecretString,
    ) -> Result<Option<Found>, ClientsError> {
        let found = if looks_like_refresh_token(token.expose_secret()) {
            let mut connection = self.app.pool().acquire().await?;
            let inspected = self.sessions.inspect(&mut connection, token, context.now).await?;
            inspected.map(Found::Refresh)
        } else {
            self.find_access(context, token)
                .await?
                .map(|access| Found::Access(Box::new(access)))
        };
        // As everywhere, a token is good for nothing where another tenant is meant.
        let named = context.tenant.as_deref();
        Ok(found.filter(|found| named.is_none_or(|slug| slug == found.tenant_slug())))
    }

    async fn find_access(
        &self,
        context: &RequestContext,
        token: &SecretString,
    ) -> Result<Option<Authenticated>, ClientsError> {
        match self.tokens.authenticate(token.expose_secret(), context.now).await {
            Ok(authenticated) => Ok(Some(authenticated)),
            Err(TokensError::Refused(_) | TokensError::SessionOver | TokensError::Outdated) => Ok(None),
            Err(
                error @ (TokensError::Missing
                | TokensError::TwoAuthorizations
                | TokensError::BearerAndCookie
                | TokensError::AmbiguousCookie(_)
                | TokensError::CrossSite(_)
                | TokensError::OtherTenant
                | TokensError::Tenant(_)
                | TokensError::Sessions(_)
                | TokensError::Keys(_)
                | TokensError::Database(_)),
            ) => Err(error.into()),
        }
    }
}
