//! The body of a request, bounded in size and time; and, where it is JSON, valid. Forms are in [`form`](super::form).

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRef, FromRequest, OptionalFromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use portcullis_shared::problem::ProblemCode;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::problem::Problem;
use super::state::AppState;
use super::strict_json;
use super::validation::{Validate, Violations};

/// Largest body that is read.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// How much of a refused body is thrown away, and for how long, before the connection is cut.
const MAX_DISCARDED_BYTES: usize = 8 * 1024 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// A JSON body that was parsed and found valid. `Option<Valid<R>>` is `None` for a request without a body.
#[derive(Debug)]
pub struct Valid<R: Validate>(pub R::Valid);

impl<S, R> FromRequest<S> for Valid<R>
where
    S: Send + Sync,
    R: Validate + DeserializeOwned,
    AppState: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = bounded(request, "application/json", &AppState::from_ref(state)).await?;
        parse::<R>(&bytes).map(Self)
    }
}

impl<S, R> OptionalFromRequest<S> for Valid<R>
where
    S: Send + Sync,
    R: Validate + DeserializeOwned,
    AppState: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        if request.body().is_end_stream() {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state)
            .await
            .map(Some)
    }
}

/// The whole body of a request that says it is of this media type, within the bounds of size and time.
pub(super) async fn bounded(
    request: Request,
    media_type: &str,
    app: &AppState,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let (parts, body) = request.into_parts();
    if !is_of_type(&parts.headers, media_type) {
        discard(body);
        return Err(Problem::new(ProblemCode::UnsupportedMediaType)
            .detail(format!("The body must be {media_type}."))
            .closing());
    }
    read(&parts.headers, body, app).await
}

fn is_of_type(headers: &HeaderMap, media_type: &str) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).into_iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return false;
    };
    let named = value
        .to_str()
        .unwrap_or("")
        .split(';')
        .next()
        .unwrap_or("")
        .trim();
    named.eq_ignore_ascii_case(media_type)
}

async fn read(headers: &HeaderMap, body: Body, app: &AppState) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let too_large = || {
        Problem::new(ProblemCode::PayloadTooLarge)
            .detail(format!("The body may have {MAX_BODY_BYTES} bytes at most."))
            .closing()
    };
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES) {
        discard(body);
        return Err(too_large());
    }
    let collect = async {
        let mut body = body;
        // Reserved at once: growing would leave copies of a password behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(announced.unwrap_or(MAX_BODY_BYTES)));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Problem::new(ProblemCode::MalformedRequest)
                    .detail("The body ended before it was complete.")
                    .caused_by(error)
                    .closing()
            })?;
            if let Some(data) = frame.data_ref() {
                if bytes.len().saturating_add(data.len()) > MAX_BODY_BYTES {
                    discard(body);
                    return Err(too_large());
                }
                bytes.extend_from_slice(data);
            }
        }
        Ok(bytes)
    };
    match tokio::time::timeout(app.config().http.body_timeout, collect).await {
        Ok(read) => read,
        Err(_elapsed) => Err(Problem::new(ProblemCode::RequestTimeout)
            .detail("The body did not arrive in time.")
            .closing()),
    }
}

/// Goes on reading a body that was refused, without keeping it. A connection that is closed with bytes unread is
/// reset, and the client, or a proxy on the way, loses the answer that was written to it.
fn discard(mut body: Body) {
    let read = async move {
        let mut left = MAX_DISCARDED_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, axum::body::Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    tokio::spawn(async move {
        // Whether it ended or was cut off, there is nobody left to tell.
        let _ = tokio::time::timeout(DISCARD_TIMEOUT, read).await;
    });
}

fn parse<R: Validate + DeserializeOwned>(bytes: &[u8]) -> Result<R::Valid, Problem> {
    // The parser's own message may quote the value, so it is neither shown nor logged.
    let malformed = |error: serde_json::Error| {
        let what = if error.is_data() {
            "The body is JSON, but not of the expected types, or it has text that cannot be stored."
        } else {
            "The body is not valid JSON."
        };
        Problem::new(ProblemCode::MalformedRequest).detail(what)
    };
    strict_json::check(bytes).map_err(malformed)?;
    let request: R = serde_json::from_slice(bytes).map_err(malformed)?;
    let mut violations = Violations::default();
    match request.validate(&mut violations) {
        Some(valid) if violations.is_empty() => Ok(valid),
        _ => Err(violations.into_problem()),
    }
}
