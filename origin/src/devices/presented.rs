//! What a request says of the device it comes from.

use axum::extract::FromRequestParts;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use portcullis_shared::cookies::{DeviceCookie, Presence};
use portcullis_shared::problem::ProblemCode;

use crate::http::{Problem, RequestContext};
use crate::kernel::secret_digest::SecretDigest;
use crate::mail::describe_device;

use super::token::DeviceToken;

/// The header of clients that keep no cookies.
const HEADER: &str = "x-device-token";

/// The device of a request, as it presents itself; an extractor. Nothing of it is believed yet.
#[derive(Debug)]
pub struct PresentedDevice {
    /// What no token can be is left out: it is known to nobody.
    pub(super) token: Option<DeviceToken>,
    /// The browser and the system that the program claims to be, in words of ours.
    pub(super) kind: Option<String>,
    /// Whether a token, good or bad, came in the cookie, where scripts do not see it.
    pub in_cookie: bool,
}

impl PresentedDevice {
    /// What tells this device from others for as long as a sign-in takes, whether it is known or not: a digest of all that it presents.
    #[must_use]
    pub fn digest(&self) -> SecretDigest {
        let token = self.token.as_ref().map_or("", DeviceToken::expose);
        // A token has no spaces.
        let whole = format!("{token} {}", self.kind.as_deref().unwrap_or_default());
        SecretDigest::of(&whole.into())
    }

    /// What the device is called.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }
}

impl<S: Sync> FromRequestParts<S> for PresentedDevice {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let context = RequestContext::from_request_parts(parts, state).await?;
        let in_header = header(&parts.headers)?;
        let in_cookie = DeviceCookie::read(parts.headers.get_all(COOKIE))
            .map_err(|error| ambiguous().detail(format!("There is {error}.")))?;
        let text = match (in_header, in_cookie) {
            (Some(_), Presence::Malformed | Presence::Value(_)) => {
                return Err(ambiguous()
                    .detail("The request carries a device token in X-Device-Token and one in a cookie."));
            }
            (Some(value), Presence::Absent) => value.to_str().ok(),
            (None, in_cookie) => in_cookie.value(),
        };
        Ok(Self {
            token: text.and_then(DeviceToken::parse),
            kind: context.user_agent.as_deref().and_then(describe_device),
            in_cookie: in_cookie.is_present(),
        })
    }
}

fn header(headers: &HeaderMap) -> Result<Option<&HeaderValue>, Problem> {
    let mut values = headers.get_all(HEADER).into_iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(ambiguous().detail("The request carries more than one X-Device-Token header.")),
        (value, None) => Ok(value),
    }
}

fn ambiguous() -> Problem {
    Problem::new(ProblemCode::AmbiguousCredentials)
}
