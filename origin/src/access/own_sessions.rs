//! A person looks at their sessions, and ends some.

use crate::accounts;
use crate::audit::{Event, EventKind};
use crate::http::{AppState, RequestContext};
use crate::kernel::ids::SessionId;
use crate::sessions::{self, ChainOwner, RevocationReason};
use crate::tokens::CurrentUser;

use super::error::AccessError;
use super::model::SessionView;

/// The caller's live sessions, the one that was used last first.
pub(super) async fn list(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
) -> Result<Vec<SessionView>, AccessError> {
    let mut connection = app.pool().acquire().await?;
    let user = &caller.user;
    let listed = sessions::list_live(&mut connection, user.tenant_id, user.id, context.now).await?;
    Ok(listed
        .into_iter()
        .map(|session| SessionView::new(session, caller.session.id))
        .collect())
}

/// Ends one of the caller's sessions, which may be the one that asks.
pub(super) async fn revoke(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
    id: SessionId,
) -> Result<(), AccessError> {
    let session = ChainOwner {
        session_id: id,
        tenant_id: caller.user.tenant_id,
        user_id: caller.user.id,
    };
    let event = Event::of_request(context, EventKind::SessionRevoked).actor(caller.user.id);
    let reason = RevocationReason::UserRevoked;
    let mut transaction = app.pool().begin().await?;
    let ended = sessions::revoke(&mut transaction, session, reason, event, context.now).await?;
    transaction.commit().await?;
    ended.then_some(()).ok_or(AccessError::NoSuchSession)
}

/// Ends all of the caller's sessions, the one that asks only if that is wanted too. Returns how many there were.
pub(super) async fn revoke_all(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
    include_current: bool,
) -> Result<usize, AccessError> {
    let kept = (!include_current).then_some(caller.session.id);
    let event = Event::of_request(context, EventKind::SessionsRevoked).actor(caller.user.id);
    let reason = RevocationReason::AllRevoked;
    let mut transaction = app.pool().begin().await?;
    // Whoever locks several sessions of an account takes turns by its row.
    accounts::lock_by_id(&mut transaction, caller.user.tenant_id, caller.user.id).await?;
    let ended =
        sessions::revoke_all_but(&mut transaction, &caller.user, kept, reason, event, context.now).await?;
    transaction.commit().await?;
    Ok(ended)
}
