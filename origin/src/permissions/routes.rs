//! `/auth/venues/{venueId}/roles…`, `/auth/me/permissions`, `/auth/authorize`, and what the edge asks.

use axum::extract::{FromRef, Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use portcullis_shared::problem::ProblemCode;
use portcullis_shared::venue_roles::VENUE_ROLES_PATH;

use crate::http::{AppState, Problem, Query, RequestContext, Valid, Violations};
use crate::kernel::ids::VenueId;
use crate::rate_limit::Limiter;
use crate::rbac::{Granted, RbacError};
use crate::tokens::{CurrentUser, Tokens};

use super::model::{
    Authorization, AuthorizeRequest, GrantList, GrantRequest, GrantView, OwnPermissions, OwnQuery,
    RevokeQuery, parse_id, parse_role,
};
use super::{edge, own, venue_roles};

/// The routes of this room.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
    Limiter: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new()
        .route("/auth/venues/{venue}/roles", get(list).post(grant))
        .route("/auth/venues/{venue}/roles/{user}", delete(revoke))
        .route("/auth/me/permissions", get(own_permissions))
        .route("/auth/authorize", post(authorize))
        .route(VENUE_ROLES_PATH, get(edge::venue_roles))
}

async fn list(
    State(app): State<AppState>,
    context: RequestContext,
    caller: CurrentUser,
    Path(venue): Path<String>,
) -> Result<Json<GrantList>, Problem> {
    let venue = parse_venue(&venue)?;
    let roles = venue_roles::list(&app, &context, &caller, venue).await?;
    Ok(Json(GrantList { roles }))
}

async fn grant(
    State(app): State<AppState>,
    State(limiter): State<Limiter>,
    context: RequestContext,
    caller: CurrentUser,
    Path(venue): Path<String>,
    Valid(wanted): Valid<GrantRequest>,
) -> Result<(StatusCode, Json<GrantView>), Problem> {
    let venue = parse_venue(&venue)?;
    let admitted = venue_roles::admit_grant(&app, &limiter, &context, &caller, venue, &wanted).await?;
    let (status, grant) = match venue_roles::grant(&app, &context, &caller, admitted, wanted).await? {
        Granted::New(grant) => (StatusCode::CREATED, grant),
        Granted::Changed(grant) | Granted::AlreadySo(grant) => (StatusCode::OK, grant),
    };
    Ok((status, Json(GrantView { grant })))
}

async fn revoke(
    State(app): State<AppState>,
    context: RequestContext,
    caller: CurrentUser,
    Path((venue, user)): Path<(String, String)>,
    Query(query): Query<RevokeQuery>,
) -> Result<StatusCode, Problem> {
    let venue = parse_venue(&venue)?;
    // What is no identifier holds nothing.
    let user = user.parse().map_err(|_| RbacError::NoSuchGrant)?;
    let role = match query.role {
        None => None,
        Some(name) => Some(valid(|violations| parse_role(violations, &name))?),
    };
    venue_roles::revoke(&app, &context, &caller, venue, user, role).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn own_permissions(
    State(app): State<AppState>,
    context: RequestContext,
    caller: CurrentUser,
    Query(query): Query<OwnQuery>,
) -> Result<Json<OwnPermissions>, Problem> {
    let venue = match query.venue_id {
        None => None,
        Some(text) => Some(valid(|violations| parse_id(violations, "venueId", &text))?),
    };
    Ok(Json(own::permissions(&app, &context, &caller, venue).await?))
}

async fn authorize(
    State(app): State<AppState>,
    context: RequestContext,
    caller: CurrentUser,
    Valid(wanted): Valid<AuthorizeRequest>,
) -> Result<Json<Authorization>, Problem> {
    Ok(Json(own::authorize(&app, &context, &caller, &wanted).await?))
}

/// What is no identifier is no venue.
fn parse_venue(text: &str) -> Result<VenueId, Problem> {
    text.parse().map_err(|_| Problem::new(ProblemCode::NotFound))
}

/// A parameter of a query, or what is wrong with it.
fn valid<T>(parse: impl FnOnce(&mut Violations) -> Option<T>) -> Result<T, Problem> {
    let mut violations = Violations::default();
    parse(&mut violations).ok_or_else(|| violations.into_problem())
}
