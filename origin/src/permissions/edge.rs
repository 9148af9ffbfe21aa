//! `GET /edge/venue-roles`: the edge has a token that does not name all venues of its holder.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse as _, Response};
use portcullis_shared::venue_roles::{Place, RolesThere};

use crate::http::{AppState, OfTheEdge, Problem, Query, RequestContext};
use crate::rbac::{self, Effective, RbacError};

pub(super) async fn venue_roles(
    State(app): State<AppState>,
    _edge: OfTheEdge,
    context: RequestContext,
    Query(place): Query<Place>,
) -> Result<Response, Problem> {
    let roles = roles_there(&app, &context, place).await?;
    let caching = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((caching, Json(RolesThere { roles })).into_response())
}

/// The roles that are held there; none where there is no such account, or it may not sign in.
async fn roles_there(
    app: &AppState,
    context: &RequestContext,
    place: Place,
) -> Result<Vec<String>, RbacError> {
    let (tenant, user, venue) = (place.tenant.into(), place.subject.into(), place.venue.into());
    let mut connection = app.pool().acquire().await?;
    let held = rbac::effective(&mut connection, tenant, user, Some(venue), context.now).await?;
    Ok(held.map_or_else(Vec::new, Effective::role_names))
}
