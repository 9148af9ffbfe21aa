//! The query of a request.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use portcullis_shared::problem::ProblemCode;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The query string, read into `Q`. What cannot be read, or says something twice, is 400 `malformed_request`;
/// parameters that `Q` does not know are ignored.
#[derive(Debug)]
pub struct Query<Q>(pub Q);

impl<S, Q> FromRequestParts<S> for Query<Q>
where
    S: Send + Sync,
    Q: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // The parser's own message may quote the value, so it is neither shown nor logged.
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|_| {
                Problem::new(ProblemCode::MalformedRequest).detail("The query is not of the expected form.")
            })
    }
}
