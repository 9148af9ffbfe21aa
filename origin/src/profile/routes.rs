//! `/auth/profile`.

use axum::extract::{FromRef, State};
use axum::http::HeaderMap;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use crate::accounts::{self, Profile, ProfileChange, User};
use crate::audit::{self, Event, EventKind};
use crate::http::{AppState, Problem, RequestContext, Valid};
use crate::rate_limit::Limiter;
use crate::tokens::{CurrentUser, Tokens};

use super::entity_tag;
use super::error::ProfileError;
use super::model::{ChangeProfileRequest, ProfileAnswer};

/// The routes of this room.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
    Limiter: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new().route("/auth/profile", get(read).put(write))
}

async fn read(State(app): State<AppState>, caller: CurrentUser) -> Result<Response, Problem> {
    let mut connection = app.pool().acquire().await.map_err(ProfileError::from)?;
    let profile = accounts::find_profile(&mut connection, &caller.user)
        .await?
        .ok_or(ProfileError::Gone)?;
    Ok(answer(&caller.user, profile))
}

async fn write(
    State(app): State<AppState>,
    context: RequestContext,
    caller: CurrentUser,
    headers: HeaderMap,
    Valid(change): Valid<ChangeProfileRequest>,
) -> Result<Response, Problem> {
    let profile = store(&app, &context, &caller, &headers, &change).await?;
    Ok(answer(&caller.user, profile))
}

async fn store(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
    headers: &HeaderMap,
    change: &ProfileChange,
) -> Result<Profile, ProfileError> {
    let versions = entity_tag::wanted(headers).ok_or(ProfileError::VersionMissing)?;
    let user = &caller.user;
    let mut transaction = app.pool().begin().await?;
    let changed = accounts::change_profile(&mut transaction, user, &versions, change, context.now).await?;
    let Some(profile) = changed else {
        let is_there = accounts::find_profile(&mut transaction, user).await?.is_some();
        return Err(if is_there {
            ProfileError::OtherVersion
        } else {
            ProfileError::Gone
        });
    };
    let event = Event::of_request(context, EventKind::ProfileChanged)
        .tenant(user.tenant_id)
        .actor(user.id)
        .subject(user.id)
        .session(caller.session.id)
        .detail("fields", change.fields());
    audit::record(&mut transaction, event).await?;
    transaction.commit().await?;
    Ok(profile)
}

fn answer(user: &User, profile: Profile) -> Response {
    let tag = entity_tag::of(profile.version);
    ([(ETAG, tag)], Json(ProfileAnswer::new(user, profile))).into_response()
}
