//! CSRF tokens, and the guard in front of all routes: one credential for each request, and none that another site has
//! lent itself.
//!
//! Invariants:
//! - A request by an unsafe method that came with a session cookie, good or bad, is judged before any handler runs.
//!   Signing in is no exception: a page that could sign its visitor in to another account would see what they do there.
//! - The edge is not believed blindly. Its verdict on `Origin` stands, because it alone knows the public origin; Fetch
//!   Metadata is looked at again, and so is a token, because only the origin knows the session of a refresh token.

use std::sync::Arc;

use axum::extract::{FromRef, Request, State};
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use portcullis_shared::cookies::SessionCookies;
use portcullis_shared::csrf::{self, CsrfKey, CsrfRefusal, Evidence, OwnOrigin, Proof};
use portcullis_shared::request_signature::{SigningKey, SigningKeyError};

use crate::http::{AppState, Problem, RequestContext};
use crate::kernel::ids::SessionId;
use crate::kernel::secrets::{MasterKey, SecretsError};
use crate::sessions::Sessions;

use super::Tokens;
use super::credential::Credential;
use super::error::TokensError;

/// Makes and checks CSRF tokens. Cloning shares the keys.
#[derive(Clone)]
pub struct CsrfTokens(Arc<Keys>);

struct Keys {
    first: CsrfKey,
    all: Vec<CsrfKey>,
}

/// Why there is no key for CSRF tokens.
#[derive(Debug, thiserror::Error)]
pub enum CsrfKeyError {
    /// It could not be derived from the master key.
    #[error("it cannot be derived from the master key")]
    Derive(#[from] SecretsError),
    /// What was derived is no key.
    #[error("what was derived is refused")]
    Key(#[from] SigningKeyError),
}

impl CsrfTokens {
    /// Tokens under the keys that the edge signs with, so that the edge can check them. An origin that no edge stands in
    /// front of has a key of its own.
    pub fn new(edge_keys: &[SigningKey], master: &MasterKey) -> Result<Self, CsrfKeyError> {
        let mut all: Vec<CsrfKey> = edge_keys.iter().map(CsrfKey::of).collect();
        let first = if let Some(first) = all.first() {
            first.clone()
        } else {
            let own = master.derive("csrf-tokens")?;
            let own = CsrfKey::of(&SigningKey::new("origin", own.expose())?);
            all.push(own.clone());
            own
        };
        Ok(Self(Arc::new(Keys { first, all })))
    }

    /// A token for this session. The edge that signed the request is about to change its key, or has just done so, where
    /// there are two: the token is made under the one that it uses.
    pub(super) fn issue(&self, context: &RequestContext, session: SessionId) -> String {
        let signed_with = context.edge_key.as_deref();
        let mut keys = self.0.all.iter();
        let key = keys.find(|key| signed_with == Some(key.keyid()));
        csrf::issue(key.unwrap_or(&self.0.first), &session.to_string())
    }

    fn session_of<'t>(&self, token: &'t str) -> Option<&'t str> {
        csrf::session_of(&self.0.all, token)
    }
}

/// The middleware around the routes of all rooms.
pub async fn guard<S>(State(state): State<S>, request: Request, next: Next) -> Response
where
    AppState: FromRef<S>,
    CsrfTokens: FromRef<S>,
    Sessions: FromRef<S>,
    Tokens: FromRef<S>,
{
    // Apart, since a body cannot be shared between threads and the headers are borrowed across the checks.
    let (parts, body) = request.into_parts();
    let refused = match (Credential::of(&parts.headers), parts.extensions.get()) {
        (Err(error), _) => Some(error.into()),
        (_, None) => Some(Problem::internal(
            "the guard stands outside the application's layers",
        )),
        (Ok(Credential::Cookies(cookies)), Some(context)) if !csrf::is_safe(parts.method.as_str()) => {
            Guard::of(&state, context)
                .judge(&parts.headers, cookies)
                .await
                .err()
                .map(Into::into)
        }
        (Ok(Credential::None | Credential::Bearer(_) | Credential::Cookies(_)), Some(_)) => None,
    };
    match refused {
        Some(problem) => problem.into_response(),
        None => next.run(Request::from_parts(parts, body)).await,
    }
}

/// What the judgement of one request needs.
struct Guard<'c> {
    app: AppState,
    csrf: CsrfTokens,
    sessions: Sessions,
    tokens: Tokens,
    context: &'c RequestContext,
}

impl<'c> Guard<'c> {
    fn of<S>(state: &S, context: &'c RequestContext) -> Self
    where
        AppState: FromRef<S>,
        CsrfTokens: FromRef<S>,
        Sessions: FromRef<S>,
        Tokens: FromRef<S>,
    {
        Self {
            app: AppState::from_ref(state),
            csrf: CsrfTokens::from_ref(state),
            sessions: Sessions::from_ref(state),
            tokens: Tokens::from_ref(state),
            context,
        }
    }

    async fn judge(&self, headers: &HeaderMap, cookies: SessionCookies<'_>) -> Result<(), TokensError> {
        let evidence = Evidence {
            sec_fetch_site: only(headers, csrf::SEC_FETCH_SITE),
            origin: only(headers, csrf::ORIGIN),
            token: only(headers, csrf::TOKEN),
        };
        let own_origin = if self.context.via_edge {
            OwnOrigin::JudgedByEdge
        } else {
            OwnOrigin::Authority(only(headers, HOST.as_str()).unwrap_or_default())
        };
        let mut speaks_for = None;
        let proof = csrf::judge(&evidence, own_origin, |token| {
            speaks_for = self.csrf.session_of(token);
            speaks_for.is_some()
        })?;
        match (proof, speaks_for) {
            (Proof::FetchMetadata | Proof::Origin, _) => Ok(()),
            (Proof::Token, Some(sid)) if self.is_of(cookies, sid).await? => Ok(()),
            (Proof::Token, _) => Err(CsrfRefusal::Token.into()),
        }
    }

    /// Whether no cookie speaks for another session than this one. Cookies that speak for none, because they are
    /// forged or too old, sign nobody in, so that there is nothing to protect.
    async fn is_of(&self, cookies: SessionCookies<'_>, sid: &str) -> Result<bool, TokensError> {
        if let Some(token) = cookies.access.value() {
            match self.tokens.verify(token, self.context.now).await {
                Ok(claims) if claims.sid != sid => return Ok(false),
                Ok(_) | Err(TokensError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(token) = cookies.refresh.value() {
            let mut connection = self.app.pool().acquire().await?;
            let now = self.context.now;
            let owner = self
                .sessions
                .inspect(&mut connection, &token.into(), now)
                .await?
                .map(|inspection| inspection.owner);
            if owner.is_some_and(|owner| owner.session_id.to_string() != sid) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The value of a header that came once. One that came twice, or is no text, reads as empty, which none of those that
/// are looked at here can mean.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut lines = headers.get_all(name).into_iter();
    let first = lines.next()?;
    match lines.next() {
        None => Some(first.to_str().unwrap_or_default()),
        Some(_) => Some(""),
    }
}
