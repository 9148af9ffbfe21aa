//! Asks each room for its part.

use crate::audit::{self, Event, EventKind};
use crate::http::{AppState, Problem, RequestContext};

use crate::rate_limit::{Limiter, Quota};
use crate::tokens::CurrentUser;
use crate::{accounts, device_keys, devices, mfa, rbac, recovery, sessions};

use super::error::ExportError;
use super::model::{AccountExport, FORMAT, VenueRoles};

/// Counts a wish for an export against the limit of its account: each is many rows.
pub(super) async fn admit(
    limiter: &Limiter,
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
) -> Result<(), Problem> {
    let quota = Quota::per_hour(app.config().limits.account_exports_per_hour);
    limiter
        .enforce(context, "account-export", &caller.user.id.to_string(), quota)
        .await
}

/// All that is stored about the caller. The log tells of it once everything was read, and before it is handed out.
pub(super) async fn export(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
) -> Result<AccountExport, ExportError> {
    let export = read(app, context, caller).await?;
    let event = Event::of_request(context, EventKind::AccountExported)
        .tenant(caller.user.tenant_id)
        .actor(caller.user.id)
        .subject(caller.user.id)
        .session(caller.session.id);
    let mut connection = app.pool().acquire().await?;
    audit::record(&mut connection, event).await?;
    Ok(export)
}

async fn read(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
) -> Result<AccountExport, ExportError> {
    let (tenant, user) = (caller.user.tenant_id, caller.user.id);
    let mut snapshot = app.pool().snapshot().await?;
    let export = AccountExport {
        format: FORMAT,
        exported_at: context.now,
        account: accounts::stored(&mut snapshot, tenant, user)
            .await?
            .ok_or(ExportError::AccountGone)?,
        sessions: sessions::stored(&mut snapshot, tenant, user).await?,
        devices: devices::stored(&mut snapshot, tenant, user).await?,
        venue_roles: VenueRoles {
            held: rbac::stored_held(&mut snapshot, tenant, user).await?,
            given: rbac::stored_given(&mut snapshot, tenant, user).await?,
        },
        device_keys: device_keys::stored(&mut snapshot, tenant, user).await?,
        totp_factors: mfa::stored_factors(&mut snapshot, tenant, user).await?,
        backup_codes: mfa::stored_backup_codes(&mut snapshot, tenant, user).await?,
        sign_in_challenges: mfa::stored(&mut snapshot, tenant, user).await?,
        tickets: recovery::stored(&mut snapshot, tenant, user).await?,
        audit_events: audit::stored(&mut snapshot, tenant, user).await?,
    };
    snapshot.commit().await?;
    Ok(export)
}
