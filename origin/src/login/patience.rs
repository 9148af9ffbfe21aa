//! Waiting for the second in which an account can be given a token again that was changed often within this one.

use std::time::Duration;

use crate::http::{AppState, RequestContext};
use crate::kernel::time::Timestamp;

use super::error::LoginError;

/// The same request in the next second, when that has begun, where no token could be made for what was left of this one
/// ([`User::issuing_moment`](crate::accounts::User::issuing_moment)); `None` where the outcome stands. Whoever sets an account up and
/// signs in to it should not have to know of that. Nothing is held meanwhile.
pub(super) async fn once_more<T>(
    app: &AppState,
    context: &RequestContext,
    outcome: &Result<T, LoginError>,
) -> Option<RequestContext> {
    if !matches!(outcome, Err(LoginError::ChangedTooOften)) {
        return None;
    }
    let clock = app.clock();
    tokio::time::sleep(rest_of_second(clock.now())).await;
    Some(context.at(clock.now()))
}

fn rest_of_second(now: Timestamp) -> Duration {
    let gone = Duration::from_nanos(now.timestamp_subsec_nanos().into());
    Duration::from_secs(1).saturating_sub(gone)
}
