//! Whether the server lives and whether it can work.
//!
//! `/live` depends on nothing. `/ready` and `/health` are 503 without Postgres, and `degraded` without Redis,
//! which weakens nothing. Checks are shared: however many ask, Postgres and Redis are asked once a second.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::kernel::time::{TimeDelta, Timestamp};

use super::context::RequestContext;
use super::state::AppState;

const LIVE: &str = "/live";
const READY: &str = "/ready";
const HEALTH: &str = "/health";
const HEALTH_DB: &str = "/health/db";
/// How long one check may take; the answer must come within two seconds.
const CHECK_TIMEOUT: Duration = Duration::from_millis(900);
/// How long a result is believed.
const FRESH: TimeDelta = TimeDelta::seconds(1);

/// Whether requests should still be sent here, and the last result of the checks.
#[derive(Debug, Default)]
pub struct Readiness {
    stopping: AtomicBool,
    last: Mutex<Option<(Timestamp, Checks)>>,
}

impl Readiness {
    /// From now on `/ready` says no, so that no new work is sent here.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the server is about to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

#[derive(Clone, Copy, Debug)]
struct Checks {
    database: bool,
    redis: bool,
}

/// What the health routes say. No addresses, versions or causes.
#[derive(Debug, Serialize)]
struct Health {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<Component>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<Component>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Degraded,
    Unavailable,
    Stopping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Component {
    Up,
    Down,
}

impl From<bool> for Component {
    fn from(up: bool) -> Self {
        if up { Self::Up } else { Self::Down }
    }
}

impl IntoResponse for Health {
    fn into_response(self) -> Response {
        let headers = [(CACHE_CONTROL, "no-store")];
        match self.status {
            Status::Ok | Status::Degraded => (headers, Json(self)).into_response(),
            Status::Unavailable | Status::Stopping => (
                StatusCode::SERVICE_UNAVAILABLE,
                headers,
                [(RETRY_AFTER, "1")],
                Json(self),
            )
                .into_response(),
        }
    }
}

pub(super) fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
{
    Router::new()
        .route(LIVE, get(live))
        .route(READY, get(ready))
        .route(HEALTH, get(health))
        .route(HEALTH_DB, get(health_db))
}

/// Whether this is the path of one of the routes above: anybody may ask them, also without the edge.
pub(super) fn is_route(path: &str) -> bool {
    [LIVE, READY, HEALTH, HEALTH_DB].contains(&path)
}

async fn live() -> Health {
    Health {
        status: Status::Ok,
        database: None,
        redis: None,
    }
}

async fn ready(State(app): State<AppState>, context: RequestContext) -> Health {
    if app.readiness().is_stopping() {
        return Health {
            status: Status::Stopping,
            database: None,
            redis: None,
        };
    }
    summarise(check(&app, context.now).await)
}

async fn health(State(app): State<AppState>, context: RequestContext) -> Health {
    summarise(check(&app, context.now).await)
}

async fn health_db(State(app): State<AppState>, context: RequestContext) -> Health {
    let database = check(&app, context.now).await.database;
    let status = if database { Status::Ok } else { Status::Unavailable };
    Health {
        status,
        database: Some(database.into()),
        redis: None,
    }
}

fn summarise(checks: Checks) -> Health {
    let status = match checks {
        Checks { database: false, .. } => Status::Unavailable,
        Checks { redis: false, .. } => Status::Degraded,
        Checks { .. } => Status::Ok,
    };
    Health {
        status,
        database: Some(checks.database.into()),
        redis: Some(checks.redis.into()),
    }
}

async fn check(app: &AppState, now: Timestamp) -> Checks {
    // Held while checking: whoever comes meanwhile waits for this result instead of asking again.
    let mut last = app.readiness().last.lock().await;
    if let Some((at, checks)) = *last
        && now.signed_duration_since(at).abs() < FRESH
    {
        return checks;
    }
    let (database, redis) = tokio::join!(database_answers(app), app.redis().is_up());
    let checks = Checks { database, redis };
    *last = Some((now, checks));
    checks
}

async fn database_answers(app: &AppState) -> bool {
    matches!(
        tokio::time::timeout(CHECK_TIMEOUT, app.pool().ping()).await,
        Ok(Ok(()))
    )
}
