//! `GET /edge/revocations`.

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use portcullis_shared::problem::ProblemCode;
use portcullis_shared::revocation::signature::{self, AnswerSignature, Content};
use portcullis_shared::revocation::{Cursor, FEED_PATH};
use serde::Deserialize;

use crate::http::{AppState, OfTheEdge, Problem, Query, RequestContext, is_known};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");
/// The edge keeps one copy at each of its locations for as long.
const FEED_CACHE_CONTROL: HeaderValue = HeaderValue::from_static("max-age=1");

/// The routes of this room.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
{
    Router::new().route(FEED_PATH, get(revocations))
}

#[derive(Deserialize)]
struct FeedQuery {
    cursor: Option<String>,
}

async fn revocations(
    State(app): State<AppState>,
    edge: OfTheEdge,
    context: RequestContext,
    headers: HeaderMap,
    Query(query): Query<FeedQuery>,
) -> Result<Response, Problem> {
    let known = query.cursor.as_deref().map(parse_cursor).transpose()?;
    let feed = super::feed(&app, &context, known).await?;
    let etag = feed.etag();
    let tag = header(&etag)?;
    let caching = [(CACHE_CONTROL, FEED_CACHE_CONTROL), (ETAG, tag.clone())];
    if is_known(&headers, &tag) {
        let signed = signature::sign(Content::Unchanged, &etag, &edge.key, feed.as_of);
        return Ok((StatusCode::NOT_MODIFIED, caching, signature_headers(&signed)?).into_response());
    }
    let body = serde_json::to_vec(&feed).map_err(Problem::internal)?;
    let signed = signature::sign(Content::Feed(&body), &etag, &edge.key, feed.as_of);
    let content_type = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((caching, content_type, signature_headers(&signed)?, body).into_response())
}

fn parse_cursor(text: &str) -> Result<Cursor, Problem> {
    text.parse()
        .map_err(|_| Problem::new(ProblemCode::MalformedRequest).detail("The cursor is not one."))
}

fn signature_headers(signed: &AnswerSignature) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::new();
    if let Some(digest) = &signed.content_digest {
        headers.insert(CONTENT_DIGEST, header(digest)?);
    }
    headers.insert(SIGNATURE_INPUT, header(&signed.signature_input)?);
    headers.insert(SIGNATURE, header(&signed.signature)?);
    Ok(headers)
}

/// Everything that is written here is visible ASCII.
fn header(text: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::from_str(text).map_err(Problem::internal)
}
