//! How requests come in and answers go out; the same for every room.
//!
//! Invariants:
//! - Every answer carries `X-Request-Id` and the security headers; every refusal is a [`Problem`].
//! - A client address or an identity is believed only under the edge's signature or from a trusted proxy.
//! - What the edge has signed is accepted once; see `replay`.
//! - A body is bounded in size and in time before anything reads it.
//! - No answer that sets a cookie may be kept by anybody on its way.
//! - Causes are logged once, here; what a client sees names none.

mod body;
mod conditional;
mod context;
mod edge_signature;
mod form;
mod health;
mod observe;
mod problem;
mod query;
mod replay;
mod server;
mod state;
mod strict_json;
mod validation;

pub use body::Valid;
pub use conditional::is_known;
pub use context::{RequestContext, RequestId};
pub use edge_signature::OfTheEdge;
pub use form::{Form, MalformedForm, Parameters};
pub use health::Readiness;
pub use problem::{Challenge, Problem};
pub use query::Query;
pub use server::{Stop, serve};
pub use state::AppState;
pub use validation::{Validate, Violations};

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;

/// Puts around the rooms' routes what every request goes through, and adds the health routes.
///
/// From the outside in: request id, log line, security headers and panics; then the edge's signature and the
/// request's context; then the routes.
pub fn application<S>(routes: Router<S>, state: S) -> Router
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
{
    let app = AppState::from_ref(&state);
    routes
        .merge(health::router())
        .layer(from_fn_with_state(app.clone(), edge_signature::authenticate_edge))
        .layer(from_fn_with_state(app, observe::observe))
        .with_state(state)
}
