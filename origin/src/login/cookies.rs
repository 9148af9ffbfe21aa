//! What a browser that keeps its tokens in cookies sends, and how it gets and loses them.
//!
//! Invariant: the tokens of one answer go to cookies or into its body, never to both. What came with a session cookie is
//! answered by cookie, so that scripts, which cannot read the old tokens, do not get to see the new ones.

use axum::Json;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use portcullis_shared::cookies::{DeviceCookie, Presence, SessionCookie, SessionCookies};
use portcullis_shared::problem::ProblemCode;
use secrecy::{ExposeSecret as _, SecretString};

use crate::devices;
use crate::http::{AppState, Problem, RequestContext, Valid};
use crate::tokens::Credential;

use super::model::{OptionalRefreshToken, RefreshRequest, SignedIn, SignedInView};

/// The header by which a client asks for cookies, and the one value that it has.
const TOKEN_DELIVERY: &str = "x-token-delivery";
const COOKIE: &[u8] = b"cookie";

/// The session cookies of a request, as far as signing in and out is concerned; an extractor.
pub(super) struct BrowserCookies {
    /// Whether there are any, good or bad.
    pub(super) came: bool,
    /// The refresh token. One that no token can be is empty here, and refused as any other bad one is.
    pub(super) refresh_token: Option<SecretString>,
}

impl BrowserCookies {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let cookies = match Credential::of(headers)? {
            Credential::Cookies(cookies) => cookies,
            Credential::None | Credential::Bearer(_) => SessionCookies::default(),
        };
        Ok(Self {
            came: cookies.any(),
            refresh_token: match cookies.refresh {
                Presence::Absent => None,
                Presence::Malformed => Some(SecretString::default()),
                Presence::Value(token) => Some(token.into()),
            },
        })
    }

    /// The refresh token of a request that may have one in its body or in the cookie, but not in both.
    pub(super) fn one_refresh_token(
        &self,
        in_body: Option<SecretString>,
    ) -> Result<Option<SecretString>, Problem> {
        match (in_body, &self.refresh_token) {
            (Some(_), Some(_)) => Err(two_refresh_tokens()),
            (in_body, in_cookie) => Ok(in_body.or_else(|| in_cookie.clone())),
        }
    }

    /// Makes the browser forget its cookies, if it has sent any.
    pub(super) fn forget(&self, context: &RequestContext) {
        if self.came {
            for cookie in SessionCookie::ALL {
                context.set_cookie(cookie.delete());
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for BrowserCookies {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::of(&parts.headers)
    }
}

/// Where the tokens of an answer go; an extractor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Into its body, for a client that keeps them itself.
    Body,
    /// To the cookies of a browser.
    Cookies,
}

impl Delivery {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut wishes = headers.get_all(TOKEN_DELIVERY).into_iter();
        match (wishes.next().map(HeaderValue::as_bytes), wishes.next()) {
            (None, _) if BrowserCookies::of(headers)?.came => Ok(Self::Cookies),
            (None, _) => Ok(Self::Body),
            (Some(COOKIE), None) => Ok(Self::Cookies),
            (Some(_), _) => Err(Problem::validation_failed(Vec::new()).field(
                "X-Token-Delivery",
                "invalid",
                "The one value of this header is cookie.",
            )),
        }
    }

    /// The body of the answer. Where the tokens go to cookies, it is left without them. So it is without the token of a device that came
    /// by its cookie, whatever becomes of the others.
    pub(super) fn deliver(
        self,
        context: &RequestContext,
        signed_in: SignedIn,
    ) -> Result<Json<SignedInView>, Problem> {
        let with_tokens = match self {
            Self::Body => true,
            Self::Cookies => {
                let SignedIn {
                    access,
                    refresh_token,
                    refresh_expires_in,
                    ..
                } = &signed_in;
                // Only a token that no browser would keep is refused, and the server makes none.
                let access = SessionCookie::Access
                    .set(&access.token, access.expires_in)
                    .map_err(Problem::internal)?;
                let refresh = SessionCookie::Refresh
                    .set(refresh_token.expose_secret(), *refresh_expires_in)
                    .map_err(Problem::internal)?;
                context.set_cookie(access);
                context.set_cookie(refresh);
                false
            }
        };
        let device_by_cookie = |in_cookie| in_cookie || self == Self::Cookies;
        let with_device = match &signed_in.device {
            Some(device) if device_by_cookie(device.in_cookie) => {
                let cookie = DeviceCookie::set(device.token.expose(), devices::REMEMBERED.num_seconds())
                    .map_err(Problem::internal)?;
                context.set_cookie(cookie);
                false
            }
            Some(_) | None => true,
        };
        Ok(Json(signed_in.into_view(with_tokens, with_device)))
    }
}

impl<S: Sync> FromRequestParts<S> for Delivery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::of(&parts.headers)
    }
}

/// The refresh token of a request that is about one; an extractor. Without the cookie, the body must name it.
pub(super) struct PresentedRefreshToken {
    pub(super) token: SecretString,
    /// Whether it came in the cookie.
    pub(super) in_cookie: bool,
}

impl<S> FromRequest<S> for PresentedRefreshToken
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match BrowserCookies::of(request.headers())?.refresh_token {
            None => {
                let Valid(token) = Valid::<RefreshRequest>::from_request(request, state).await?;
                Ok(Self {
                    token,
                    in_cookie: false,
                })
            }
            Some(token) => {
                let body = Option::<Valid<OptionalRefreshToken>>::from_request(request, state).await?;
                match body.and_then(|Valid(token)| token) {
                    None => Ok(Self {
                        token,
                        in_cookie: true,
                    }),
                    Some(_) => Err(two_refresh_tokens()),
                }
            }
        }
    }
}

fn two_refresh_tokens() -> Problem {
    Problem::new(ProblemCode::AmbiguousCredentials)
        .detail("The request carries a refresh token in its body and one in a cookie.")
}
