//! The pages that a person sees who opens a link: the only HTML of this server.

use askama::Template;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use base64ct::{Base64, Encoding as _};
use secrecy::{ExposeSecret as _, SecretString};

use crate::http::{Problem, RequestContext};

/// What a page says.
pub(super) enum Page<'s> {
    /// The question, with a button: programs that look into mails open links, and press nothing.
    Question(&'s SecretString),
    /// It was done.
    Confirmed,
    /// The link is not good.
    BadLink,
}

#[derive(Template)]
#[template(path = "pages/verify_email.html")]
struct VerifyEmail<'a> {
    title: &'static str,
    text: &'static str,
    secret: Option<&'a str>,
    nonce: &'a str,
}

impl Page<'_> {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Question(_) | Self::Confirmed => StatusCode::OK,
            Self::BadLink => StatusCode::BAD_REQUEST,
        }
    }

    /// The page, which nothing but its own style may be part of, which nobody may frame or keep, and whose form leads to this
    /// server alone.
    pub(super) fn answer(self, context: &RequestContext) -> Result<Response, Problem> {
        let nonce = Base64::encode_string(&context.random::<16>());
        let (title, text, secret) = match &self {
            Self::Question(secret) => (
                "Is this your address?",
                "Press the button to confirm that the address which this link was sent to is yours.",
                Some(secret.expose_secret()),
            ),
            Self::Confirmed => (
                "Thank you",
                "Your address is confirmed. You can close this page.",
                None,
            ),
            Self::BadLink => (
                "This link is not good",
                "It was used already, has expired, or was followed by a newer one. Sign in and ask for another.",
                None,
            ),
        };
        let page = VerifyEmail {
            title,
            text,
            secret,
            nonce: &nonce,
        };
        let html = page.render().map_err(Problem::internal)?;
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        let policy = HeaderValue::try_from(policy).map_err(Problem::internal)?;
        let headers = [
            (CONTENT_SECURITY_POLICY, policy),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        Ok((self.status(), headers, Html(html)).into_response())
    }
}
