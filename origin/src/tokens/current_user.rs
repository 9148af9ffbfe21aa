//! Who is calling: an extractor, so that a handler that has one has been told the truth.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use portcullis_shared::claims::AccessClaims;

use crate::accounts::{self, User};
use crate::http::{AppState, Problem, RequestContext};
use crate::kernel::causes;
use crate::rate_limit::{Limiter, Quota, client_key};
use crate::sessions::{self, Session};

use super::error::TokensError;
use super::{Authenticated, Tokens};

/// The account and the session of a request with a good access token. The signature was verified, the session
/// is live and the account active at the moment of the request.
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

async fn authenticate(
    app: &AppState,
    tokens: &Tokens,
    context: &RequestContext,
    headers: &HeaderMap,
) -> Result<CurrentUser, TokensError> {
    let Authenticated { claims, live } = tokens.authenticate(bearer_token(headers)?, context.now).await?;
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

/// The token of `Authorization: Bearer` (RFC 6750 §2.1), the only place where one is looked for.
fn bearer_token(headers: &HeaderMap) -> Result<&str, TokensError> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let value = values.next().ok_or(TokensError::Missing)?;
    if values.next().is_some() {
        return Err(TokensError::Ambiguous);
    }
    let text = value.to_str().map_err(|_| TokensError::Missing)?;
    let (scheme, token) = text.split_once(' ').ok_or(TokensError::Missing)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim_matches(' '))
    } else {
        Err(TokensError::Missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, axum::http::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_scheme_is_compared_without_case() {
        assert_eq!(bearer_token(&headers(&["bEaReR  abc"])).unwrap(), "abc");
    }

    #[test]
    fn another_scheme_or_none_is_a_missing_token() {
        for value in ["Basic YTpi", "abc", "Bearerabc", ""] {
            assert!(
                matches!(bearer_token(&headers(&[value])), Err(TokensError::Missing)),
                "{value}"
            );
        }
        assert!(matches!(bearer_token(&headers(&[])), Err(TokensError::Missing)));
    }

    #[test]
    fn two_headers_are_ambiguous_even_if_they_agree() {
        assert!(matches!(
            bearer_token(&headers(&["Bearer a", "Bearer a"])),
            Err(TokensError::Ambiguous)
        ));
    }
}
