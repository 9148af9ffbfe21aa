//! The revocation feed as the edge asks for it: entries, the oldest key set that may be used, and a signature.
//!
//! Invariants:
//! - Only the edge is answered, and under the key that it asked with.
//! - An answer is true for the moment at which its request arrived (`as_of`): entries are read after that.
//! - An edge that knows more than the database is told everything anew, in a new epoch. That is audited.
//! - This room owns no table; the entries are those of [`crate::revocations`].

mod error;
mod routes;

pub use error::FeedError;
pub use routes::router;

use portcullis_shared::revocation::{Cursor, Feed};

use crate::audit::{self, Event, EventKind};
use crate::http::{AppState, RequestContext};
use crate::kernel::db::PgConnection;
use crate::{revocations, tokens};

/// What to tell an edge that knows the state `known`, or nothing.
async fn feed(app: &AppState, context: &RequestContext, known: Option<Cursor>) -> Result<Feed, FeedError> {
    let lifetime = revocations::lifetime(app.config().tokens.access_ttl);
    let mut connection = app.pool().acquire().await?;
    let mut told = revocations::read(&mut connection, known, lifetime, context.now).await?;
    if let Some(ahead) = known.filter(|_| told.reader_is_ahead) {
        begin_epoch(app, &mut connection, context, ahead).await?;
        told = revocations::read(&mut connection, None, lifetime, context.now).await?;
    }
    Ok(Feed {
        as_of: context.now.timestamp(),
        epoch: told.state.epoch,
        seq: told.state.seq,
        since: told.since,
        // At most an hour and a margin.
        lifetime: u32::try_from(lifetime.num_seconds()).unwrap_or(u32::MAX),
        key_set_version: tokens::key_set_version(&mut connection).await?,
        sessions: told.sessions,
        subjects: told.subjects,
    })
}

/// Begins a new epoch, unless another edge that was ahead has just had that done.
async fn begin_epoch(
    app: &AppState,
    connection: &mut PgConnection,
    context: &RequestContext,
    ahead: Cursor,
) -> Result<(), sqlx::Error> {
    let mut transaction = app.pool().begin_on(connection).await?;
    if let Some(epoch) = revocations::begin_epoch_after(&mut transaction, ahead).await? {
        tracing::warn!(
            epoch,
            known = %ahead,
            "an edge knows revocations that the database does not: it was set back to an earlier state"
        );
        let event = Event::of_request(context, EventKind::FeedEpochBegun)
            .detail("epoch", epoch)
            .detail("known", ahead.to_string());
        audit::record(&mut transaction, event).await?;
    }
    transaction.commit().await
}
